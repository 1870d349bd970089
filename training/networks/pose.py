"""Trains the pose: from what is heard and a still's embedding to where the player's points are now.

First what hears strokes, on those who have a bow: it turns round with each stroke, and that is found in minutes by who
listens for nothing else, and hardly at all beside everything else. Then, with this as it is, all the rest. Beside the
points in the picture the body's own are asked for, by an ending that is not shipped: what a body does is the same from
all sides.
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
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given

HELD_PART = 25
"""One clip of so many, the last ones, is held out."""
REACH = 0.3
"""How far a bow is drawn from where it began, or so: what is asked for is in such parts."""


@dataclass(frozen=True)
class PoseRecipe:
    """How the pose is trained.

    Attributes:
        steps: in all.
        players: how many clips.
        batch: clips of a step, all ticks of each.
        bowing: so many first steps are for the bow alone.
        learning_rate: of AdamW; it rises for 150 steps and towards the end falls along a line.
    """

    steps: int = 16_000
    players: int = 8_000
    batch: int = 24
    bowing: int = 2_000
    learning_rate: float = 1.5e-3

    def rate_at(self, step: int) -> float:
        """The learning rate of a step; for the bow and for the rest it begins anew."""
        progress, steps = (step, self.bowing) if step < self.bowing else (step - self.bowing, self.steps - self.bowing)
        left = 1.0 - progress / steps
        return self.learning_rate * min(1.0, (progress + 1) / 150) * min(1.0, max(0.02, 2.5 * left))


class PoseBatch(NamedTuple):
    """Clips with a still of each: heard [N, T, D]; the still's embedding [N, E]; where points are to be, [N, T, P, 2].

    They are to be where the eyes found them in the still, and as far from there as they truly went: limbs are carried
    by how they move, and a foot that stays would be carried from where it was seen to where it is.
    later [N, T]: the ticks after the still, all of a clip together 1.
    """

    audio: Tensor
    still: Tensor
    places: Tensor
    later: Tensor


def draw_batch(pose: PoseEstimator, players: PlayerClips, generator: torch.Generator) -> PoseBatch:
    """Clips, each after a random still of it, as a pose is to say them."""
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
    """A pose, and endings that say what the body and the bow do; only the pose is shipped.

    Args:
        config: the pose's sizes, or a pose to go on from.
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
        """What is usual of bodies [N, T, P, 3]: they are asked for beside that."""
        flat = body.float().flatten(2)
        self.usual.copy_(flat.mean((0, 1)))
        self.varies.copy_(flat.std((0, 1)) + 0.02)

    def body_error(self, audio: Tensor, body: Tensor) -> Tensor:
        """The mean squared error of where the body's points are, [N, T, P, 3], in parts of how they vary."""
        wanted = (body.float().flatten(2) - self.usual) / self.varies
        error: Tensor = (self.body(audio) - wanted).square().mean()
        return error

    def bow_error(self, audio: Tensor, bow_course: Tensor) -> Tensor:
        """The mean squared error of how much of the bow, [N, T], was drawn since the first tick; latents [N, T, D]."""
        strokes, _ = self.network.strokes.step(audio, self.network.strokes.init_state(len(audio)))
        wanted = (bow_course.float() - bow_course[:, :1].float()) / REACH
        error: Tensor = (self.bow(strokes)[..., 0] - wanted).square().mean()
        return error


def _head(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, count))


class PoseTraining(NetworkTrainer[PoseWithHeads]):
    """The pose, what trains it, and where it stands.

    Args:
        recipe: how.
        model: what to train.
        played: players, the last of them held out.
        device: where; None for one process.
    """

    def __init__(
        self, recipe: PoseRecipe, model: PoseWithHeads, players: PlayerClips, device: Device | None = None
    ) -> None:
        super().__init__(recipe, model, device, salt=43)
        self.recipe = recipe
        held = max(1, len(players.audio) // HELD_PART)
        self._train, self.held = players.rows(slice(None, -held)), players.rows(slice(-held, None))
        self._bowed = self._train.bow.isfinite().all(1).nonzero()[:, 0]
        if not model.usual.any():
            model.fit_normalization(self._train.body[::7])
            self.average.tensors |= {"usual": model.usual.clone(), "varies": model.varies.clone()}

    def loss(self, rng: np.random.Generator) -> Tensor:
        """How unlikely it takes the true points of a batch to be, and what it errs about bodies and bows."""
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
        estimate = model.network.seen_from(audio, clips.still)
        unlikely = (model.network.loss(estimate, clips.places) * clips.later).sum() / self.recipe.batch
        return unlikely + model.body_error(audio, players.body.to(where))

    def test(self) -> dict[str, float]:
        """See `relative_error`: of clips that are held out, and of as many of the others."""
        pose = self.averaged().network
        taught = self._train.rows(slice(len(self.held.audio)))
        return {"missed_of_held": relative_error(pose, self.held), "missed_of_taught": relative_error(pose, taught)}


@torch.no_grad()
def relative_error(pose: PoseEstimator, players: PlayerClips) -> float:
    """The mean squared distance of what it says of clips from where points are to be, 1 for the still's own places."""
    generator, sums, where = torch.Generator().manual_seed(1), torch.zeros(2), next(pose.parameters()).device
    for some in torch.arange(len(players.audio)).split(100):
        clips = draw_batch(pose, players.rows(some), generator)
        estimate = pose(clips.audio.to(where), clips.still.to(where)).at.cpu()
        for number, at in enumerate((estimate, pose.still_points(clips.still)[:, None])):
            sums[number] += ((at - clips.places).square().sum(-1).mean(-1) * clips.later).sum()
    return float(sums[0] / sums[1])


@torch.no_grad()
def predict_points(pose: PoseEstimator, audio: Tensor, embeddings: Tensor, ticks: Tensor) -> Tensor:
    """Where it says points are at some ticks, of each of some stills.

    Args:
        pose: the pose.
        heard: [N, T, D].
        known: the stills' embeddings, [N, V, E].
        ticks: [N, K].

    Returns:
        float16 [N, V, K, P, 3], x, y and how unsure that is.
    """
    parts = []
    for some in torch.arange(len(audio)).split(100):
        body, _ = pose.listen(audio[some].float(), pose.init_state(len(some)))
        body = body[torch.arange(len(some))[:, None], ticks[some].long()]
        estimate = [pose.seen_from(body, still.float()).as_one() for still in embeddings[some].unbind(1)]
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
    """Train or go on training with a bundle's codec, latent space and visual network.

    Args:
        work: folder with `players/` and `pose/`: who was followed, the checkpoint and the curves.
        bundle: whose other networks are used.
        recipe: how; without `bowing` where there is a start.
        minutes: stop after this long, whatever the step.
        start: a trained pose to go on from where there is no checkpoint.
        device: where; None for one process.

    Returns:
        The checkpoint's path.

    Raises:
        EngineError: when the bundle lacks one of them.
        ValueError: when its visual network knows no points.
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
    sizes = given(steps=job.steps, players=job.clips)
    if job.start is not None:
        sizes["bowing"] = 0  # it knows bows already
    recipe = PoseRecipe(**sizes)
    path = train_pose(job.work, job.bundle, recipe, minutes=job.minutes, start=job.start, device=job.device)
    return TrainingResult(path)


TRAINER = Trainer(_train, shipped_prefix="network.")
