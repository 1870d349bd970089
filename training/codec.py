"""Trains the causal codec: first without its quantizer, then with it; resumes to the same loss; saves as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.codec import Codec, ResidualQuantizer, nearest
from models.partials import PartialsDecoder, PartialsEncoder, begin
from training.checkpoint import Average, load_checkpoint, load_extra, save_checkpoint
from training.corpus import CLIP_S, RATE, TEST_SEED, build_corpus, render_clip
from training.device import Device
from training.own import sounds_of
from training.run import Curves, Plan, run
from training.speaking import Judge
from training.spectral import mel_distance

CROP = RATE
USED = 0.01
"""An entry used less often than this, in vectors a step, is as good as dead."""
HELD_SEEDS = range(TEST_SEED + 100_000, TEST_SEED + 100_008)
"""Clips that the curves are drawn from; the evaluation has others."""
HELD_S = 3


@dataclass(frozen=True)
class CodecRecipe:
    """How a codec is trained.

    Attributes:
        steps: in all.
        clips: size of the corpus in clips of 8 s.
        batch: crops of one second in a step.
        learning_rate: of AdamW, held from step `warm_up` on and brought to nothing over the last `decay` of the steps.
        warm_up: steps until the full rate.
        decay: part of the steps over which the rate falls at the end.
        bypass_steps: steps without the quantizer.
        place_weight: of the squared error of the places, summed over the channels.
        freeze_encoder: train the decoder only, so that tokens made with encoder and codebooks stay valid.
    """

    steps: int = 40_000
    clips: int = 2_000
    batch: int = 8
    learning_rate: float = 1e-3
    warm_up: int = 200
    decay: float = 0.3
    bypass_steps: int = 250
    place_weight: float = 0.15
    freeze_encoder: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up, max(left, 0.01))


def batch_of(corpus: NDArray[np.int16], rng: np.random.Generator, size: int) -> Tensor:
    """Random crops at random levels, a fifth of them two at once: float32 [size, 1, CROP] in -1..1."""

    def crops() -> NDArray[np.float32]:
        rows = rng.integers(0, corpus.shape[0], size)
        starts = rng.integers(0, corpus.shape[1] - CROP, size)
        taken = np.stack([corpus[r, s : s + CROP] for r, s in zip(rows, starts, strict=True)])
        return np.asarray(taken / 32768, dtype=np.float32)

    second = np.where(rng.random(size) < 0.2, rng.uniform(0.1, 1.0, size), 0.0)
    x = crops() + crops() * second[:, None]
    gain = 10.0 ** (np.where(rng.random(size) < 0.5, 0.0, rng.uniform(-24, 6, size)) / 20.0)
    gain = gain * rng.choice([-1.0, 1.0], size) / np.maximum(1.0, np.abs(x).max(1))
    return torch.from_numpy(np.clip(x * gain[:, None], -1, 1).astype(np.float32))[:, None]


def held_sounds(seeds: range) -> Tensor:
    """The beginnings of clips that are not trained on: float32 [clips, HELD_S * RATE]."""
    clips = np.stack([render_clip(seed)[: HELD_S * RATE] for seed in seeds])
    return torch.from_numpy(clips.astype(np.float32) / 32768)


class QuantizerTrainer:
    """Learns the codebooks of a `ResidualQuantizer` by moving averages, and revives entries nobody uses.

    Args:
        quantizer: whose codebooks are written in place.
        decay: of the averages, per step.
        device: adds up what several processes found, so that all have the same codebooks; None for a process alone.
    """

    def __init__(self, quantizer: ResidualQuantizer, decay: float = 0.98, device: Device | None = None) -> None:
        self.quantizer = quantizer
        self.decay = decay
        self._sum: Callable[[Tensor], Tensor] = device.sum if device else lambda x: x
        self._same: Callable[[nn.Module], None] = device.same if device else lambda _: None
        self.usage = torch.ones(quantizer.codebooks.shape[:2], device=quantizer.codebooks.device)

    @torch.no_grad()
    def start(self, latents: Tensor, iterations: int = 12) -> None:
        """Place the codebooks by k-means on latents [N, D]."""
        residual = latents
        for codebook in self.quantizer.codebooks:
            size = codebook.shape[0]
            codebook.copy_(_some(residual, size))
            for _ in range(iterations):
                index = nearest(residual, codebook)
                count = torch.bincount(index, minlength=size).float()
                total = torch.zeros_like(codebook).index_add_(0, index, residual)
                used = count > 0
                codebook[used] = total[used] / count[used, None]
                codebook[~used] = _some(residual, int((~used).sum()))
            residual = residual - F.embedding(nearest(residual, codebook), codebook)
        self._same(self.quantizer)

    def __call__(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize latents [B, D, T] with a straight-through gradient; returns (quantized, commitment loss)."""
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
        """Move the used entries towards what they stood for; replace an entry whose usage faded away."""
        codebook, usage = self.quantizer.codebooks[k], self.usage[k]
        count = self._sum(torch.bincount(index, minlength=codebook.shape[0]).float())
        total = self._sum(torch.zeros_like(codebook).index_add_(0, index, x))
        kept = usage * self.decay
        usage.copy_(kept + (1 - self.decay) * count)
        used = count > 0
        codebook[used] = (codebook[used] * kept[used, None] + (1 - self.decay) * total[used]) / usage[used, None]
        dead = (usage < 0.003).nonzero()[:16, 0]
        if dead.numel():
            codebook[dead] = _some(x, dead.numel())
            usage[dead] = 0.05
            self._same(self.quantizer)


def _some(x: Tensor, count: int) -> Tensor:
    return x[torch.randint(x.shape[0], (count,), device=x.device)]


def sides_of(codec: Codec) -> tuple[PartialsEncoder, PartialsDecoder]:
    """Encoder and decoder of a codec that can be trained.

    Raises:
        ValueError: for one of the first bundles' codecs.
    """
    if not (isinstance(codec.encoder, PartialsEncoder) and isinstance(codec.decoder, PartialsDecoder)):
        raise ValueError("--from: a codec of the first bundles is not trained further; begin a new one without --from")
    return codec.encoder, codec.decoder


class CodecTraining:
    """A codec, what trains it, and where it stands.

    Every step draws its data and its chances from the step's number, so an interrupted training goes on as if it had
    not been interrupted.

    Args:
        recipe: how to train.
        codec: what to train; it is moved to the device.
        corpus: int16 [clips, samples].
        device: where; None for one process on the CPU or the first GPU.
    """

    def __init__(
        self, recipe: CodecRecipe, codec: Codec, corpus: NDArray[np.int16], device: Device | None = None
    ) -> None:
        self.encoder, self.decoder = sides_of(codec)
        self.recipe = recipe
        self.corpus = corpus
        self.device = device or Device()
        self.codec = codec.to(self.device.device)
        self.judge = Judge(self.decoder, self.device)
        self.device.same(self.codec)
        self.codec.encoder.requires_grad_(not recipe.freeze_encoder)
        self.average = Average(self.codec)
        self.optimizer = torch.optim.AdamW(
            self.codec.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.quantize = QuantizerTrainer(self.codec.quantizer, device=self.device)
        self.step = 0
        self._held: Tensor | None = None

    def save(self, path: Path) -> None:
        """Write all of it, atomically."""
        extra = {"usage": self.quantize.usage}
        save_checkpoint(path, self.step, self.codec, self.average, self.optimizer, extra)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        self.step = load_checkpoint(path, self.codec, self.average, self.optimizer)
        self.quantize.usage.copy_(load_extra(path)["usage"])

    def advance(self) -> dict[str, float]:
        """One step; returns its losses."""
        recipe, codec, step = self.recipe, self.codec, self.step
        torch.manual_seed(step + 1_000_003 * self.device.rank)
        rng = np.random.default_rng([step, 1 + self.device.rank])
        early = step < recipe.bypass_steps and not recipe.freeze_encoder
        if step == 0 and not recipe.freeze_encoder:
            self._begin(rng)
        if step == recipe.bypass_steps and not recipe.freeze_encoder:
            self.quantize.start(self._collect(rng, 80))
        x = batch_of(self.corpus, rng, recipe.batch).to(self.device.device)
        with self.device.autocast():
            latents = codec.encoder(x).float()
        commit = latents.new_zeros(())
        if recipe.freeze_encoder:
            latents = codec.quantizer.decode(codec.quantizer.encode(latents))
        elif not early:
            latents, commit = self.quantize(latents)
        mel, place = self.judge(latents, x, int(rng.integers(1 << 11)))
        loss = mel + 0.25 * commit + recipe.place_weight * place
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, codec.parameters())
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        self.optimizer.step()
        self.average.update(codec)
        self.step += 1
        alive = (self.quantize.usage > USED).float().mean()
        losses = {"mel": mel, "place": place, "commit": commit, "alive": alive}
        return {name: float(value.detach()) for name, value in losses.items()}

    def test(self) -> dict[str, float]:
        """The averaged codec's mel distance on held-out clips."""
        x, y = self.hear()
        return {"mel": float(mel_distance(y, x))}

    @torch.no_grad()
    def hear(self) -> tuple[Tensor, Tensor]:
        """Held-out clips and what the averaged codec makes of them: float32 [8, n] twice."""
        if self._held is None:
            self._held = held_sounds(HELD_SEEDS).to(self.device.device)
        codec = Codec(self.codec.config).to(self.device.device)
        codec.load_state_dict(self.average.tensors)
        latents = codec.encoder(self._held[:, None])
        if self.step > self.recipe.bypass_steps:
            latents = codec.quantizer.decode(codec.quantizer.encode(latents))
        return self._held, codec.decoder(latents)[:, 0]

    @torch.no_grad()
    def _begin(self, rng: np.random.Generator) -> None:
        listening = self.encoder.listening
        crops = [batch_of(self.corpus, rng, self.recipe.batch).to(self.device.device) for _ in range(80)]
        heard = [listening.step(x, listening.init_state(x.shape[0]))[0].flatten(0, 1) for x in crops]
        begin(self.encoder, self.decoder, torch.cat(heard))
        self.device.same(self.codec)

    @torch.no_grad()
    def _collect(self, rng: np.random.Generator, batches: int) -> Tensor:
        crops = [batch_of(self.corpus, rng, self.recipe.batch) for _ in range(batches)]
        return torch.cat([self.codec.encoder(x.to(self.device.device)).transpose(1, 2).flatten(0, 1) for x in crops])


def train_codec(
    work: Path,
    recipe: CodecRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
    footage: Path | None = None,
) -> Path:
    """Train or go on training.

    Args:
        work: folder of the corpus, the checkpoint and the curves.
        recipe: how.
        minutes: stop after this long, whatever the step.
        start: a trained codec to go on from where there is no checkpoint.
        device: where; None for one process.
        footage: a data set whose sound is learned in place of the palette; None for the palette.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    torch.manual_seed(0)
    codec = Codec(getattr(start, "config", None))
    sides_of(codec)
    if start is not None:
        codec.load_state_dict(start.state_dict())
    with device.main_first():
        corpus = sounds_of(footage, CLIP_S) if footage else build_corpus(work, recipe.clips)
    training = CodecTraining(recipe, codec, corpus, device)
    if start is not None:
        training.step = recipe.bypass_steps + 1

    def listen(curves: Curves) -> None:
        for name, sounds in zip(("held-out", "held-out, coded"), training.hear(), strict=True):
            curves.sound(training.step, name, sounds.flatten().cpu(), RATE)

    plan = Plan(recipe.steps, minutes, log_every=100, save_every=500, test_every=2_000, silent=not device.main)
    return run(training, work, "codec", plan, listen)
