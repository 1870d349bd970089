"""Trains the pose network: from audio latents and a still's embedding to where the player's points are now.

Bow strokes are learned first, on players that have a bow: alone they take minutes to learn, beside everything else they
are hardly learned at all. That part is then frozen. An auxiliary head also predicts the points in the body's own space,
which are the same from every camera; it is not shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.pictures.pose import PoseConfig, PoseEstimator
from models.translation.latent import Latent
from models.vision.embedding import POINTS, VisualEmbedding
from training.bundling import load_network
from training.datasets.pose import PlayerClips, load_players
from training.loop.device import Device
from training.loop.run import Plan, run
from training.loop.trainer import NetworkTrainer
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given_sizes

HELD_PART = 25
"""One clip in this many, the last ones, is held out."""
REACH = 0.3
"""Typical distance that a bow is drawn; the unit of the bow loss."""


@dataclass(frozen=True)
class PoseRecipe:
    """How the pose network is trained.

    Attributes:
        steps: optimizer steps in all.
        players: number of clips.
        batch: clips per step, all ticks of each.
        bowing: first steps, which train the bow alone.
        learning_rate: of AdamW; it rises for 150 steps and falls linearly towards the end.
    """

    steps: int = 16_000
    players: int = 8_000
    batch: int = 24
    bowing: int = 2_000
    learning_rate: float = 1.5e-3

    def rate_at(self, step: int) -> float:
        """The learning rate of a step; the schedule restarts after the bow."""
        progress, steps = (step, self.bowing) if step < self.bowing else (step - self.bowing, self.steps - self.bowing)
        left = 1.0 - progress / steps
        return self.learning_rate * min(1.0, (progress + 1) / 150) * min(1.0, max(0.02, 2.5 * left))


class PoseBatch(NamedTuple):
    """Clips, each with one still.

    audio [N, T, D]; still: its embedding [N, E]; places [N, T, P, 2]: target points; later [N, T]: weight of each tick,
    zero up to the still's tick, with sum 1 per clip.

    A target is the point that the eyes found in the still plus its true displacement since then. Limbs are warped by
    how they move, so a foot that stays must not jump from its estimated to its true place.
    """

    audio: Tensor
    still: Tensor
    places: Tensor
    later: Tensor


def draw_batch(pose: PoseEstimator, players: PlayerClips, generator: torch.Generator) -> PoseBatch:
    """Clips, each with a random still of its own, as training targets."""
    count, total, views = *players.audio.shape[:2], players.embeddings.shape[1]
    view = (torch.rand(count, generator=generator) * (views - 1)).long()
    # A show begins with a still of before the first note more often than with any other.
    view = torch.where(torch.rand(count, generator=generator) < 0.5, 0, view)
    rows = torch.arange(count)
    start = players.ticks[rows, view].long()[:, None]
    later = (torch.arange(total) > start) / (total - 1.0 - start)
    still, places = players.embeddings[rows, view].float(), players.places.float()
    went = places - places[rows, start[:, 0]][:, None]
    return PoseBatch(players.audio.float(), still, pose.still_points(still)[:, None] + went, later)


class PoseWithHeads(nn.Module):
    """A pose network with auxiliary heads for the body and the bow; only the pose network is shipped.

    Args:
        config: the network's sizes, or a network to go on from.
    """

    def __init__(self, config: PoseConfig | PoseEstimator | None = None) -> None:
        super().__init__()
        self.network = config if isinstance(config, PoseEstimator) else PoseEstimator(config)
        self.config = self.network.config
        self.body = _head(self.config.width, 3 * len(POINTS))
        self.bow = _head(self.config.stroke_width, 1)
        self.usual: Tensor
        self.varies: Tensor
        self.register_buffer("usual", torch.zeros(3 * len(POINTS)))
        self.register_buffer("varies", torch.ones(3 * len(POINTS)))

    def fit_normalization(self, body: Tensor) -> None:
        """Set mean and spread of the body targets from bodies [N, T, P, 3]."""
        flat = body.float().flatten(2)
        self.usual.copy_(flat.mean((0, 1)))
        self.varies.copy_(flat.std((0, 1)) + 0.02)

    def body_error(self, audio: Tensor, body: Tensor) -> Tensor:
        """Mean squared error of the body's points [N, T, P, 3], in units of their spread."""
        target = (body.float().flatten(2) - self.usual) / self.varies
        error: Tensor = (self.body(audio) - target).square().mean()
        return error

    def bow_error(self, audio: Tensor, bow_course: Tensor) -> Tensor:
        """Mean squared error of how far the bow was drawn since the first tick [N, T], from latents [N, T, D]."""
        strokes, _ = self.network.strokes.step(audio, self.network.strokes.init_state(len(audio)))
        target = (bow_course.float() - bow_course[:, :1].float()) / REACH
        error: Tensor = (self.bow(strokes)[..., 0] - target).square().mean()
        return error


def _head(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, count))


class PoseTraining(NetworkTrainer[PoseWithHeads]):
    """The training of a pose network.

    Args:
        recipe: how to train.
        model: the network with its heads.
        players: clips; the last of them are held out.
        device: where to compute; None for one process.
    """

    def __init__(
        self, recipe: PoseRecipe, model: PoseWithHeads, players: PlayerClips, device: Device | None = None
    ) -> None:
        super().__init__(recipe, model, device, salt=43)
        self.recipe = recipe
        held_count = max(1, len(players.audio) // HELD_PART)
        self._train, self.held = players.rows(slice(None, -held_count)), players.rows(slice(-held_count, None))
        self._bowed = self._train.bow.isfinite().all(1).nonzero()[:, 0]
        if not model.usual.any():
            model.fit_normalization(self._train.body[::7])
            self.average.tensors |= {"usual": model.usual.clone(), "varies": model.varies.clone()}

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Negative log-likelihood of the points of a random batch, plus the body's and the bow's errors."""
        model, only_bows = self.model, self.step < self.recipe.bowing and len(self._bowed) > 0
        among = self._bowed if only_bows else torch.arange(len(self._train.audio))
        players = self._train.rows(among[torch.from_numpy(rng.integers(0, len(among), self.recipe.batch))])
        where = self.device.device
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        clips = PoseBatch(*(x.to(where) for x in draw_batch(model.network, players, generator)))
        if only_bows:
            return model.bow_error(clips.audio, players.bow.to(where))
        # What hears strokes stays as it is from here on, also after an interruption.
        model.network.strokes.requires_grad_(False)
        audio, _ = model.network.listen(clips.audio, model.network.init_state(len(clips.audio)))
        estimate = model.network.project(audio, clips.still)
        unlikely = (model.network.loss(estimate, clips.places) * clips.later).sum() / self.recipe.batch
        return unlikely + model.body_error(audio, players.body.to(where))

    def test(self) -> dict[str, float]:
        """`relative_error` on held-out clips, and on as many training clips."""
        pose = self.averaged_model().network
        taught = self._train.rows(slice(len(self.held.audio)))
        return {"missed_of_held": relative_error(pose, self.held), "missed_of_taught": relative_error(pose, taught)}


@torch.no_grad()
def relative_error(pose: PoseEstimator, players: PlayerClips) -> float:
    """Mean squared error of the predicted points over that of the still's own points: 1 is no better than the still."""
    generator, sums, where = torch.Generator().manual_seed(1), torch.zeros(2), next(pose.parameters()).device
    for some in torch.arange(len(players.audio)).split(100):
        clips = draw_batch(pose, players.rows(some), generator)
        estimate = pose(clips.audio.to(where), clips.still.to(where)).at.cpu()
        for number, at in enumerate((estimate, pose.still_points(clips.still)[:, None])):
            sums[number] += ((at - clips.places).square().sum(-1).mean(-1) * clips.later).sum()
    return float(sums[0] / sums[1])


@torch.no_grad()
def predict_points(pose: PoseEstimator, audio: Tensor, embeddings: Tensor, ticks: Tensor) -> Tensor:
    """Predicted points at some ticks, from each of several stills.

    Args:
        pose: the network.
        audio: audio latents [N, T, D].
        embeddings: the stills' embeddings [N, V, E].
        ticks: [N, K].

    Returns:
        float16 [N, V, K, P, 3]: x, y and their standard deviation.
    """
    parts = []
    for some in torch.arange(len(audio)).split(100):
        body, _ = pose.listen(audio[some].float(), pose.init_state(len(some)))
        body = body[torch.arange(len(some))[:, None], ticks[some].long()]
        estimate = [pose.project(body, still.float()).as_one() for still in embeddings[some].unbind(1)]
        parts.append(torch.stack(estimate, 1).half())
    return torch.cat(parts)


def train_pose(
    work: Path,
    bundle: Path,
    recipe: PoseRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
) -> Path:
    """Train a pose network with a bundle's codec, latent space and visual network, or resume from its checkpoint.

    Args:
        work: folder with `players/` and `pose/`: data, checkpoint and curves.
        bundle: the bundle whose other networks are used.
        recipe: how to train; without `bowing` where there is a start.
        minutes: time limit of this run.
        start: a trained pose network to start from when there is no checkpoint.
        device: where to compute; None for one process.

    Returns:
        The checkpoint's path.

    Raises:
        EngineError: when the bundle lacks one of the networks.
        ValueError: when its visual network finds no points.
    """
    device = device or Device()
    torch.manual_seed(0)
    eyes, latent = load_network(bundle, "embedding"), load_network(bundle, "latent")
    if not isinstance(eyes, VisualEmbedding) or not isinstance(latent, Latent):
        raise ValueError(f"{bundle}: its embedding does not begin with points; a pose is learned with one that does")
    sizes = PoseConfig(latent_dim=latent.config.dim, seen_dim=eyes.config.dim, points=eyes.config.points)
    with device.main_first():
        players = load_players(work / "players", bundle, recipe.players)
    model = PoseWithHeads(start if isinstance(start, PoseEstimator) else sizes)
    training = PoseTraining(recipe, model, players, device)
    return run(training, work / "pose", "pose", Plan(recipe.steps, minutes, test_every=500, silent=not device.main))


def _train(job: TrainingJob) -> TrainingResult:
    sizes = given_sizes(steps=job.steps, players=job.clips)
    if job.start is not None:
        sizes["bowing"] = 0  # it knows bows already
    recipe = PoseRecipe(**sizes)
    path = train_pose(job.work, job.bundle, recipe, minutes=job.minutes, start=job.start, device=job.device)
    return TrainingResult(path)


TRAINER = Trainer(_train, shipped_prefix="network.")
