"""Teaches the reader of pitches from places that are computed, not seen: of tens of thousands of players."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from models.embedding import POINTS
from models.latent import LOWEST_PITCH
from models.reading import READ, PlaceReader
from streaming.performer.performer import LABEL_NAMES, SyntheticPerformer
from training.pool import open_executor

SEED = 6_000_000
PER_PLAYER = 24
SIZE = (256, 192)
BATCH = 1024
RATE = 2e-3
SETTLED_S = 0.06
"""A note counts from so long after its onset, when the hand has arrived."""
PLACES = 2 * len(POINTS)
AWRY, TREMBLING = 0.0035, 0.0025
"""Typical errors of the visual network in -1..1: one that stays for a whole clip, and one of every picture. Measured on
24 clips of each instrument: 0.001 to 0.005 (the air's tips 0.010) and 0.001 to 0.0035; with one look twice that."""
PITCH_COLUMN = LABEL_NAMES.index("pitch")


def sample_player(seed: int) -> NDArray[np.float32]:
    """Moments of one player while notes sound: places in 0..1, x and y of each point in turn, and the MIDI pitch.

    Returns:
        float32 [PER_PLAYER, 29].
    """
    rng = np.random.default_rng(seed)
    performer = SyntheticPerformer(READ[seed % len(READ)], seed, size=SIZE, duration_s=20.0)
    notes = [note for note in performer.score.notes if note.duration_s > SETTLED_S + 0.02]
    rows = np.zeros((PER_PLAYER, PLACES + 1), np.float32)
    for row in rows:
        note = notes[int(rng.integers(len(notes)))]
        time = note.onset_s + SETTLED_S + rng.random() * (note.duration_s - SETTLED_S)
        row[:PLACES] = performer.labels(float(time))[:PLACES]
        row[PLACES] = note.pitch
    return rows


def load_players(folder: Path, count: int, workers: int = 2) -> NDArray[np.float32]:
    """Moments of players, computed once: float32 [count, PER_PLAYER, 29]."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"players-{count}.npy"
    if not path.exists():
        with open_executor(workers) as pool:
            jobs = pool.map(sample_player, range(SEED, SEED + count), chunksize=64)
            rows = np.stack(list(tqdm(jobs, total=count, desc="players", mininterval=5)))
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            np.save(out, rows, allow_pickle=False)
        part.replace(path)
    return np.asarray(np.load(path), np.float32)


def seen_otherwise(places: Tensor, draw: torch.Generator) -> Tensor:
    """Places [N, 14, 2] in -1..1 as from a camera set up otherwise, and as a visual network errs."""
    count = places.shape[0]
    angle = 0.07 * torch.randn(count, generator=draw)
    scale = (0.12 * torch.randn(count, generator=draw)).exp()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)
    moved = places @ turn.transpose(1, 2) + 0.08 * torch.randn(count, 1, 2, generator=draw)
    # Some scenes are seen well and some badly.
    how = (0.6 * torch.randn(count, 1, 1, generator=draw)).exp()
    for spread in (AWRY, TREMBLING):
        moved = moved + spread * how * torch.randn(places.shape, generator=draw)
    return moved.clamp(-1.0, 1.0)


def train_reader(reader: PlaceReader, players: NDArray[np.float32], steps: int, seed: int = 0) -> dict[str, float]:
    """Train; the last fiftieth of the players is held out.

    Returns:
        Of each instrument, how often the likeliest pitch is right on the held-out players, seen otherwise.
    """
    rows = torch.from_numpy(players)
    which = (torch.arange(len(rows)) % len(READ))[:, None].expand(rows.shape[:2])
    held = max(1, len(rows) // 50)

    def part(of: slice) -> tuple[Tensor, Tensor, Tensor]:
        flat = rows[of].flatten(0, 1)
        pitch = (flat[:, PLACES].round().long() - LOWEST_PITCH + 1).clamp(1, reader.pitches - 1)
        return flat[:, :PLACES].view(-1, len(POINTS), 2) * 2.0 - 1.0, pitch, which[of].flatten()

    places, pitch, kind = part(slice(None, -held))
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    for step in tqdm(range(steps), desc="reader", mininterval=5):
        for group in optimizer.param_groups:
            falling = 0.01 + 0.495 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = RATE * min(1.0, 20 * (step + 1) / steps) * falling
        at = torch.randint(len(places), (BATCH,), generator=draw)
        shown = seen_otherwise(places[at], draw)
        logits = reader.logits(shown[..., 0], shown[..., 1])[torch.arange(BATCH), kind[at]]
        loss = F.cross_entropy(logits, pitch[at])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    places, pitch, kind = part(slice(-held, None))
    with torch.no_grad():
        shown = seen_otherwise(places, draw)
        right = reader.logits(shown[..., 0], shown[..., 1])[torch.arange(len(kind)), kind].argmax(-1) == pitch
    return {f"{name}_pitch_right": float(right[kind == index].float().mean()) for index, name in enumerate(READ)}
