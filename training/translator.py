"""Trains the translator on performances: codes from what is seen, with a history that cannot drown the video."""

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

from models.codec import Codec
from models.translator import Seen, Translator
from streaming.clock import now_ns
from streaming.messages import TICKS_PER_SECOND
from training.bundling import load_network
from training.checkpoint import Average, load_checkpoint, save_checkpoint
from training.performances import Clip, build_dataset
from training.spectral import mel_bank

BATCH = 16
LENGTH = 128
"""Ticks of a training sequence: more than two windows."""
DEPTH_SHARE = 0.35
"""Share of the ticks whose codes are learned in one step: the depth transformer costs more than the backbone."""
AHEAD = 3
"""Anticipation is drawn from 0..AHEAD ticks of 40 ms."""


@dataclass
class Examples:
    """All clips as tensors: flow, speed, embedding, age [N, T, ...]; codes [N, T, K, 2]; mel [N, T, 2 * bands]."""

    flow: Tensor
    speed: Tensor
    embedding: Tensor
    age: Tensor
    codes: Tensor
    mel: Tensor


def mel_frames(sound: Tensor, bands: int) -> Tensor:
    """log10 mel magnitude of every token frame: sound [N, 640 F] -> [N, F, bands], about -2 (silent) to 2."""
    frames = sound.unfold(1, 640, 640) * torch.hann_window(640)
    magnitude = torch.fft.rfft(frames, 1024).abs()
    mel: Tensor = (magnitude @ mel_bank(1024, bands, 32_000).T).clamp_min(1e-2).log10()
    return mel


@torch.no_grad()
def encode(clips: list[Clip], codec: Codec, bands: int) -> Examples:
    """Tokenize the clips' sound with the bundle's codec and stack everything."""
    codes, mels = [], []
    for first in range(0, len(clips), 10):
        sound = torch.from_numpy(np.stack([clip.sound for clip in clips[first : first + 10]]))
        tokens = codec.encode(sound[:, None])
        codes.append(tokens.unflatten(2, (-1, 2)).transpose(1, 2))
        mels.append(mel_frames(sound, bands).unflatten(1, (-1, 2)).flatten(2))
    return Examples(
        torch.from_numpy(np.stack([clip.flow for clip in clips])),
        torch.from_numpy(np.stack([clip.speed for clip in clips])),
        torch.from_numpy(np.stack([clip.embedding for clip in clips])),
        torch.from_numpy(np.stack([clip.age_s for clip in clips])),
        torch.cat(codes),
        torch.cat(mels),
    )


def _known(rng: np.random.Generator, batch: int, length: int) -> NDArray[np.float32]:
    """Where the history is shown: for a third of the rows never, for a third in spells, for a third always."""
    known = np.ones((batch, length), np.float32)
    for row in known:
        mode = rng.random()
        if mode < 0.35:
            row[:] = 0
        elif mode < 0.7:
            hidden = np.repeat(rng.random(length // 8 + 1) < 0.5, 8)[:length]
            row[hidden] = 0
    return known


def draw_batch(data: Examples, rng: np.random.Generator) -> tuple[Tensor, Tensor, Seen, Tensor, Tensor]:
    """A batch: (previous codes, where they are known, what is seen, target codes, target mel)."""
    count, total = data.age.shape
    rows = torch.from_numpy(rng.integers(0, count, BATCH))
    ahead = torch.from_numpy(rng.choice([0, 0, 0, 1, 2, AHEAD], BATCH))
    start = torch.from_numpy(rng.integers(0, total - LENGTH - AHEAD, BATCH))
    ticks = start[:, None] + torch.arange(LENGTH)
    at = (rows[:, None], ticks)
    sounding = (rows[:, None], ticks + ahead[:, None])
    before = (rows[:, None], (ticks + ahead[:, None] - 1).clamp_min(0))
    previous = data.codes[before].clone()
    wrong = torch.from_numpy(rng.random((BATCH, LENGTH)) < 0.08)
    donor = torch.from_numpy(rng.integers(0, count, int(wrong.sum())))
    previous[wrong] = data.codes[donor, torch.from_numpy(rng.integers(0, total, donor.numel()))]
    known = torch.from_numpy(_known(rng, BATCH, LENGTH))
    known = known * (ticks + ahead[:, None] > 0)
    hour = torch.from_numpy(rng.uniform(0, 3600, (BATCH, 1)))
    noise = torch.from_numpy(rng.normal(0, 0.02, (BATCH, LENGTH, data.embedding.shape[-1])).astype(np.float32))
    seen = Seen(
        data.flow[at].float(),
        data.speed[at].float(),
        data.embedding[at].float() + noise,
        data.age[at],
        ticks / TICKS_PER_SECOND + hour,
        (ahead[:, None] / TICKS_PER_SECOND).expand(BATCH, LENGTH).float(),
    )
    return previous, known.float(), seen, data.codes[sounding], data.mel[sounding]


def losses(
    model: Translator, batch: tuple[Tensor, Tensor, Seen, Tensor, Tensor], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a share of the ticks' codes, in nats per code, and the loudness head's error, in decades."""
    previous, known, seen, codes, mel = batch
    context = model(previous, known, seen)
    loudness = (model.loudness(context) - mel).abs().mean()
    chosen = torch.from_numpy(rng.random(known.shape) < DEPTH_SHARE)
    wanted = model.emission_order(codes[chosen])
    logits = model.depth(context[chosen], wanted, model.codebooks)
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten()), loudness


def train_translator(
    work: Path,
    bundle: Path,
    *,
    steps: int,
    clips: int,
    minutes: float,
    learning_rate: float,
    start: nn.Module | None = None,
) -> Path:
    """Train or go on training with the bundle's codec and visual network; returns the checkpoint."""
    codec = load_network(bundle, "codec")
    if not isinstance(codec, Codec):
        raise TypeError("the bundle's codec is of another class")
    torch.manual_seed(0)
    model = Translator()
    model.codebooks.copy_(codec.quantizer.codebooks / codec.quantizer.codebooks[0].std())
    found = build_dataset(work, clips, load_network(bundle, "embedding"))
    data = encode(found, codec, model.config.mel_bands)
    held = max(10, len(found) // 50)
    train = Examples(*(getattr(data, name)[:-held] for name in vars(data)))
    test = Examples(*(getattr(data, name)[-held:] for name in vars(data)))
    if start is not None:
        model.load_state_dict(start.state_dict())
    average = Average(model, 0.998)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.03)
    path = work / "translator.safetensors"
    first = load_checkpoint(path, model, average, optimizer) if path.exists() else 0
    rng = np.random.default_rng([first, 9])
    deadline = now_ns() + int(minutes * 60e9)
    sums = np.zeros(2)
    step = first
    with (
        tqdm(total=steps, initial=first, desc="translator", mininterval=5) as bar,
        (work / "translator.jsonl").open("a") as log,
    ):
        for step in range(first, steps):
            codes_loss, loudness = losses(model, draw_batch(train, rng), rng)
            optimizer.zero_grad(set_to_none=True)
            (codes_loss + 2.0 * loudness).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * min(1.0, (step + 1) / 200) * max(0.03, 1.0 - step / steps)
            optimizer.step()
            average.update(model)
            sums += [float(codes_loss.detach()), float(loudness.detach())]
            bar.update()
            if (step + 1) % 50 == 0:
                row = {"step": step + 1, "codes": round(sums[0] / 50, 4), "loudness": round(sums[1] / 50, 4)}
                if (step + 1) % 250 == 0:
                    fixed = np.random.default_rng(1)
                    with torch.no_grad():
                        values = [[float(v) for v in losses(model, draw_batch(test, fixed), fixed)] for _ in range(4)]
                    row |= {
                        "test_codes": round(float(np.mean(values, 0)[0]), 4),
                        "test_loudness": round(float(np.mean(values, 0)[1]), 4),
                    }
                log.write(json.dumps(row) + "\n")
                log.flush()
                bar.set_postfix(row)
                sums[:] = 0
            if (step + 1) % 250 == 0:
                save_checkpoint(path, step + 1, model, average, optimizer)
            if now_ns() > deadline:
                break
    save_checkpoint(path, step + 1, model, average, optimizer)
    return path
