"""Performances to learn from: what a camera sees of a synthetic performer, tick by tick, and the sound it makes.

A clip is drawn from its seed alone. The camera's frame rate and its phase against the ticks are random, as they are in
a room; at each tick the newest frame's motion is taken, as it is live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.contract import Engine, EngineSpec
from engines.registry import open_engine
from performers.performer import SyntheticPerformer
from performers.score import draw_score
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID, SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.schema.messages import Motion
from streaming.stages.motion import MotionReader
from training.loop.pool import open_executor
from training.synthesis.conventions import CLIP_KINDS, CLIP_S, CLIP_TICKS, FRAME_SIZE
from training.synthesis.instruments import render_sound

TRAIN_SEED = 2_000_000
TEST_SEED = 9_500_000
"""Seeds from here on are never trained on."""
RECORDING = 3
"""Raised when a performer, or what is kept of it, is another than before: older recordings are then not taken up."""


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
    return CLIP_KINDS[seed % len(CLIP_KINDS)]


def performer_of(
    seed: int, size: tuple[int, int] = FRAME_SIZE, *, periodic: bool = False, undisturbed: bool = False
) -> SyntheticPerformer:
    """The performer of a clip; `periodic` and `undisturbed` as `SyntheticPerformer` has them."""
    return SyntheticPerformer(
        kind_of(seed), seed, size=size, duration_s=CLIP_S, periodic=periodic, undisturbed=undisturbed
    )


def sound_of(seed: int, voice: str = "", *, periodic: bool = False) -> NDArray[np.float32]:
    """What the performer of a clip plays, or the same notes by another voice: float32 [T * 1280]."""
    score = draw_score(kind_of(seed), seed, CLIP_S, periodic=periodic)
    return render_sound(replace(score, kind=voice or score.kind), SAMPLE_RATE)[: CLIP_TICKS * TICK_SAMPLES]


def frame_times(seed: int, steady: bool) -> NDArray[np.float64]:
    """When the camera takes its frames, in seconds; a steady camera takes one at each tick."""
    if steady:
        return np.arange(CLIP_TICKS) / TICKS_PER_SECOND
    rng = np.random.default_rng([seed, 3])
    rate = float(rng.choice([25.0, 25.0, 25.0, 25.0, 29.97, 30.0, 24.0, 15.0]))
    times = -rng.uniform(0.0, 1.0 / rate) + np.arange(int((CLIP_S + 0.2) * rate)) / rate
    return np.asarray(times + rng.normal(0.0, 0.001, times.size))


class ViewRecorder:
    """Stands in for the visual network while a data set is made: keeps each view, as JPEG, to be embedded later."""

    def __init__(self) -> None:
        self.spec = EngineSpec("embedding", "none")
        self.views: list[NDArray[np.uint8]] = []

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[Any]]:
        """Keep the view; its number, counted from 0, is all that the embedding says."""
        done, data = cv2.imencode(".jpg", np.asarray(inputs["image"]), [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not done:
            raise RuntimeError("OpenCV cannot write JPEG")
        self.views.append(data)
        return {"embedding": np.full(EMBEDDING_DIM, len(self.views) - 1, np.float32)}

    def reset(self) -> None:
        """Nothing to forget."""


def watch(
    seed: int, embedding: Engine, steady: bool = False, *, periodic: bool = False, undisturbed: bool = False
) -> Clip:
    """Render a clip and read its motion through the live path's own code.

    Args:
        seed: which clip.
        embedding: the visual network's engine.
        steady: frames exactly at the ticks, for evaluation.
        periodic: the performer repeats one gesture.
        undisturbed: nothing else moves.
    """
    performer = performer_of(seed, periodic=periodic, undisturbed=undisturbed)
    times = frame_times(seed, steady)
    seen = ((performer.frame(max(0.0, time)), float(time)) for time in times)
    flow, speed, embedded, age = read_motion(seen, CLIP_TICKS, embedding)
    return Clip(seed, performer.kind, flow, speed, embedded, age, sound_of(seed, periodic=periodic))


def read_motion(
    frames: Iterable[tuple[NDArray[np.uint8], float]], ticks: int, embedding: Engine
) -> tuple[NDArray[np.float16], NDArray[np.float16], NDArray[np.float16], NDArray[np.float32]]:
    """What the live path knows at each tick of frames that come one after the other: the newest one's motion.

    Args:
        frames: pictures uint8 [H, W, 3] and when they were captured, in seconds; none is looked at before its time.
        ticks: how many.
        embedding: the visual network's engine.

    Returns:
        Flow [T, 2, 16, 16], speed [T, 16, 16], embedding [T, 128] and age in seconds [T], as in `Clip`.
    """
    reader = MotionReader(open_engine("flow", backend="opencv"), embedding)
    flow = np.zeros((ticks, 2, FLOW_GRID, FLOW_GRID), np.float16)
    speed = np.zeros((ticks, FLOW_GRID, FLOW_GRID), np.float16)
    seen = np.zeros((ticks, EMBEDDING_DIM), np.float16)
    age = np.zeros(ticks, np.float32)
    motion: Motion | None = None
    captured = 0.0
    coming = iter(frames)
    after = next(coming, None)
    for tick in range(ticks):
        now = tick / TICKS_PER_SECOND
        while after is not None and after[1] <= now + 1e-6:
            image, captured = after
            motion = reader.read(image, int((captured + 10.0) * 1e9)) or motion
            after = next(coming, None)
        if motion is not None:
            flow[tick], speed[tick], seen[tick] = motion.flow, motion.speed, motion.embedding
        age[tick] = max(0.0, now - captured)
    return flow, speed, seen, age


def _record(seed: int) -> dict[str, NDArray[Any]]:
    """A clip as arrays for a file, its views as JPEG one after the other."""
    eye = ViewRecorder()
    clip = watch(seed, eye)
    return {
        "seed": np.array(seed),
        "flow": clip.flow,
        "speed": clip.speed,
        "view": clip.embedding[:, 0].astype(np.int32),
        "age_s": clip.age_s,
        "jpeg": np.concatenate(eye.views),
        "jpeg_bytes": np.array([data.size for data in eye.views]),
    }


def embed(data: dict[str, NDArray[Any]], seeing: Engine) -> NDArray[np.float16]:
    """Embed a recorded clip's views: float16 [T, 128]."""
    parts = np.split(data["jpeg"], np.cumsum(data["jpeg_bytes"])[:-1])
    views = (np.asarray(cv2.imdecode(part, cv2.IMREAD_COLOR)) for part in parts)
    seen = np.stack([seeing.step(image=view)["embedding"] for view in views])
    return np.asarray(seen[data["view"]], dtype=np.float16)


def record_dataset(folder: Path, clips: int, workers: int = 2) -> list[Path]:
    """Watch the training clips, a file each, going on where an earlier call was stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"performance-{TRAIN_SEED + i}-v{RECORDING}.npz" for i in range(clips)]
    missing = [path for path in paths if not path.exists()]
    with open_executor(workers) as pool, tqdm(total=clips, desc="performances", mininterval=5) as bar:
        bar.update(clips - len(missing))
        seeds = [int(path.stem.split("-")[1]) for path in missing]
        for path, data in zip(missing, pool.map(_record, seeds), strict=True):
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **data)
            part.replace(path)
            bar.update()
    return paths
