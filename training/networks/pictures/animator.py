"""Trains the animator, which turns audio latents and a still image into a distribution of motion fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.pictures.animator import TICK_S, Animator, AnimatorCondition, AnimatorConfig, warp_features
from training.datasets.animator import STARTS, MotionClips, concatenate, load_motion_clips
from training.loop.device import Device
from training.loop.run import Plan, run
from training.loop.trainer import NetworkTrainer
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given_sizes

HELD_PART = 25
"""One clip in this many is held out for the test curves."""
FIRST_STEP_SHARE = 0.3
"""Share of the samples that train the first integration step, which starts from pure noise."""


@dataclass(frozen=True)
class AnimatorRecipe:
    """How the animator is trained.

    Attributes:
        steps: optimizer steps in all.
        performers, mobiles: clips of each.
        batch: clips per step.
        length: ticks per clip.
        samples: ticks of each clip that enter the loss.
        learning_rate: of AdamW; it rises for 200 steps, then falls linearly.
        unsure: standard deviation of the noise on the previous tick's field.
        forgotten: share of the samples in which the previous tick's field is zero.
        timid: share of the clips whose past is shown with less motion than it had, as the animator's own past has.
    """

    steps: int = 6_000
    performers: int = 1_600
    mobiles: int = 800
    batch: int = 12
    length: int = 48
    samples: int = 8
    learning_rate: float = 1e-3
    unsure: float = 0.03
    forgotten: float = 0.5
    timid: float = 0.5

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / self.steps)


class AnimatorBatch(NamedTuple):
    """The clips of one step, and the ticks in them that are learned.

    audio [B, T, D]; time_s float64 [B, T]; still uint8 [B, S, S, 3]; rows, ticks int64 [N]: clip and tick of each
    sample; where, before, flow [N, 2, G, G]: the map, the previous tick's field and the true field of each sample.
    """

    audio: Tensor
    time_s: Tensor
    still: Tensor
    rows: Tensor
    ticks: Tensor
    where: Tensor
    before: Tensor
    flow: Tensor


def advance_map(where: Tensor, flow: Tensor, keep: Tensor) -> Tensor:
    """The map after one tick of flow, as `training.networks.pictures.warp` advances it.

    Args:
        where: displacement map [B, 2, G, G].
        flow: motion [B, 2, G, G], longer sides per second.
        keep: share of the map that is left after a tick of anchoring [B].
    """
    back = -TICK_S * flow
    return (warp_features(where, back) + back) * keep[:, None, None, None]


def draw_batch(data: MotionClips, rng: np.random.Generator, recipe: AnimatorRecipe) -> AnimatorBatch:
    """Random stretches of clips, half of them mirrored where allowed, with the maps of their own flow."""
    count, total = data.level.shape
    clip = torch.from_numpy(rng.integers(0, count, recipe.batch))
    which = torch.from_numpy(rng.integers(0, len(STARTS), recipe.batch))
    start = torch.tensor(STARTS)[which]
    length = min(recipe.length, total - max(STARTS))
    flow = data.flow[clip[:, None], start[:, None] + torch.arange(length)].float()
    where, still = data.where[clip, which].float(), data.stills[clip, which]
    is_mirrored = torch.from_numpy(rng.random(recipe.batch) < 0.5) & data.turns[clip]
    turn = torch.tensor([-1.0, 1.0])[:, None, None]
    flow[is_mirrored] = flow[is_mirrored].flip(-1) * turn
    where[is_mirrored] = where[is_mirrored].flip(-1) * turn
    still = torch.where(is_mirrored[:, None, None, None], still.flip(2), still)
    keep = torch.from_numpy(np.exp(-TICK_S * rng.uniform(0.1, 2.0, recipe.batch))).float()
    timid = np.where(rng.random(recipe.batch) < recipe.timid, rng.random(recipe.batch), 1.0)
    share = torch.from_numpy(timid).float()[:, None, None, None]
    maps, where = [], share * where
    for tick in range(length):
        maps.append(where)
        where = advance_map(where, share * flow[:, tick], keep)
    samples = torch.from_numpy(np.stack([rng.choice(length, recipe.samples, False) for _ in range(recipe.batch)]))
    rows = torch.arange(recipe.batch).repeat_interleave(recipe.samples)
    ticks = samples.flatten()
    before = torch.where((ticks > 0)[:, None, None, None], flow[rows, (ticks - 1).clamp_min(0)], 0.0)
    before = share[rows] * before + recipe.unsure * torch.from_numpy(rng.normal(size=tuple(before.shape))).float()
    before = before * torch.from_numpy(rng.random(rows.numel()) >= recipe.forgotten).float()[:, None, None, None]
    seconds = torch.arange(total, dtype=torch.float64) * TICK_S + torch.from_numpy(
        rng.uniform(0, 3600, (recipe.batch, 1))
    )
    return AnimatorBatch(
        data.audio[clip].float(),
        seconds,
        still,
        rows,
        start[rows] + ticks,
        torch.stack(maps, 1)[rows, ticks],
        before,
        flow[rows, ticks],
    )


def moments(model: Animator, batch: AnimatorBatch) -> AnimatorCondition:
    """What the field network is given at each sample of a batch."""
    features = model.eyes(batch.still)
    context = model(batch.audio, batch.time_s, features)
    return AnimatorCondition(
        context[batch.rows, batch.ticks], warp_features(features[batch.rows], batch.where), batch.where, batch.before
    )


def loss_of(model: Animator, batch: AnimatorBatch, rng: np.random.Generator) -> Tensor:
    """The mean flow-matching error over a batch; see `Animator.loss`."""
    noise = torch.from_numpy(rng.normal(size=tuple(batch.flow.shape))).float().to(batch.flow.device)
    # The first step, from nothing but noise, is what every field begins with.
    share = torch.from_numpy(np.where(rng.random(len(noise)) < FIRST_STEP_SHARE, 0.0, rng.random(len(noise)))).float()
    share = share.to(batch.flow.device)
    return model.loss(moments(model, batch), batch.flow, noise, share).mean()


class AnimatorTraining(NetworkTrainer[Animator]):
    """The training of an animator.

    Args:
        recipe: how to train.
        model: the network.
        data: clips; one part in `HELD_PART` is held out.
        device: where to compute; None for one process.
    """

    def __init__(
        self, recipe: AnimatorRecipe, model: Animator, data: MotionClips, device: Device | None = None
    ) -> None:
        super().__init__(recipe, model, device, salt=31)
        self.recipe = recipe
        held_count = max(1, len(data.level) // HELD_PART)
        # Performers and mobiles lie one after the other: the held-out ones are of both.
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(data.level)))
        shuffled_clips = MotionClips(*(getattr(data, name)[order] for name in MotionClips.__dataclass_fields__))
        self._train, self._held = (
            shuffled_clips.rows(slice(None, -held_count)),
            shuffled_clips.rows(slice(-held_count, None)),
        )

    def _draw(self, data: MotionClips, rng: np.random.Generator) -> AnimatorBatch:
        return AnimatorBatch(*(x.to(self.device.device) for x in draw_batch(data, rng, self.recipe)))

    def loss(self, rng: np.random.Generator) -> Tensor:
        """The loss of a random batch; see `loss_of`."""
        return loss_of(self.model, self._draw(self._train, rng), rng)

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """End-point errors of the averaged model on held-out clips, always on the same samples.

        Returns:
            `still`: the error of no motion at all; `likeliest`: of the most likely field; `drawn`: of a field sampled
                at half the spread; `speed`: mean speed of that field over the true one.
        """
        model = self.averaged_model()
        rng = np.random.default_rng(1)
        rows: dict[str, list[float]] = {name: [] for name in ("loss", "still", "likeliest", "drawn", "speed")}
        for _ in range(8):
            batch = self._draw(self._held, rng)
            moment = moments(model, batch)
            noise = torch.from_numpy(rng.normal(size=tuple(batch.flow.shape))).float().to(batch.flow.device)
            rows["loss"].append(float(model.loss(moment, batch.flow, noise, torch.rand(len(noise))).mean()))
            rows["still"].append(float(end_point_error(torch.zeros_like(batch.flow), batch.flow)))
            rows["likeliest"].append(float(end_point_error(model.sample(moment, 0.0 * noise), batch.flow)))
            sample = model.sample(moment, 0.5 * noise)
            rows["drawn"].append(float(end_point_error(sample, batch.flow)))
            rows["speed"].append(float(end_point_error(sample, 0.0 * sample)) / (rows["still"][-1] + 1e-9))
        return {name: float(np.mean(values)) for name, values in rows.items()}


def end_point_error(field: Tensor, reference: Tensor) -> Tensor:
    """Mean length of the difference of two fields [N, 2, G, G], in longer sides per second."""
    return (field - reference).square().sum(1).sqrt().mean()


def train_animator(
    work: Path,
    bundle: Path,
    recipe: AnimatorRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
) -> Path:
    """Train an animator, or resume from its checkpoint.

    Args:
        work: folder with `translator/` and `animator/`: recordings, checkpoint and curves.
        bundle: the bundle whose codec, visual network and latent space are used.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained animator to start from when there is no checkpoint.
        device: where to compute; None for one process.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    torch.manual_seed(0)
    with device.main_first():
        performer_data, mobile_data = load_motion_clips(work, bundle, recipe.performers, recipe.mobiles)
    data = concatenate(performer_data, mobile_data)
    model = Animator(getattr(start, "config", AnimatorConfig(latent_dim=data.audio.shape[-1])))
    if start is not None:
        model.load_state_dict(start.state_dict())
    training = AnimatorTraining(recipe, model, data, device)
    plan = Plan(recipe.steps, minutes, test_every=250, silent=not device.main)
    return run(training, work / "animator", "animator", plan)


def _train(job: TrainingJob) -> TrainingResult:
    recipe = AnimatorRecipe(**given_sizes(steps=job.steps, performers=job.clips, mobiles=job.clips // 2))
    path = train_animator(job.work, job.bundle, recipe, minutes=job.minutes, start=job.start, device=job.device)
    return TrainingResult(path)


TRAINER = Trainer(_train)
