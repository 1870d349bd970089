"""Trains the vocoder of the mel representation: spectrograms of the palette to its sound; resumes to the same loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.analysis import scaled_log
from models.mel import Vocoder, begin
from training.checkpoint import Average, load_checkpoint, save_checkpoint
from training.codec import HELD_SEEDS, batch_of, held_sounds
from training.corpus import RATE, build_corpus
from training.device import Device
from training.run import Curves, Plan, run
from training.speaking import Judge
from training.spectral import mel_distance


@dataclass(frozen=True)
class VocoderRecipe:
    """How a vocoder is trained; see `training.codec.CodecRecipe`."""

    steps: int = 20_000
    clips: int = 2_000
    batch: int = 8
    learning_rate: float = 1e-3
    warm_up: int = 200
    decay: float = 0.3
    place_weight: float = 0.15

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up, max(left, 0.01))


class VocoderTraining:
    """A vocoder, what trains it, and where it stands; see `training.run.Training`.

    Args:
        recipe: how to train.
        vocoder: what to train; it is moved to the device.
        corpus: int16 [clips, samples].
        device: where; None for one process on the CPU or the first GPU.
    """

    def __init__(
        self, recipe: VocoderRecipe, vocoder: Vocoder, corpus: NDArray[np.int16], device: Device | None = None
    ) -> None:
        self.recipe, self.corpus = recipe, corpus
        self.device = device or Device()
        self.vocoder = vocoder.to(self.device.device)
        self.device.same(self.vocoder)
        self.judge = Judge(self.vocoder.decoder, self.device)
        self.average = Average(self.vocoder)
        self.optimizer = torch.optim.AdamW(
            self.vocoder.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.step = 0
        self._held: Tensor | None = None

    def advance(self) -> dict[str, float]:
        """One step; returns its losses."""
        recipe, step = self.recipe, self.step
        torch.manual_seed(step + 1_000_003 * self.device.rank)
        rng = np.random.default_rng([step, 31 + self.device.rank])
        if step == 0:
            self._begin(rng)
        x = batch_of(self.corpus, rng, recipe.batch).to(self.device.device)
        with torch.no_grad():
            frames = self.vocoder.encode(x)
        mel, place = self.judge(frames, x, int(rng.integers(1 << 11)))
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(mel + recipe.place_weight * place, self.vocoder.parameters())
        torch.nn.utils.clip_grad_norm_(self.vocoder.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        self.optimizer.step()
        self.average.update(self.vocoder)
        self.step += 1
        return {"mel": float(mel.detach()), "place": float(place.detach())}

    def test(self) -> dict[str, float]:
        """The averaged vocoder's mel distance on held-out clips."""
        x, y = self.hear()
        return {"mel": float(mel_distance(y, x))}

    @torch.no_grad()
    def hear(self) -> tuple[Tensor, Tensor]:
        """Held-out clips and what the averaged vocoder makes of their spectrograms: float32 [8, n] twice."""
        if self._held is None:
            self._held = held_sounds(HELD_SEEDS).to(self.device.device)
        vocoder = Vocoder(self.vocoder.config).to(self.device.device)
        vocoder.load_state_dict(self.average.tensors)
        return self._held, vocoder.decode(vocoder.encode(self._held[:, None]))[:, 0]

    def save(self, path: Path) -> None:
        """Write all of it, atomically."""
        save_checkpoint(path, self.step, self.vocoder, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        self.step = load_checkpoint(path, self.vocoder, self.average, self.optimizer)

    @torch.no_grad()
    def _begin(self, rng: np.random.Generator) -> None:
        frames, spoken = [], []
        for _ in range(60):
            x = batch_of(self.corpus, rng, self.recipe.batch).to(self.device.device)
            places, level = self.judge.true_places(x)
            frames.append(self.vocoder.encode(x).transpose(1, 2).flatten(0, 1))
            # The second of a frame's two hops: there all of the frame has been heard.
            spoken.append(torch.cat([places, scaled_log(level)], -1)[:, 1::2].flatten(0, 1))
        begin(self.vocoder, torch.cat(frames), torch.cat(spoken))
        self.device.same(self.vocoder)


def train_vocoder(
    work: Path, recipe: VocoderRecipe, *, minutes: float, start: nn.Module | None = None, device: Device | None = None
) -> Path:
    """Train or go on training.

    Args:
        work: folder of the corpus, the checkpoint and the curves.
        recipe: how.
        minutes: stop after this long, whatever the step.
        start: a trained vocoder to go on from where there is no checkpoint.
        device: where; None for one process.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    torch.manual_seed(0)
    vocoder = Vocoder(getattr(start, "config", None))
    if start is not None:
        vocoder.load_state_dict(start.state_dict())
    with device.main_first():
        corpus = build_corpus(work, recipe.clips)
    training = VocoderTraining(recipe, vocoder, corpus, device)
    if start is not None:
        training.step = 1

    def listen(curves: Curves) -> None:
        for name, sounds in zip(("held-out", "held-out, from its spectrogram"), training.hear(), strict=True):
            curves.sound(training.step, name, sounds.flatten().cpu(), RATE)

    plan = Plan(recipe.steps, minutes, log_every=100, save_every=500, test_every=2_000, silent=not device.main)
    return run(training, work, "vocoder", plan, listen)
