"""Trains the painter, which repairs a warped still image into the picture that should be seen.

The joint network (`training.networks.pictures.joints`) is trained first and then frozen. The painter is told where a
player's points are by the pose network (`models.pictures.pose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from models.pictures.animator import Animator
from models.pictures.limbs import JointEstimator
from models.pictures.painter import REPAIR_LIMIT, Painter, PainterConfig, PainterInputs
from models.pictures.pose import PoseEstimator
from models.vision.embedding import VisualEmbedding
from training.bundling import load_network
from training.datasets.animator import MotionClips, load_motion_clips
from training.datasets.animator_rollouts import LITTLE_CHANCE
from training.datasets.painter import PainterExamples, load_painter_examples
from training.datasets.painter_views import PainterViews, load_views
from training.datasets.pose import PLAYER_SEED
from training.loop.device import Device
from training.loop.run import Plan, run
from training.loop.trainer import NetworkTrainer
from training.networks.pictures.joints import body_joints, train_bends
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given_sizes

HELD_PART = 25
"""One clip in this many is held out for the test curves."""
FIRST_STEP_SHARE = 0.9
"""Share of the samples that start from pure noise; a show makes that one step only."""
MENDING_SHARE = 0.85
"""Share of the samples with little imagination, the usual setting."""
TRUTH_SHARE = 0.35
"""Share of the samples, at the first step, whose points are the true ones."""
PAIR_SHARE = 0.75
"""Share of a batch that are pairs of views of one player with no warp; see `training.datasets.painter_views`."""
PAIR_CLIPS = 20
"""Clips with such pairs, for each performer whose still the animator has moved."""
BODY_CLIPS = 20
"""Bodies to learn joints from, for each of those performers."""


@dataclass(frozen=True)
class PainterRecipe:
    """How the painter is trained.

    Attributes:
        steps: optimizer steps in all.
        performers, mobiles: clips of each.
        batch: samples per step.
        learning_rate: of AdamW; it rises for 200 steps, then falls linearly.
        bending: steps of the joint network's own training.
    """

    steps: int = 6_000
    performers: int = 400
    mobiles: int = 800
    batch: int = 16
    learning_rate: float = 1e-3
    bending: int = 6_000

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / self.steps)

    def truth_share_at(self, step: int) -> float:
        """Share of the samples at a step whose points are the true ones; zero from 75 % of the steps on."""
        return TRUTH_SHARE * max(0.0, 1.0 - step / (0.75 * self.steps))


def to_signed(pictures: Tensor) -> Tensor:
    """Pictures uint8 [N, S, S, 3] -> float [N, 3, S, S], -1 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def painter_inputs(data: PainterExamples, imagination: Tensor) -> PainterInputs:
    """What the painter is given for examples at an imagination [N]."""
    where, flow, audio = data.where.float(), data.flow.float(), data.audio.float()
    embedding, points = data.embedding.float(), data.points.float()
    return PainterInputs(
        to_signed(data.warped), to_signed(data.prior), where, flow, audio, imagination, data.chance, embedding, points
    )


class PainterBatch(NamedTuple):
    """The samples of one step: the painter's inputs, and the targets of `Painter.loss`.

    wanted [N, 3, S, S]: the target picture; sharp [N]; displacement [N, P, 2]; weight [N]: how much each sample counts.
    """

    inputs: PainterInputs
    wanted: Tensor
    sharp: Tensor
    displacement: Tensor
    weight: Tensor


def draw_batch(
    data: PainterExamples,
    rng: np.random.Generator,
    recipe: PainterRecipe,
    views: PainterViews | None = None,
    step: int = 0,
) -> PainterBatch:
    """Random samples, some mirrored, with random light and permuted colour channels.

    Where sampling has moved a player's still away from any real pose there is no true picture. At little imagination
    the target is then the warped still itself, at more it is what is seen at that tick.
    """
    pair_count = round(PAIR_SHARE * recipe.batch) if views is not None else 0
    rows = data.rows(torch.from_numpy(rng.integers(0, len(data.prior), recipe.batch - pair_count)))
    if views is not None:
        rows = concatenate([views.pairs(rng, pair_count), rows])
    little, much = 0.25 * rng.random(recipe.batch), rng.random(recipe.batch)
    imagination = np.where(rng.random(recipe.batch) < MENDING_SHARE, little, much).astype(np.float32)
    inputs, wanted = painter_inputs(rows, torch.from_numpy(imagination)), to_signed(rows.wanted)
    stays = ~rows.turns & (rows.chance > LITTLE_CHANCE) & (inputs.imagination <= REPAIR_LIMIT)
    wanted = torch.where(stays[:, None, None, None], inputs.warped, wanted)
    turn = torch.tensor([-1.0, 1.0])[:, None, None]
    is_mirrored = (torch.from_numpy(rng.random(recipe.batch) < 0.5) & rows.turns)[:, None, None, None]
    where, flow = (torch.where(is_mirrored, x.flip(-1) * turn, x) for x in (inputs.where, inputs.flow))
    light = torch.from_numpy(rng.uniform(0.7, 1.0, (recipe.batch, 3, 1, 1)).astype(np.float32))
    warped, prior, wanted = (
        (torch.where(is_mirrored, x.flip(-1), x) + 1.0) * light - 1.0 for x in (inputs.warped, inputs.prior, wanted)
    )
    # Other colours for the whole batch: what is red in one is blue in another.
    hues = torch.from_numpy(rng.permutation(3))
    warped, prior, wanted = (x[:, hues] for x in (warped, prior, wanted))
    sharp = (rows.turns | stays).float()
    with_truth = torch.from_numpy(rng.random(recipe.batch) < recipe.truth_share_at(step))[:, None, None]
    displacement = torch.where(with_truth, rows.displacement.float(), torch.nan)
    inputs = inputs._replace(warped=warped, prior=prior, where=where, flow=flow)
    return PainterBatch(inputs, wanted, sharp, displacement, rows.weight)


class PainterTraining(NetworkTrainer[Painter]):
    """The training of a painter.

    Args:
        recipe: how to train.
        model: the network.
        data: examples to learn from.
        held_out: examples of other clips.
        views: clips that pairs are drawn from; the last of them are held out.
        device: where to compute; None for one process.
    """

    def __init__(
        self,
        recipe: PainterRecipe,
        model: Painter,
        data: PainterExamples,
        held_out: PainterExamples,
        views: PainterViews | None = None,
        device: Device | None = None,
    ) -> None:
        super().__init__(recipe, model, device, salt=41)
        self.recipe = recipe
        self._train = data
        self._held = held_out.rows(torch.from_numpy(np.random.default_rng(0).permutation(len(held_out.prior))[:400]))
        self._views, self._held_pairs = views, None
        if views is not None:
            others = held_out_count(len(views.pictures))
            self._views = views.rows(slice(None, -others))
            self._held_pairs = views.rows(slice(-others, None)).pairs(np.random.default_rng(0), 400)

    def loss(self, rng: np.random.Generator) -> Tensor:
        """The weighted loss of a random batch."""
        where = self.device.device
        with torch.autocast(where.type, enabled=False):
            batch = draw_batch(self._train, rng, self.recipe, self._views, self.step)
        count = len(batch.wanted)
        noise = torch.from_numpy(rng.normal(size=tuple(batch.wanted.shape)).astype(np.float32))
        share = torch.from_numpy(np.where(rng.random(count) < FIRST_STEP_SHARE, 0.0, rng.random(count))).float()
        inputs = PainterInputs(*(x.to(where) for x in batch.inputs))
        wanted, sharp, displacement, weight = (x.to(where) for x in batch[1:])
        return (self.model.loss(inputs, wanted, noise.to(where), share.to(where), sharp, displacement) * weight).mean()

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """Errors of the averaged model on held-out examples; see `errors_of`.

        `gain_db_paired` is the gain in dB over the prior image on pairs of views.
        """
        model = self.averaged_model()
        errors = errors_of(model, self._held, seed=1)
        if self._held_pairs is not None:
            errors["gain_db_paired"] = errors_of(model, self._held_pairs, seed=1)["gain_db"]
        return errors


def held_out_count(count: int) -> int:
    """How many of `count` clips or examples are held out."""
    return max(1, count // HELD_PART)


def split(data: PainterExamples) -> tuple[PainterExamples, PainterExamples]:
    """Examples in the order of their clips, split into those to learn from and those held out."""
    held_out = held_out_count(len(data.prior))
    return data.rows(slice(None, -held_out)), data.rows(slice(-held_out, None))


def concatenate(parts: Sequence[PainterExamples]) -> PainterExamples:
    """Several sets of examples as one."""
    return PainterExamples(
        *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(PainterExamples))
    )


@torch.no_grad()
def errors_of(model: Painter, data: PainterExamples, seed: int, imagination: float = 0.15) -> dict[str, float]:
    """Mean absolute errors of the painted pictures and of their gradients, beside those of the warped still.

    Errors are shares of the range from black to white. `..._hidden` counts only what the still does not show (mobiles).
    `gain_db` is how much closer (PSNR) painted performers are to the truth than the still held.
    """
    where = next(model.parameters()).device
    rng = np.random.default_rng(seed)
    sums: dict[str, list[float]] = {}
    squares = torch.zeros(2)
    for part in torch.arange(len(data.prior)).split(50):
        rows = data.rows(part)
        inputs = painter_inputs(rows, torch.full((len(part),), imagination))
        noise = torch.from_numpy(rng.normal(size=tuple(inputs.warped.shape)).astype(np.float32))
        pictures = model.paint(PainterInputs(*(x.to(where) for x in inputs)), noise.to(where)).cpu()
        wanted, hidden = to_signed(rows.wanted), rows.hidden[:, None]
        with_truth = ~rows.turns & (rows.chance <= LITTLE_CHANCE)
        squares += torch.stack([(x - wanted)[with_truth].square().sum() for x in (pictures, inputs.prior)])
        for name, picture in (("painted", pictures), ("moved", inputs.warped)):
            error = (picture - wanted).abs().mean(1, keepdim=True) / 2.0
            slopes = sum(
                nn.functional.pad((picture - wanted).diff(dim=dim).abs(), pad).mean(1, keepdim=True) / 2.0
                for dim, pad in ((-1, (0, 1, 0, 0)), (-2, (0, 0, 0, 1)))
            )
            for kind, values in (("error", error), ("gradient", slopes)):
                assert isinstance(values, Tensor)
                sums.setdefault(f"{name}_{kind}", []).append(float(values.mean()))
                if hidden.any():
                    sums.setdefault(f"{name}_{kind}_hidden", []).append(float(values[hidden].mean()))
    means = {name: float(np.mean(values)) for name, values in sums.items()}
    return means | ({"gain_db": 10.0 * float(torch.log10(squares[1] / squares[0]))} if squares.min() > 0 else {})


def _sizes(bundle: Path, performer_data: MotionClips) -> PainterConfig:
    """Sizes that fit a bundle's latents and embeddings; no pose where the embedding has no points."""
    eyes = load_network(bundle, "embedding")
    points = eyes.config.points if isinstance(eyes, VisualEmbedding) else 0
    return PainterConfig(
        latent_dim=performer_data.audio.shape[-1], seen_dim=performer_data.embedding.shape[-1], points=points
    )


def load_or_train_bends(bends: JointEstimator, path: Path, players: int, steps: int) -> None:
    """Load the joint network's weights from a path, or train them in half a minute and save them there."""
    if path.exists():
        load_model(bends, path)
        return
    print(train_bends(bends, body_joints(range(PLAYER_SEED, PLAYER_SEED + players)), steps))
    _save_weights(bends, path)


def _save_weights(model: nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_model(model, str(part))
    part.replace(path)


def train_painter(
    work: Path,
    bundle: Path,
    recipe: PainterRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
) -> Path:
    """Train a painter with a bundle's codec, latent space, animator and pose, or resume from its checkpoint.

    Args:
        work: folder with `translator/`, `animator/`, `views/` and `painter/`: recordings, checkpoint and curves.
        bundle: the bundle whose other networks are used.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained painter to start from when there is no checkpoint.
        device: where to compute; None for one process.

    Returns:
        The checkpoint's path.

    Raises:
        EngineError: when the bundle lacks one of the networks.
    """
    device = device or Device()
    torch.manual_seed(0)
    with device.main_first():
        animator, pose = (load_network(bundle, network) for network in ("animator", "pose"))
        if not isinstance(animator, Animator) or not isinstance(pose, PoseEstimator):
            raise TypeError("the bundle's animator or pose is of another class")
        performer_data, mobile_data = load_motion_clips(work, bundle, recipe.performers, recipe.mobiles)
        parts = load_painter_examples(work, performer_data, mobile_data, animator, pose)
        views = load_views(work / "views", bundle, PAIR_CLIPS * recipe.performers)
    data, held_out = (concatenate(some) for some in zip(*map(split, parts), strict=True))
    model = start if isinstance(start, Painter) else Painter(_sizes(bundle, performer_data))
    if model.bends is not None:
        if start is None and not (work / "painter" / "painter.safetensors").exists():
            bending = min(recipe.bending, 8 * recipe.steps)
            with device.main_first():
                load_or_train_bends(
                    model.bends,
                    work / "painter" / f"bends-{bending}.safetensors",
                    BODY_CLIPS * recipe.performers,
                    bending,
                )
        model.bends.requires_grad_(False)
    training = PainterTraining(recipe, model, data, held_out, views, device)
    plan = Plan(recipe.steps, minutes, test_every=500, silent=not device.main)
    return run(training, work / "painter", "painter", plan)


def _train(job: TrainingJob) -> TrainingResult:
    recipe = PainterRecipe(**given_sizes(steps=job.steps, performers=job.clips, mobiles=2 * job.clips))
    path = train_painter(job.work, job.bundle, recipe, minutes=job.minutes, start=job.start, device=job.device)
    return TrainingResult(path)


TRAINER = Trainer(_train)
