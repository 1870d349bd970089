"""Trains the audio side of a latent space for another representation of sound, to give another bundle's latents.

So a bundle of spectrograms shares the latent space of one of tokens: the video side is taken over, and networks that
hear by the latents, like the drive, work with both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.codec.mel import Vocoder
from models.translation.latent import Latent
from training.bundling import load_network, load_sound_network
from training.datasets.codec import SoundSources
from training.datasets.gestures.scored_music import load_music
from training.datasets.translator import load_examples, to_network_dtype
from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device
from training.loop.run import Plan, run

HELD_PART = 50
"""One clip in this many is held out for the test curves."""


@dataclass(frozen=True)
class ImitationRecipe:
    """How an audio side is trained.

    Attributes:
        steps: optimizer steps in all.
        clips: recorded performances.
        music: clips of music.
        batch: clips per step, whole ones of 200 ticks.
        learning_rate: of AdamW; it rises for 200 steps, then falls linearly.
    """

    steps: int = 4_000
    clips: int = 1_600
    music: int = 0
    batch: int = 12
    learning_rate: float = 2e-3

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / self.steps)


class LatentImitation:
    """The training of an audio side; see `training.loop.run.Training`.

    Args:
        recipe: how to train.
        model: the latent space; of it only the audio side is trained.
        frames: log-mel float16 [N, T, D, 2].
        latents: the other bundle's latents of the same sounds, float16 [N, T, dim].
        device: where to compute; None for one process.
    """

    def __init__(
        self, recipe: ImitationRecipe, model: Latent, frames: Tensor, latents: Tensor, device: Device | None = None
    ) -> None:
        self.recipe = recipe
        self.device = device or Device()
        self.model = model.to(self.device.device)
        model.requires_grad_(False)
        model.audio.requires_grad_(True)
        self.device.same(self.model)
        self.average = MovingAverage(self.model, 0.998)
        self.optimizer = torch.optim.AdamW(model.audio.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02)
        # Every so-manyth clip: the last ones alone would be music.
        held = torch.arange(len(frames)) % HELD_PART == HELD_PART - 1 if len(frames) >= HELD_PART else None
        self._train = (frames, latents) if held is None else (frames[~held], latents[~held])
        self._test = (frames, latents) if held is None else (frames[held], latents[held])
        self.step = 0

    def _loss(self, model: Latent, part: tuple[Tensor, Tensor], rows: Tensor) -> Tensor:
        where = self.device.device
        with self.device.autocast():
            own = model.audio(model.sound_of(part[0][rows].float().to(where)))
        return F.mse_loss(own.float(), part[1][rows].float().to(where))

    def advance(self) -> dict[str, float]:
        """Make one step; returns its loss, 1 for a latent of zeros."""
        rng = np.random.default_rng([self.step, 51 + self.device.rank])
        count = len(self._train[0])
        rows = torch.from_numpy(rng.choice(count, min(self.recipe.batch, count), replace=False))
        loss = self._loss(self.model.train(), self._train, rows)
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, self.model.audio.parameters())
        nn.utils.clip_grad_norm_(self.model.audio.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.step)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return {"error": float(loss.detach())}

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """The averaged model's error on held-out clips."""
        model = Latent(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        return {"error": float(self._loss(model.eval(), self._test, torch.arange(len(self._test[0]))))}

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)


@torch.no_grad()
def latents_of(teacher: Latent, codes: Tensor, chunk: int = 32) -> Tensor:
    """A teacher's audio latents of clips: codes [N, T, K, 2] -> float16 [N, T, dim]."""
    parts = codes.split(chunk)
    return torch.cat([teacher.audio(teacher.sound_of(to_network_dtype(part))).half() for part in parts])


def train_imitation(
    work: Path,
    recordings: Path,
    bundle: Path,
    teacher_bundle: Path,
    recipe: ImitationRecipe,
    *,
    minutes: float,
    device: Device | None = None,
    sources: SoundSources | None = None,
) -> Path:
    """Train the audio side of a bundle of spectrograms, or resume from its checkpoint.

    Args:
        work: folder of the checkpoint and the curves.
        recordings: folder of the recorded performances.
        bundle: the bundle whose vocoder gives the spectrograms.
        teacher_bundle: whose latent space is taken over.
        recipe: how to train.
        minutes: time limit of this run.
        device: where to compute; None for one process.
        sources: a soundfont and a corpus for the sounds; None for synthesized instruments.

    Returns:
        The checkpoint's path.

    Raises:
        ValueError: for a bundle that has no vocoder.
    """
    device = device or Device()
    sounding, teacher = load_sound_network(bundle), load_network(teacher_bundle, "latent")
    if not isinstance(teacher, Latent):
        raise TypeError("the teacher's latent space is of another class")
    if not isinstance(sounding, Vocoder):
        raise ValueError(f"{bundle}: --like is for a bundle of spectrograms, and this one has no vocoder")
    torch.manual_seed(0)
    model = begin_like(teacher, sounding)
    pairs = []
    with device.main_first():
        for one in (bundle, teacher_bundle):
            codes = [load_examples(recordings, recipe.clips, one, sources=sources).codes[:, 0]]
            if recipe.music:
                given = sources or SoundSources()
                place = recordings / "music"
                music = load_music(place, recipe.music, one, corpus=given.corpus, soundfont=given.soundfont)
                codes.append(music.codes)
            pairs.append(torch.cat(codes))
    training = LatentImitation(recipe, model, pairs[0], latents_of(teacher, pairs[1]), device)
    return run(
        training, work, "latent", Plan(recipe.steps, minutes, test_every=500, save_every=500, silent=not device.main)
    )


def begin_like(teacher: Latent, vocoder: Vocoder) -> Latent:
    """A latent space for spectrograms with all of the teacher's weights but those of its audio side."""
    model = Latent(replace(teacher.config, mel_dim=vocoder.config.dim))
    tensors = {name: value for name, value in teacher.state_dict().items() if not name.startswith("audio.enter")}
    model.load_state_dict(model.state_dict() | {n: v for n, v in tensors.items() if n != "codebooks"})
    return model
