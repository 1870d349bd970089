"""Trains networks that end in the additive decoder, with a loss on the spectrum and on which oscillators sound.

The mel distance fixes the spectral envelope, but its bands are wider than a semitone, so it hardly measures pitch:
alone it gave a codec of noise and of chords that never change. A second loss therefore pulls the decoder's oscillator
places to those that a centred window finds in the sound itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.codec.additive_codec import AdditiveDecoder
from models.codec.additive_synthesis import SynthesisLevels
from models.codec.partial_analysis import QUIET, WINDOW, ReassignedSpectrum
from streaming.conventions import SAMPLE_RATE
from training.datasets.codec import HELD_SEEDS, SoundSources, draw_crops, held_out_sounds
from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device
from training.loop.run import Curves, Plan, run
from training.measures.mel_distance import mel_distance
from training.trainer_spec import TrainerOption

LEARNING_RATE = TrainerOption("--learning-rate", {"type": float, "help": "of AdamW; default: the recipe's own"})
PLACE_WEIGHT = TrainerOption(
    "--place-weight",
    {"type": float, "help": "weight of the loss on which oscillators sound; default: the recipe's own"},
)


class DecoderLosses(NamedTuple):
    """The mel distance, and the squared place error summed over the channels; means over the batch."""

    mel: Tensor
    place: Tensor


class DecoderObjective:
    """Synthesizes from latents and compares the result with the original sound.

    Args:
        decoder: the decoder that is trained.
        device: where to compute.
    """

    def __init__(self, decoder: AdditiveDecoder, device: Device) -> None:
        self.decoder, self.device = decoder, device
        self._places = ReassignedSpectrum(torch.hann_window(WINDOW, dtype=torch.float64)).to(device.device)

    def __call__(self, latents: Tensor, x: Tensor, frame: int) -> DecoderLosses:
        """Losses of latents [B, D, T] for sound x [B, 1, 640 T]; the first frame's number seeds the noise."""
        with self.device.autocast():
            state = self.decoder.init_state(latents.shape[0], frame)
            parameters, _ = self.decoder.say(latents, state[:-3])
        # Phases need single precision.
        levels = SynthesisLevels(*(part.float() for part in parameters.levels))
        y, _ = self.decoder.synthesizer.step(levels, state[-3:])
        true, level = self.true_places(x)
        squares = (level > 1.5 * QUIET).float() * (parameters.places.float() - true).square()
        return DecoderLosses(mel_distance(y[:, 0], x[:, 0]), squares.sum(-1).mean())

    @torch.no_grad()
    def true_places(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Oscillator places and levels of a sound, each [B, 2 T, ...], centred on the end of each hop."""
        places: tuple[Tensor, Tensor] = self._places(F.pad(x[:, 0], (WINDOW // 2, WINDOW // 2)))
        return places


@dataclass(frozen=True)
class DecoderRecipe:
    """How a network that ends in the additive decoder is trained.

    Attributes:
        steps: optimizer steps in all.
        clips: size of the corpus, in clips of 8 s.
        batch: crops of one second per step.
        learning_rate: of AdamW; constant from step `warm_up` on, falling to zero over the last `decay` of the steps.
        warm_up: steps until the full rate.
        decay: share of the steps over which the rate falls.
        place_weight: weight of the place error.
    """

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


Network = TypeVar("Network", bound=nn.Module)


class DecoderTraining(ABC, Generic[Network]):
    """The training of a network that ends in the additive decoder; see `training.loop.run.Training`.

    Every step draws its data and its random numbers from the step's number, so that an interruption changes nothing.

    Args:
        recipe: how to train.
        network: the network; it is moved to the device.
        decoder: the part of it that synthesizes.
        corpus: int16 [clips, samples].
        device: where to compute; None for one process on the CPU or the first GPU.
        sources: of the corpus, besides what is synthesized.
    """

    def __init__(
        self,
        recipe: DecoderRecipe,
        network: Network,
        decoder: AdditiveDecoder,
        corpus: NDArray[np.int16],
        device: Device | None,
        sources: SoundSources | None = None,
    ) -> None:
        self.recipe, self.corpus = recipe, corpus
        self.held_out_sources = replace(sources or SoundSources(), split="test")
        self.device = device or Device()
        self.network = network.to(self.device.device)
        self.device.same(self.network)
        self.judge = DecoderObjective(decoder, self.device)
        self.average = MovingAverage(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.step = 0
        self._held: Tensor | None = None

    @abstractmethod
    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""

    @abstractmethod
    def echo(self, network: Network, x: Tensor) -> Tensor:
        """Sound [B, 1, n] encoded and decoded by a network."""

    def extra(self) -> dict[str, Tensor]:
        """Further tensors for the checkpoint."""
        return {}

    def draw(self, stream: int) -> np.random.Generator:
        """This step's random generator; `stream` separates the kinds of training."""
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        return np.random.default_rng([self.step, stream + self.device.rank])

    def crops(self, rng: np.random.Generator) -> Tensor:
        """A batch of random crops [B, 1, n]."""
        return draw_crops(self.corpus, rng, self.recipe.batch).to(self.device.device)

    def batches(self, rng: np.random.Generator, batches: int) -> Iterator[Tensor]:
        """Several batches of crops, to initialize from."""
        return (self.crops(rng) for _ in range(batches))

    def update(self, loss: Tensor) -> None:
        """Follow the gradient of a loss, and count the step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.step)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1

    def test(self) -> dict[str, float]:
        """The averaged network's mel distance on held-out clips."""
        x, y = self.reconstruct()
        return {"mel": float(mel_distance(y, x))}

    @torch.no_grad()
    def reconstruct(self) -> tuple[Tensor, Tensor]:
        """Held-out clips, and the averaged network's reconstruction of them: float32 [8, n] each."""
        if self._held is None:
            self._held = held_out_sounds(HELD_SEEDS, self.held_out_sources).to(self.device.device)
        network = deepcopy(self.network)
        network.load_state_dict(self.average.tensors)
        return self._held, self.echo(network, self._held[:, None])[:, 0]

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        save_checkpoint(path, self.step, self.network, self.average, self.optimizer, self.extra())

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.network, self.average, self.optimizer)


def run_decoder_training(training: DecoderTraining[Network], work: Path, name: str, minutes: float) -> Path:
    """Run a training with held-out sounds beside the curves; returns the checkpoint's path."""

    def listen(curves: Curves) -> None:
        for label, sounds in zip(("held-out", "held-out, given back"), training.reconstruct(), strict=True):
            curves.sound(training.step, label, sounds.flatten().cpu(), SAMPLE_RATE)

    silent = not training.device.main
    plan = Plan(training.recipe.steps, minutes, log_every=100, save_every=500, test_every=2_000, silent=silent)
    return run(training, work, name, plan, listen)
