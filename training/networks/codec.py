"""Trains the causal codec, first without its quantizer, then with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.codec.additive_codec import init_linear_paths
from models.codec.codec import Codec, ResidualQuantizer, nearest
from training.datasets.codec import SoundSources, build_corpus
from training.datasets.sounds.attributions import trained_on
from training.datasets.user_footage import sounds_of
from training.loop.checkpoint import load_extra
from training.loop.device import Device
from training.networks.decoder_training import (
    LEARNING_RATE,
    PLACE_WEIGHT,
    DecoderRecipe,
    DecoderTraining,
    run_decoder_training,
)
from training.synthesis.conventions import CLIP_S
from training.trainer_spec import CORPUS, SOUNDFONT, Trainer, TrainerOption, TrainingJob, TrainingResult, given_sizes

MIN_USAGE = 0.01
"""An entry chosen less often than this, in vectors per step, counts as dead."""


@dataclass(frozen=True)
class CodecRecipe(DecoderRecipe):
    """How a codec is trained; see `DecoderRecipe` for the rest.

    Attributes:
        bypass_steps: first steps, which are made without the quantizer.
        freeze_encoder: train the decoder only, so that existing tokens stay valid.
    """

    steps: int = 40_000
    bypass_steps: int = 250
    freeze_encoder: bool = False


class QuantizerTrainer:
    """Learns the codebooks of a `ResidualQuantizer` by moving averages, and replaces entries that nothing uses.

    Args:
        quantizer: its codebooks are written in place.
        decay: of the averages, per step.
        device: sums the statistics over all processes, so that all have the same codebooks; None for one process.
    """

    def __init__(self, quantizer: ResidualQuantizer, decay: float = 0.98, device: Device | None = None) -> None:
        self.quantizer = quantizer
        self.decay = decay
        self._sum: Callable[[Tensor], Tensor] = device.sum if device else lambda x: x
        self._same: Callable[[nn.Module], None] = device.same if device else lambda _: None
        self.usage = torch.ones(quantizer.codebooks.shape[:2], device=quantizer.codebooks.device)

    @torch.no_grad()
    def start(self, latents: Tensor, iterations: int = 12) -> None:
        """Initialize the codebooks by k-means on latents [N, D]."""
        residual = latents
        for codebook in self.quantizer.codebooks:
            size = codebook.shape[0]
            codebook.copy_(_random_rows(residual, size))
            for _ in range(iterations):
                index = nearest(residual, codebook)
                count = torch.bincount(index, minlength=size).float()
                total = torch.zeros_like(codebook).index_add_(0, index, residual)
                is_used = count > 0
                codebook[is_used] = total[is_used] / count[is_used, None]
                codebook[~is_used] = _random_rows(residual, int((~is_used).sum()))
            residual = residual - F.embedding(nearest(residual, codebook), codebook)
        self._same(self.quantizer)

    def __call__(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize latents [B, D, T] with a straight-through gradient; returns (quantized latents, commitment loss)."""
        flat = latents.transpose(1, 2).reshape(-1, latents.shape[1])
        residual, total, loss = flat, torch.zeros_like(flat), flat.new_zeros(())
        for k, codebook in enumerate(self.quantizer.codebooks):
            index = nearest(residual.detach(), codebook)
            entry = F.embedding(index, codebook)
            loss = loss + F.mse_loss(residual, entry)
            self._learn(k, residual.detach(), index)
            total = total + entry
            residual = residual - entry
        straight = flat + (total - flat).detach()
        return straight.reshape(latents.shape[0], latents.shape[2], -1).transpose(1, 2), loss

    @torch.no_grad()
    def _learn(self, k: int, x: Tensor, index: Tensor) -> None:
        """Move the chosen entries towards the vectors they stood for; replace entries whose usage has decayed."""
        codebook, usage = self.quantizer.codebooks[k], self.usage[k]
        count = self._sum(torch.bincount(index, minlength=codebook.shape[0]).float())
        total = self._sum(torch.zeros_like(codebook).index_add_(0, index, x))
        decayed_usage = usage * self.decay
        usage.copy_(decayed_usage + (1 - self.decay) * count)
        is_used = count > 0
        codebook[is_used] = (
            codebook[is_used] * decayed_usage[is_used, None] + (1 - self.decay) * total[is_used]
        ) / usage[is_used, None]
        dead = (usage < 0.003).nonzero()[:16, 0]
        if dead.numel():
            codebook[dead] = _random_rows(x, dead.numel())
            usage[dead] = 0.05
            self._same(self.quantizer)


def _random_rows(x: Tensor, count: int) -> Tensor:
    return x[torch.randint(x.shape[0], (count,), device=x.device)]


class CodecTraining(DecoderTraining[Codec]):
    """The training of a codec.

    Args:
        recipe: how to train.
        codec: the network; it is moved to the device.
        corpus: int16 [clips, samples].
        device: where to compute; None for one process on the CPU or the first GPU.
        sources: of the corpus; held-out clips are of the same, from what is kept for tests.
    """

    def __init__(
        self,
        recipe: CodecRecipe,
        codec: Codec,
        corpus: NDArray[np.int16],
        device: Device | None = None,
        sources: SoundSources | None = None,
    ) -> None:
        codec.encoder.requires_grad_(not recipe.freeze_encoder)
        super().__init__(recipe, codec, codec.decoder, corpus, device, sources)
        self.how = recipe
        self.codec = codec
        self.quantize = QuantizerTrainer(codec.quantizer, device=self.device)

    def extra(self) -> dict[str, Tensor]:
        """How often each codebook entry was used lately."""
        return {"usage": self.quantize.usage}

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        super().load(path)
        self.quantize.usage.copy_(load_extra(path)["usage"])

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        rng, frozen = self.draw(1), self.how.freeze_encoder
        if self.step == 0 and not frozen:
            self._begin(rng)
        if self.step == self.how.bypass_steps and not frozen:
            self.quantize.start(self._collect(rng, 80))
        x = self.crops(rng)
        if frozen:
            # In single precision: the decoder learns from the very tokens that it will get.
            with torch.no_grad():
                latents = self.codec.quantizer.decode(self.codec.quantizer.encode(self.codec.encoder(x)))
        else:
            with self.device.autocast():
                latents = self.codec.encoder(x).float()
        commit = latents.new_zeros(())
        if not frozen and self.step >= self.how.bypass_steps:
            latents, commit = self.quantize(latents)
        mel, place = self.judge(latents, x, int(rng.integers(1 << 11)))
        self.update(mel + 0.25 * commit + self.recipe.place_weight * place)
        alive = (self.quantize.usage > MIN_USAGE).float().mean()
        losses = {"mel": mel, "place": place, "commit": commit, "alive": alive}
        return {name: float(value.detach()) for name, value in losses.items()}

    def echo(self, network: Codec, x: Tensor) -> Tensor:
        """Sound [B, 1, n] encoded and decoded."""
        latents = network.encoder(x)
        if self.step > self.how.bypass_steps:
            latents = network.quantizer.decode(network.quantizer.encode(latents))
        sound: Tensor = network.decoder(latents)
        return sound

    @torch.no_grad()
    def _begin(self, rng: np.random.Generator) -> None:
        listening = self.codec.encoder.listening
        levels = [listening.step(x, listening.init_state(x.shape[0]))[0].flatten(0, 1) for x in self.batches(rng, 80)]
        init_linear_paths(self.codec.encoder, self.judge.decoder, torch.cat(levels))
        self.device.same(self.codec)

    @torch.no_grad()
    def _collect(self, rng: np.random.Generator, batches: int) -> Tensor:
        return torch.cat([self.codec.encoder(x).transpose(1, 2).flatten(0, 1) for x in self.batches(rng, batches)])


def train_codec(
    work: Path,
    recipe: CodecRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
    footage: Path | None = None,
    sources: SoundSources | None = None,
) -> Path:
    """Train a codec, or resume from its checkpoint.

    Args:
        work: folder of the corpus, the checkpoint and the curves.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained codec to start from when there is no checkpoint.
        device: where to compute; None for one process.
        footage: a data set whose sound is learned in place of the synthetic palette; None for the palette.
        sources: a soundfont and a corpus that are learned beside the palette; None for none.

    Returns:
        The checkpoint's path.

    Raises:
        ValueError: when a source cannot be used.
    """
    device = device or Device()
    torch.manual_seed(0)
    codec = Codec(getattr(start, "config", None))
    if start is not None:
        codec.load_state_dict(start.state_dict())
    with device.main_first():
        corpus = sounds_of(footage, CLIP_S) if footage else build_corpus(work, recipe.clips, sources=sources)
    training = CodecTraining(recipe, codec, corpus, device, sources)
    if start is not None:
        training.step = recipe.bypass_steps + 1

    return run_decoder_training(training, work, "codec", minutes)


def _train(job: TrainingJob) -> TrainingResult:
    sizes = given_sizes(steps=job.steps, clips=job.clips)
    rates = {"learning_rate": job.options.learning_rate, "place_weight": job.options.place_weight}
    sizes |= {name: value for name, value in rates.items() if value is not None}
    recipe = CodecRecipe(**sizes, freeze_encoder=bool(job.options.freeze_encoder))
    sources = SoundSources(job.options.soundfont, job.options.corpus)
    path = train_codec(
        job.work / "codec",
        recipe,
        minutes=job.minutes,
        start=job.start,
        device=job.device,
        footage=job.footage,
        sources=sources,
    )
    material = trained_on(sources.soundfont, sources.corpus)
    return TrainingResult(path, {"trained_on": material} if material else {})


TRAINER = Trainer(
    _train,
    options=(
        TrainerOption(
            "--freeze-encoder",
            {"action": "store_true", "help": "train the decoder only; tokens stay valid"},
        ),
        LEARNING_RATE,
        PLACE_WEIGHT,
        SOUNDFONT,
        CORPUS,
    ),
)
