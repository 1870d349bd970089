"""Performances to learn from: what a camera sees of a synthetic performer, tick by tick, and the sound it makes.

A clip is drawn from its seed alone. The camera's frame rate and its phase against the ticks are random, as they are in
a room; at each tick the newest frame's motion is taken, as it is live.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import open_engine
from streaming.messages import EMBEDDING_DIM, FLOW_GRID, SAMPLE_RATE, TICKS_PER_SECOND, Motion
from streaming.performer.performer import SyntheticPerformer
from streaming.stages.motion import MotionReader
from training.instruments import render_sound

CLIP_S = 8.0
TICKS = int(CLIP_S * TICKS_PER_SECOND)
TRAIN_SEED = 2_000_000
TEST_SEED = 9_500_000
"""Seeds from here on are never trained on."""
KINDS = ("drums", "strings", "air", "keys", "dance")
SIZE = (256, 192)


@dataclass
class Clip:
    """One performance.

    Attributes:
        seed, kind: what was drawn.
        flow: float16 [T, 2, 16, 16]; speed: float16 [T, 16, 16]; embedding: float16 [T, 128]; age_s: float32 [T].
        sound: float32 [T * 1280].
    """

    seed: int
    kind: str
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    embedding: NDArray[np.float16]
    age_s: NDArray[np.float32]
    sound: NDArray[np.float32]


def kind_of(seed: int) -> str:
    """The instrument of a clip."""
    return KINDS[seed % len(KINDS)]


def performer_of(seed: int, size: tuple[int, int] = SIZE) -> SyntheticPerformer:
    """The performer of a clip."""
    return SyntheticPerformer(kind_of(seed), seed, size=size, duration_s=CLIP_S)


def frame_times(seed: int, steady: bool) -> NDArray[np.float64]:
    """When the camera takes its frames, in seconds; a steady camera takes one at each tick."""
    if steady:
        return np.arange(TICKS) / TICKS_PER_SECOND
    rng = np.random.default_rng([seed, 3])
    rate = float(rng.choice([25.0, 25.0, 25.0, 25.0, 29.97, 30.0, 24.0, 15.0]))
    times = -rng.uniform(0.0, 1.0 / rate) + np.arange(int((CLIP_S + 0.2) * rate)) / rate
    return np.asarray(times + rng.normal(0.0, 0.001, times.size))


def watch(seed: int, bundle: str, steady: bool = False) -> Clip:
    """Render a clip and read its motion through the live path's own code.

    Args:
        seed: which clip.
        bundle: where the visual network comes from.
        steady: frames exactly at the ticks, for evaluation.
    """
    performer = performer_of(seed)
    reader = MotionReader(open_engine("flow"), open_engine("embedding", bundle=bundle))
    times = frame_times(seed, steady)
    flow = np.zeros((TICKS, 2, FLOW_GRID, FLOW_GRID), np.float16)
    speed = np.zeros((TICKS, FLOW_GRID, FLOW_GRID), np.float16)
    embedding = np.zeros((TICKS, EMBEDDING_DIM), np.float16)
    age = np.zeros(TICKS, np.float32)
    motion: Motion | None = None
    taken = 0
    captured = 0.0
    for tick in range(TICKS):
        now = tick / TICKS_PER_SECOND
        while taken < times.size and times[taken] <= now + 1e-6:
            captured = float(times[taken])
            motion = reader.read(performer.frame(max(0.0, captured)), int((captured + 10.0) * 1e9)) or motion
            taken += 1
        if motion is not None:
            flow[tick], speed[tick], embedding[tick] = motion.flow, motion.speed, motion.embedding
        age[tick] = max(0.0, now - captured)
    sound = render_sound(performer.score, SAMPLE_RATE)
    return Clip(seed, performer.kind, flow, speed, embedding, age, sound[: TICKS * SAMPLE_RATE // TICKS_PER_SECOND])


def _watch_job(job: tuple[int, str]) -> Clip:
    return watch(*job)


def _save(path: Path, clips: list[Clip]) -> None:
    rows: dict[str, NDArray[Any]] = {
        name: np.stack([getattr(clip, name) for clip in clips]) for name in ("flow", "speed", "embedding", "age_s")
    }
    rows["seed"] = np.array([clip.seed for clip in clips])
    rows["sound"] = np.stack([(clip.sound * 32767).astype(np.int16) for clip in clips])
    part = path.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **rows)
    part.replace(path)


def _load(path: Path) -> list[Clip]:
    with np.load(path) as data:
        rows = {name: data[name] for name in data.files}
    return [
        Clip(
            int(seed),
            kind_of(int(seed)),
            rows["flow"][i],
            rows["speed"][i],
            rows["embedding"][i],
            rows["age_s"][i],
            rows["sound"][i].astype(np.float32) / 32767,
        )
        for i, seed in enumerate(rows["seed"])
    ]


def build_dataset(folder: Path, clips: int, bundle: str, workers: int = 2) -> list[Clip]:
    """Watch the training clips once, a file of 50 at a time, and load them: a kill loses one file's work at most."""
    folder.mkdir(parents=True, exist_ok=True)
    out: list[Clip] = []
    with ProcessPoolExecutor(workers) as pool, tqdm(total=clips, desc="performances", mininterval=5) as bar:
        for first in range(0, clips, 50):
            path = folder / f"performances-{first:05d}.npz"
            if not path.exists():
                seeds = range(TRAIN_SEED + first, TRAIN_SEED + min(first + 50, clips))
                _save(path, list(pool.map(_watch_job, [(seed, bundle) for seed in seeds], chunksize=5)))
            out += _load(path)
            bar.update(min(50, clips - first))
    return out
