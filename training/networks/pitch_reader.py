"""Pre-trains the pitch reader on computed points of thousands of players, with no pictures rendered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor, nn
from tqdm import tqdm

from models.translation.latent import LOWEST_PITCH
from models.vision.embedding import POINTS
from models.vision.pitch_reader import READ_INSTRUMENTS, PitchReader
from performers.performer import SyntheticPerformer
from streaming.conventions import TICKS_PER_SECOND
from training.loop.pool import open_executor
from training.synthesis.conventions import FRAME_SIZE

SEED = 6_000_000
PLAYER_S = 8.0
TICKS = int(PLAYER_S * TICKS_PER_SECOND)
BATCH = 48
RATE = 2e-3
PLACES = 2 * len(POINTS)
CLIP_ERROR, SLOW_ERROR, FRAME_ERROR = 0.0050, 0.0045, 0.0025
"""Standard deviations of the visual network's errors in -1..1: constant over a clip, drifting, and new in each frame.

Measured on 80 clips of each instrument: 0.004 to 0.010 constant; 0.005 to 0.008 for the other two together, of which
0.5 to 0.85 remains after one tick, 0.1 to 0.45 after 8 and nothing after 25.
"""
WANDER_TICKS = 8.0
"""Time constant of the drifting error, in ticks."""
PLACE_STEPS = 65_535
"""Places are stored as whole numbers from 0 to this."""
NEXT_PLAYER = 0.3
"""Share of the samples in which another player takes over midway, so that what was learned of the first is useless."""


def sample_player(seed: int) -> NDArray[np.uint16]:
    """One player at every tick: x and y of each point in turn, and the MIDI pitch that sounds (0 for none).

    Returns:
        uint16 [TICKS, 29]; places in steps of 1 / `PLACE_STEPS`.
    """
    performer = SyntheticPerformer(
        READ_INSTRUMENTS[seed % len(READ_INSTRUMENTS)], seed, size=FRAME_SIZE, duration_s=PLAYER_S
    )
    rows = np.zeros((TICKS, PLACES + 1), np.uint16)
    for tick, row in enumerate(rows):
        row[:PLACES] = np.round(performer.labels(tick / TICKS_PER_SECOND)[:PLACES] * PLACE_STEPS)
    for note in performer.score.notes:
        # From the first tick in it to the last.
        first, last = math.ceil(note.onset_s * TICKS_PER_SECOND), math.ceil(note.end_s * TICKS_PER_SECOND)
        rows[first:last, PLACES] = round(note.pitch)
    return rows


def load_players(folder: Path, count: int, workers: int = 2) -> NDArray[np.uint16]:
    """Players, computed once and kept in a folder: uint16 [count, TICKS, 29]."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"players-{count}-{TICKS}.npy"
    if not path.exists():
        with open_executor(workers) as pool:
            jobs = pool.map(sample_player, range(SEED, SEED + count), chunksize=64)
            rows = np.stack(list(tqdm(jobs, total=count, desc="players", mininterval=5)))
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            np.save(out, rows, allow_pickle=False)
        part.replace(path)
    return np.asarray(np.load(path), np.uint16)


def vary_cameras(places: Tensor, rng: np.random.Generator) -> Tensor:
    """Points [N, T, 14, 2] in -1..1 as other cameras would have them, with the visual network's errors."""
    count, length, points, _ = places.shape

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, np.float32))

    angle, scale = 0.07 * normal(count), (0.12 * normal(count)).exp()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)
    rotated = places @ turn[:, None].transpose(2, 3) + 0.08 * normal(count, 1, 1, 2)
    stay = math.exp(-1.0 / WANDER_TICKS)
    lead = int(4 * WANDER_TICKS)
    noise = rng.standard_normal((count, lead + length, points, 2), np.float32)
    wandering = lfilter([math.sqrt(1.0 - stay**2)], [1.0, -stay], noise, axis=1)[:, lead:].astype(np.float32)
    error = CLIP_ERROR * normal(count, 1, points, 2) + SLOW_ERROR * torch.from_numpy(wandering)
    error = error + FRAME_ERROR * normal(count, length, points, 2)
    # Some scenes are seen well and some badly, and so are some points.
    how = (0.6 * normal(count, 1, 1, 1) + 0.4 * normal(count, 1, points, 1)).exp()
    return (rotated + how * error).clamp(-1.0, 1.0)


class _PlayerBatch(NamedTuple):
    """Players as tensors: places [N, T, 14, 2] in -1..1, pitch class [N, T] or -1, instrument [N, T]."""

    places: Tensor
    pitch: Tensor
    kind: Tensor

    def followed_by(self, other: _PlayerBatch, at: int) -> _PlayerBatch:
        """These players until a tick, then others from their own start."""
        length = self.pitch.shape[1]
        return _PlayerBatch(*(torch.cat([a[:, :at], b[:, : length - at]], 1) for a, b in zip(self, other, strict=True)))

    def read_by(self, reader: PitchReader, rng: np.random.Generator) -> Tensor:
        """Logits [N, T, pitches] that a reader gives for each player's own instrument."""
        views = vary_cameras(self.places, rng)
        logits, _ = reader.follow(views[..., 0], views[..., 1], reader.init_state(len(views)))
        own = self.kind[..., None, None].expand(*self.kind.shape, 1, reader.pitches)
        return logits.gather(2, own)[:, :, 0]


def _players_of(rows: NDArray[np.uint16], kind: NDArray[np.int64], pitches: int) -> _PlayerBatch:
    """Rows of `sample_player` [N, T, 29] and their instruments [N] as tensors."""
    whole = torch.from_numpy(rows.astype(np.int32))
    places = (whole[..., :PLACES] * (2.0 / PLACE_STEPS) - 1.0).unflatten(-1, (len(POINTS), 2))
    pitch = whole[..., PLACES].long()
    classes = torch.where(pitch > 0, (pitch - LOWEST_PITCH + 1).clamp(1, pitches - 1), -1)
    return _PlayerBatch(places, classes, torch.from_numpy(kind)[:, None].expand(pitch.shape))


def train_reader(reader: PitchReader, players: NDArray[np.uint16], steps: int, seed: int = 0) -> dict[str, float]:
    """Train a reader; the last fiftieth of the players is held out.

    Returns:
        For each instrument the accuracy on held-out players: over all ticks with a note (`..._pitch_right`), and over
        the last quarter of the ticks (`..._pitch_right_later`).
    """
    kinds = np.arange(len(players)) % len(READ_INSTRUMENTS)
    held_count = max(len(READ_INSTRUMENTS), len(players) // 50)
    rng = np.random.default_rng(seed)

    def draw(count: int) -> _PlayerBatch:
        at = rng.integers(0, len(players) - held_count, count)
        return _players_of(players[at], kinds[at], reader.pitches)

    optimizer = torch.optim.AdamW(reader.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    progress = tqdm(range(steps), desc="reader", mininterval=5)
    for step in progress:
        for group in optimizer.param_groups:
            falling = 0.01 + 0.495 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = RATE * min(1.0, 20 * (step + 1) / steps) * falling
        batch = draw(BATCH)
        if rng.random() < NEXT_PLAYER:
            batch = batch.followed_by(draw(BATCH), int(rng.integers(1, players.shape[1])))
        loss = F.cross_entropy(batch.read_by(reader, rng).flatten(0, 1), batch.pitch.flatten(), ignore_index=-1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        progress.set_postfix(loss=float(loss.detach()), refresh=False)
    test = _players_of(players[-held_count:], kinds[-held_count:], reader.pitches)
    with torch.no_grad():
        right = test.read_by(reader, rng).argmax(-1) == test.pitch
    later = torch.arange(right.shape[1]) >= right.shape[1] * 3 // 4
    figures = {}
    for index, name in enumerate(READ_INSTRUMENTS):
        sounds = (test.kind == index) & (test.pitch > 0)
        figures[f"{name}_pitch_right"] = float(right[sounds].float().mean())
        figures[f"{name}_pitch_right_later"] = float(right[sounds & later].float().mean())
    return figures
