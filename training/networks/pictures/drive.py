"""Trains the drive: from sound and the descriptions of modes to forces, judged by where they bring the springs.

The springs are part of the computation, so a force counts by the motion that it leads to; where the true forces are
known they are compared too. The spread of the pushes is fitted to what remains of the springs' motion.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.pictures.drive import Drive, DriveConfig, Forces
from models.translation.latent import Latent
from streaming.scenes.layered_scene import SceneMode
from streaming.scenes.mode_descriptions import MODE_FEATURES, describe_modes
from training.bundling import load_network
from training.datasets.driven_scenes import DrivenClip, load_clips, spring_constants, swing
from training.datasets.sounds.attributions import trained_on
from training.loop.device import Device
from training.loop.run import Plan, run
from training.loop.trainer import NetworkTrainer
from training.synthesis.force_law import draw_modes, forces_of
from training.trainer_spec import CORPUS, SOUNDFONT, Trainer, TrainingJob, TrainingResult, given_sizes

HELD_PART = 25
"""One clip in this many, the last ones, is held out for the curves."""
FORCE_WEIGHTS = (0.2, 0.5, 20.0)
"""Weights of the errors of push, kick and bow beside that of the motion, where the true forces are known."""
LEAST_SPREAD = 0.02
INPUT_DROPOUT = 0.1
"""Share of clips that are heard without their latents, so that bands and attacks alone move something too."""


@dataclass(frozen=True)
class DriveRecipe:
    """How the drive is trained.

    Attributes:
        steps: optimizer steps in all.
        clips: number of clips.
        batch: clips per step, all ticks of each.
        modes: modes per clip.
        learning_rate: of AdamW; it rises for 150 steps and falls linearly to a fiftieth.
    """

    steps: int = 6_000
    clips: int = 1_600
    batch: int = 16
    modes: int = 10
    learning_rate: float = 1.5e-3

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 150) * max(0.02, 1.0 - step / self.steps)


class DriveBatch(NamedTuple):
    """Clips: latent [B, T, D], bands [B, T, 2, F], modes [B, M, features], hz and damping [B, M].

    true_x, true_v: amplitude and velocity per radian [B, T, M]; forces [B, T, 3, M]: push, kick, bow; known [B, M]: 1
    where the forces are known, 0 where only the motion is.
    """

    latent: Tensor
    bands: Tensor
    modes: Tensor
    hz: Tensor
    damping: Tensor
    true_x: Tensor
    true_v: Tensor
    forces: Tensor
    known: Tensor


def true_motion(
    clip: DrivenClip, modes: list[SceneMode]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """How modes move to a clip by the law: amplitudes and velocities [T, M], and the forces [T, 3, M]."""
    forces = np.stack(forces_of(clip.parts(), modes, len(clip.latent)), 1)
    springs = spring_constants(*(torch.tensor([getattr(m, name) for m in modes]) for name in ("hz", "damping")))
    push, kick, bow = torch.from_numpy(forces)[None].unbind(2)
    x, v = swing(push, kick, bow, springs)
    return x[0].numpy(), v[0].numpy(), forces


def draw_batch(clips: list[DrivenClip], rng: np.random.Generator, modes: int) -> DriveBatch:
    """Clips with modes of their own: a performer's, as far as there is one, and drawn ones."""
    rows: list[list[NDArray[np.float32]]] = []
    for clip in clips:
        players = list(clip.players_modes())[:modes]
        drawn = draw_modes(rng, modes - len(players))
        every = [*players, *drawn]
        x, v, forces = true_motion(clip, every)
        count = len(players)
        if count:
            x[:, :count] = clip.course[:, :count]
            speed = np.gradient(clip.course[:, :count], 0.04, axis=0)
            v[:, :count] = speed / (2.0 * np.pi * np.array([mode.hz for mode in players]))
        latent = clip.latent.astype(np.float32) * np.float32(rng.random() >= INPUT_DROPOUT)
        known = np.array([float(number >= count) for number in range(modes)], np.float32)
        numbers = [np.array([getattr(m, name) for m in every], np.float32) for name in ("hz", "damping")]
        rows.append(
            [latent, clip.bands.astype(np.float32), describe_modes(every)[:modes], *numbers, x, v, forces, known]
        )
    columns = [torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)]
    return DriveBatch(*columns)


class DriveTraining(NetworkTrainer[Drive]):
    """The training of a drive.

    Args:
        recipe: how to train.
        model: the network.
        clips: the last of them are held out.
        device: where to compute; None for one process.
    """

    def __init__(
        self, recipe: DriveRecipe, model: Drive, clips: list[DrivenClip], device: Device | None = None
    ) -> None:
        super().__init__(recipe, model, device, salt=47)
        self.recipe = recipe
        held = max(1, len(clips) // HELD_PART)
        self._train, self.held = clips[:-held], clips[-held:]

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Error of the springs' motion, of the forces, and the spread's negative log-likelihood."""
        chosen = [self._train[int(row)] for row in rng.integers(0, len(self._train), self.recipe.batch)]
        batch = DriveBatch(*(x.to(self.device.device) for x in draw_batch(chosen, rng, self.recipe.modes)))
        return drive_loss(self.model, batch)

    def test(self) -> dict[str, float]:
        """Share of the springs' motion that is explained: on held-out clips, with another clip's sound, on taught."""
        model = self.averaged_model()
        taught = self._train[: len(self.held)]
        return {
            "explained_held": explained(model, self.held),
            "explained_other_sound": explained(model, self.held, other_sound=True),
            "explained_taught": explained(model, taught),
        }


def moved(forces: Forces, batch: DriveBatch) -> tuple[Tensor, Tensor]:
    """Amplitudes and velocities per radian [B, T, M] to which the mean forces bring the springs."""
    springs = spring_constants(batch.hz, batch.damping)
    return swing(forces.push, forces.kick, forces.bow, springs)


def drive_loss(model: Drive, batch: DriveBatch) -> Tensor:
    """See `DriveTraining.loss`."""
    forces = model(batch.latent, batch.bands, batch.modes)
    x, v = moved(forces, batch)
    motion = (x - batch.true_x).square() + 0.5 * (v - batch.true_v).square()
    pairs = zip(FORCE_WEIGHTS, forces[:3], batch.forces.unbind(2), strict=True)
    apart = sum(weight * (got - true).square() for weight, got, true in pairs)
    spread = forces.spread + LEAST_SPREAD
    unlikely = (x.detach() - batch.true_x).square() / (2.0 * spread.square()) + spread.log()
    total: Tensor = (motion + batch.known[:, None] * apart).mean() + 0.02 * unlikely.clamp(max=10.0).mean()
    return total


@torch.no_grad()
def explained(model: Drive, clips: list[DrivenClip], *, other_sound: bool = False) -> float:
    """1 less the squared error of the springs' motion over the squared motion; as a control, with another sound."""
    rng, error, power = np.random.default_rng(3), 0.0, 0.0
    where = next(model.parameters()).device
    for first in range(0, len(clips), 16):
        batch = draw_batch(clips[first : first + 16], rng, 10)
        batch = DriveBatch(*(x.to(where) for x in batch))
        latent, bands = batch.latent, batch.bands
        if other_sound:
            latent, bands = latent.roll(1, 0), bands.roll(1, 0)
        x, _ = moved(model(latent, bands, batch.modes), batch)
        error += float((x - batch.true_x).square().sum())
        power += float(batch.true_x.square().sum())
    return 1.0 - error / max(power, 1e-9)


def _train(job: TrainingJob) -> TrainingResult:
    recipe = DriveRecipe(**given_sizes(steps=job.steps, clips=job.clips))
    torch.manual_seed(0)
    latent = load_network(job.bundle, "latent")
    if not isinstance(latent, Latent):
        raise ValueError(f"{job.bundle}: its latent space is of another class")
    folder: Path = job.work / "drive"
    with job.device.main_first():
        clips = load_clips(
            folder / "clips",
            recipe.clips,
            job.bundle,
            corpus=job.options.corpus,
            soundfont=job.options.soundfont,
        )
    start: nn.Module | None = job.start
    model = (
        start if isinstance(start, Drive) else Drive(DriveConfig(latent_dim=latent.config.dim, features=MODE_FEATURES))
    )
    training = DriveTraining(recipe, model, clips, job.device)
    plan = Plan(recipe.steps, job.minutes, test_every=250, silent=not job.device.main)
    material = trained_on(job.options.soundfont, job.options.corpus)
    return TrainingResult(run(training, folder, "drive", plan), {"trained_on": material} if material else {})


TRAINER = Trainer(_train, options=(SOUNDFONT, CORPUS))
