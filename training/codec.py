"""Trains the causal codec: first without its quantizer, then with it; resumes to the same loss; saves as it goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.codec import Codec, ResidualQuantizer, nearest
from streaming.clock import now_ns
from training.checkpoint import Average, load_checkpoint, load_extra, save_checkpoint
from training.corpus import RATE, build_corpus
from training.spectral import spectral_losses

CROP = RATE
USED = 0.01
"""An entry used less often than this, in vectors a step, is as good as dead."""


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
        bypass_steps: steps without the quantizer and with the waveform terms in front: a codec that starts with a
            spectral loss and quantized learns no phase (SI-SDR stayed near -45 dB).
        freeze_encoder: train the decoder only, so that tokens made with encoder and codebooks stay valid.
    """

    steps: int = 40_000
    clips: int = 2_000
    batch: int = 8
    learning_rate: float = 5e-4
    warm_up: int = 200
    decay: float = 0.25
    bypass_steps: int = 1_000
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


class QuantizerTrainer:
    """Learns the codebooks of a `ResidualQuantizer` by moving averages, and revives entries nobody uses.

    Args:
        quantizer: whose codebooks are written in place.
        decay: of the averages, per step.
    """

    def __init__(self, quantizer: ResidualQuantizer, decay: float = 0.98) -> None:
        self.quantizer = quantizer
        self.decay = decay
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
        count = torch.bincount(index, minlength=codebook.shape[0]).float()
        total = torch.zeros_like(codebook).index_add_(0, index, x)
        kept = usage * self.decay
        usage.copy_(kept + (1 - self.decay) * count)
        used = count > 0
        codebook[used] = (codebook[used] * kept[used, None] + (1 - self.decay) * total[used]) / usage[used, None]
        dead = (usage < 0.003).nonzero()[:16, 0]
        if dead.numel():
            codebook[dead] = _some(x, dead.numel())
            usage[dead] = 0.05


def _some(x: Tensor, count: int) -> Tensor:
    return x[torch.randint(x.shape[0], (count,), device=x.device)]


class CodecTraining:
    """A codec, what trains it, and where it stands.

    Every step draws its data and its chances from the step's number, so an interrupted training goes on as if it had
    not been interrupted.

    Args:
        recipe: how to train.
        codec: what to train; it is moved to `device`.
        device: "cpu" or "cuda".
    """

    def __init__(self, recipe: CodecRecipe, codec: Codec, device: str = "cpu") -> None:
        self.recipe = recipe
        self.device = torch.device(device)
        self.codec = codec.to(self.device)
        self.codec.encoder.requires_grad_(not recipe.freeze_encoder)
        self.average = Average(self.codec)
        self.optimizer = torch.optim.AdamW(
            self.codec.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.quantize = QuantizerTrainer(self.codec.quantizer)
        self.step = 0

    def save(self, path: Path) -> None:
        """Write all of it, atomically."""
        extra = {"usage": self.quantize.usage}
        save_checkpoint(path, self.step, self.codec, self.average, self.optimizer, extra)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        self.step = load_checkpoint(path, self.codec, self.average, self.optimizer)
        self.quantize.usage.copy_(load_extra(path)["usage"])

    def advance(self, corpus: NDArray[np.int16]) -> dict[str, float]:
        """One step; returns its losses."""
        recipe, codec, step = self.recipe, self.codec, self.step
        torch.manual_seed(step)
        rng = np.random.default_rng([step, 1])
        if step == recipe.bypass_steps and not recipe.freeze_encoder:
            self.quantize.start(self._collect(corpus, rng, 50))
        x = batch_of(corpus, rng, recipe.batch).to(self.device)
        latents = codec.encoder(x)
        commit = latents.new_zeros(())
        early = step < recipe.bypass_steps and not recipe.freeze_encoder
        if recipe.freeze_encoder:
            latents = codec.quantizer.decode(codec.quantizer.encode(latents))
        elif not early:
            latents, commit = self.quantize(latents)
        y = codec.decoder(latents)
        mel, phase = spectral_losses(y[:, 0], x[:, 0])
        wave = ((y - x).square().mean() / (x.square().mean() + 1e-7)).log10()
        loss = (0.25 if early else 1.0) * mel + phase + wave + 0.25 * commit
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        self.optimizer.step()
        self.average.update(codec)
        self.step += 1
        losses = {"mel": mel, "phase": phase, "wave": wave, "commit": commit}
        return {name: float(value.detach()) for name, value in losses.items()}

    @torch.no_grad()
    def _collect(self, corpus: NDArray[np.int16], rng: np.random.Generator, batches: int) -> Tensor:
        latents = [
            self.codec.encoder(batch_of(corpus, rng, self.recipe.batch).to(self.device)).transpose(1, 2).flatten(0, 1)
            for _ in range(batches)
        ]
        return torch.cat(latents)


def train_codec(work: Path, recipe: CodecRecipe, *, minutes: float, start: nn.Module | None = None) -> Path:
    """Train or go on training.

    Args:
        work: folder of the corpus, the checkpoint and the log.
        recipe: how.
        minutes: stop after this long, whatever the step.
        start: a trained codec to go on from where there is no checkpoint.

    Returns:
        The checkpoint's path.
    """
    corpus = build_corpus(work, recipe.clips)
    torch.manual_seed(0)
    codec = Codec(getattr(start, "config", None))
    if start is not None:
        codec.load_state_dict(start.state_dict())
    training = CodecTraining(recipe, codec, "cuda" if torch.cuda.is_available() else "cpu")
    path = work / "codec.safetensors"
    if path.exists():
        training.load(path)
    elif start is not None:
        training.step = recipe.bypass_steps + 1
    deadline = now_ns() + int(minutes * 60e9)
    sums: dict[str, float] = {}
    with (
        tqdm(total=recipe.steps, initial=training.step, desc="codec", mininterval=5) as bar,
        (work / "codec.jsonl").open("a") as log,
    ):
        while training.step < recipe.steps and now_ns() < deadline:
            for name, value in training.advance(corpus).items():
                sums[name] = sums.get(name, 0.0) + value
            bar.update()
            if training.step % 100 == 0:
                alive = float((training.quantize.usage > USED).float().mean())
                row = {name: round(value / 100, 4) for name, value in sums.items()}
                row |= {"step": training.step, "alive": round(alive, 3)}
                log.write(json.dumps(row) + "\n")
                log.flush()
                bar.set_postfix(row)
                sums.clear()
            if training.step % 500 == 0:
                training.save(path)
    training.save(path)
    return path
