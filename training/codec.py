"""Trains the causal codec: first without its quantizer, then with it; resumable; writes checkpoints as it goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.codec import Codec, ResidualQuantizer, nearest
from streaming.clock import now_ns
from training.checkpoint import Average, load_checkpoint, save_checkpoint
from training.corpus import RATE, build_corpus
from training.spectral import spectral_losses

BYPASS_STEPS = 1000
"""Steps without the quantizer and with the waveform terms in front: a codec that starts with a spectral loss and
quantized learns no phase (SI-SDR stayed near -45 dB)."""
CROP = RATE
BATCH = 8


def batch_of(corpus: NDArray[np.int16], rng: np.random.Generator) -> Tensor:
    """Random crops at random levels: float32 [BATCH, 1, CROP]."""
    rows = rng.integers(0, corpus.shape[0], BATCH)
    starts = rng.integers(0, corpus.shape[1] - CROP, BATCH)
    x = np.stack([corpus[r, s : s + CROP] for r, s in zip(rows, starts, strict=True)]).astype(np.float32) / 32768.0
    gain = 10.0 ** (np.where(rng.random(BATCH) < 0.5, 0.0, rng.uniform(-30, 6, BATCH)) / 20.0)
    sign = rng.choice([-1.0, 1.0], BATCH)
    return torch.from_numpy(np.clip(x * (gain * sign)[:, None], -1, 1).astype(np.float32))[:, None]


class QuantizerTrainer:
    """Learns the codebooks of a `ResidualQuantizer` by moving averages, and revives entries nobody uses.

    Args:
        quantizer: whose codebooks are written in place.
        decay: of the averages, per step.
    """

    def __init__(self, quantizer: ResidualQuantizer, decay: float = 0.98) -> None:
        self.quantizer = quantizer
        self.decay = decay
        self.usage = torch.ones(quantizer.codebooks.shape[:2])

    @torch.no_grad()
    def start(self, latents: Tensor, iterations: int = 12) -> None:
        """Place the codebooks by k-means on latents [N, D]."""
        residual = latents
        for codebook in self.quantizer.codebooks:
            size = codebook.shape[0]
            codebook.copy_(residual[torch.randint(residual.shape[0], (size,))])
            for _ in range(iterations):
                index = nearest(residual, codebook)
                count = torch.bincount(index, minlength=size).float()
                total = torch.zeros_like(codebook).index_add_(0, index, residual)
                used = count > 0
                codebook[used] = total[used] / count[used, None]
                codebook[~used] = residual[torch.randint(residual.shape[0], (int((~used).sum()),))]
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
            codebook[dead] = x[torch.randint(x.shape[0], (dead.numel(),))]
            usage[dead] = 0.05


@torch.no_grad()
def _collect(codec: Codec, corpus: NDArray[np.int16], rng: np.random.Generator, batches: int) -> Tensor:
    latents = [
        codec.encoder(batch_of(corpus, rng)).transpose(1, 2).reshape(-1, codec.config.latent_dim)
        for _ in range(batches)
    ]
    return torch.cat(latents)


def train_codec(
    work: Path,
    *,
    steps: int,
    clips: int,
    minutes: float,
    learning_rate: float,
    freeze_encoder: bool,
    start: nn.Module | None = None,
) -> Path:
    """Train or go on training.

    Args:
        work: folder of the corpus, the checkpoint and the log.
        steps: stop after this many steps in all.
        clips: size of the corpus in clips of 8 s.
        minutes: stop after this long, whatever the step.
        learning_rate: of AdamW.
        freeze_encoder: train the decoder only, so that tokens made with encoder and codebooks stay valid.
        start: a trained codec to go on from where there is no checkpoint.

    Returns:
        The checkpoint's path.
    """
    corpus = build_corpus(work, clips)
    torch.manual_seed(0)
    codec = Codec()
    if start is not None:
        codec.load_state_dict(start.state_dict())
    average = Average(codec)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    path = work / "codec.safetensors"
    first = BYPASS_STEPS + 1 if start is not None else 0
    if path.exists():
        first = load_checkpoint(path, codec, average, optimizer)
    codec.encoder.requires_grad_(not freeze_encoder)
    quantize = QuantizerTrainer(codec.quantizer)
    rng = np.random.default_rng([first, 1])
    deadline = now_ns() + int(minutes * 60e9)
    sums: dict[str, float] = {}
    with tqdm(total=steps, initial=first, desc="codec", mininterval=5) as bar, (work / "codec.jsonl").open("a") as log:
        for step in range(first, steps):
            if step == BYPASS_STEPS:
                quantize.start(_collect(codec, corpus, rng, 50))
            x = batch_of(corpus, rng)
            latents = codec.encoder(x)
            commit = latents.new_zeros(())
            if freeze_encoder:
                latents = codec.quantizer.decode(codec.quantizer.encode(latents))
            elif step >= BYPASS_STEPS:
                latents, commit = quantize(latents)
            y = codec.decoder(latents)
            mel, phase = spectral_losses(y[:, 0], x[:, 0])
            wave = ((y - x).square().mean() / (x.square().mean() + 1e-7)).log10()
            early = step < BYPASS_STEPS
            loss = (0.5 if early else 2.0) * mel + phase + wave + 0.25 * commit
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * min(1.0, (step - first + 1) / 100)
            optimizer.step()
            average.update(codec)
            for name, value in (("mel", mel), ("phase", phase), ("wave", wave), ("commit", commit)):
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            bar.update()
            if (step + 1) % 100 == 0:
                alive = float((quantize.usage > 0.01).float().mean())
                row = {k: round(v / 100, 4) for k, v in sums.items()} | {"step": step + 1, "alive": round(alive, 3)}
                log.write(json.dumps(row) + "\n")
                log.flush()
                bar.set_postfix(row)
                sums.clear()
            if (step + 1) % 500 == 0 or now_ns() > deadline:
                save_checkpoint(path, step + 1, codec, average, optimizer)
                if now_ns() > deadline:
                    break
    save_checkpoint(path, step + 1, codec, average, optimizer)
    return path
