"""Recorded performances: what a camera sees of a synthetic performer, tick by tick, and the sound it makes.

A clip follows from its seed alone. The camera's frame rate and its phase against the ticks are random, as they are in a
room; each tick takes the newest frame's motion, as in a show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.contract import Engine, EngineSpec
from engines.registry import open_engine
from performers.performer import SyntheticPerformer
from performers.score import draw_score
from streaming.conventions import (
    EMBEDDING_DIM,
    FLOW_GRID,
    HAND_FEATURES,
    INSTRUMENT_KINDS,
    MOTION_FEATURES,
    SAMPLE_RATE,
    TICK_SAMPLES,
    TICKS_PER_SECOND,
)
from streaming.schema.messages import NO_INSTRUMENT, Motion
from streaming.stages.motion import MotionReader
from streaming.vision.instrument_reader import InstrumentReader
from streaming.vision.motion.stillness import LONG_STILL_S
from streaming.vision.person_reader import PersonReader
from training.loop.pool import open_executor
from training.synthesis.composition.performed_score import played_notes
from training.synthesis.conventions import CLIP_KINDS, CLIP_S, CLIP_TICKS, FRAME_SIZE
from training.synthesis.instruments import render_sound
from training.synthesis.sampled.render import render_notes

TRAIN_SEED = 2_000_000
TEST_SEED = 9_500_000
"""Seeds from here on are never trained on."""
RECORDING = 4
"""Version of the performers and of the file format; older recordings are not used."""


class MotionTrack(NamedTuple):
    """The motion at each tick; the fields are those of `Clip`."""

    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    embedding: NDArray[np.float16]
    age_s: NDArray[np.float32]
    features: NDArray[np.float16]
    still_s: NDArray[np.float32]
    hands_motion: NDArray[np.float32]
    instrument: NDArray[np.int8]


@dataclass
class Clip:
    """One performance.

    Attributes:
        seed, kind: what was drawn.
        flow: float16 [T, 2, 16, 16]; speed: float16 [T, 16, 16]; embedding: float16 [T, 128]; age_s: float32 [T].
        features: float16 [T, 26], see `streaming.vision.motion.feature_names.NAMES`.
        still_s: float32 [T], for how many seconds nothing has moved.
        hands_motion: float32 [T, 2, 8], see `streaming.vision.motion.hand_motion.HAND_NAMES`; 0 where nobody looks.
        instrument: int8 [T], the kind of instrument that the eyes name: a number in `INSTRUMENT_KINDS`, -1 for none.
        sound: float32 [T * 1280].
    """

    seed: int
    kind: str
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    embedding: NDArray[np.float16]
    age_s: NDArray[np.float32]
    features: NDArray[np.float16]
    still_s: NDArray[np.float32]
    hands_motion: NDArray[np.float32]
    instrument: NDArray[np.int8]
    sound: NDArray[np.float32]


def kind_of(seed: int) -> str:
    """The kind of performer of a clip."""
    return CLIP_KINDS[seed % len(CLIP_KINDS)]


def performer_of(
    seed: int,
    size: tuple[int, int] = FRAME_SIZE,
    *,
    periodic: bool = False,
    undisturbed: bool = False,
    world: str = "rendered",
) -> SyntheticPerformer:
    """The performer of a clip; see `SyntheticPerformer` for `periodic`, `undisturbed` and `world`."""
    return SyntheticPerformer(
        kind_of(seed), seed, size=size, duration_s=CLIP_S, periodic=periodic, undisturbed=undisturbed, world=world
    )


def sound_of(
    seed: int,
    voice: str = "",
    *,
    periodic: bool = False,
    teacher: str = "additive",
    soundfont: Path | None = None,
    corpus: Path | None = None,
) -> NDArray[np.float32]:
    """What a clip's performer plays, or the same notes in another voice: float32 [T * 1280].

    Args:
        seed: which clip.
        voice: one of `CLIP_KINDS`; "" for the performer's own.
        periodic: the performer repeats one gesture.
        teacher: who sounds: "additive" for `synthesis.instruments`, "sampled" for instruments of a soundfont.
        soundfont: of the sampled teacher; None for the one that Debian installs.
        corpus: real scores for the pitches of a drummer's or dancer's strikes in a melodic voice; None for drawn ones.

    Raises:
        ValueError: for an unknown teacher, or a soundfont that cannot be used.
    """
    score = draw_score(kind_of(seed), seed, CLIP_S, periodic=periodic)
    if teacher == "sampled":
        notes = played_notes(score, voice or score.kind, corpus)
        sound = render_notes(notes, voice or score.kind, CLIP_S, seed, soundfont, detached=True)
        return sound[: CLIP_TICKS * TICK_SAMPLES]
    if teacher != "additive":
        raise ValueError(f"unknown teacher {teacher!r}; one of additive, sampled")
    return render_sound(replace(score, kind=voice or score.kind), SAMPLE_RATE)[: CLIP_TICKS * TICK_SAMPLES]


def frame_times(seed: int, steady: bool) -> NDArray[np.float64]:
    """The camera's frame times in seconds; a steady camera takes one frame at each tick."""
    if steady:
        return np.arange(CLIP_TICKS) / TICKS_PER_SECOND
    rng = np.random.default_rng([seed, 3])
    rate = float(rng.choice([25.0, 25.0, 25.0, 25.0, 29.97, 30.0, 24.0, 15.0]))
    times = -rng.uniform(0.0, 1.0 / rate) + np.arange(int((CLIP_S + 0.2) * rate)) / rate
    return np.asarray(times + rng.normal(0.0, 0.001, times.size))


class ViewRecorder:
    """Replaces the visual network while a data set is recorded: it stores each view as JPEG, to be embedded later."""

    def __init__(self) -> None:
        self.spec = EngineSpec("embedding", "none")
        self.views: list[NDArray[np.uint8]] = []

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[Any]]:
        """Store the view; the embedding is filled with its number, counted from 0."""
        is_encoded, data = cv2.imencode(".jpg", np.asarray(inputs["image"]), [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not is_encoded:
            raise RuntimeError("OpenCV cannot write JPEG")
        self.views.append(data)
        return {"embedding": np.full(EMBEDDING_DIM, len(self.views) - 1, np.float32)}

    def reset(self) -> None:
        """There is no state."""


def watch(
    seed: int,
    embedding: Engine,
    steady: bool = False,
    *,
    periodic: bool = False,
    undisturbed: bool = False,
    world: str = "rendered",
) -> Clip:
    """Render a clip and read its motion through the live path's own code.

    Args:
        seed: which clip.
        embedding: the visual network's engine.
        steady: frames exactly at the ticks, for evaluation.
        periodic: the performer repeats one gesture.
        undisturbed: camera, light and background are steady.
        world: the ranges that the player and the camera are drawn from.
    """
    performer = performer_of(seed, periodic=periodic, undisturbed=undisturbed, world=world)
    times = frame_times(seed, steady)
    frames = ((performer.frame(max(0.0, time)), float(time)) for time in times)
    track = read_motion(frames, CLIP_TICKS, embedding)
    return Clip(seed, performer.kind, *track, sound_of(seed, periodic=periodic))


def read_motion(
    frames: Iterable[tuple[NDArray[np.uint8], float]],
    ticks: int,
    embedding: Engine,
    person: PersonReader | None = None,
    instrument: InstrumentReader | None = None,
) -> MotionTrack:
    """The newest frame's motion at each tick, as the live path has it.

    Args:
        frames: pictures uint8 [H, W, 3] and their times in seconds, in order; none is used before its time.
        ticks: number of ticks.
        embedding: the visual network's engine.
        person: reads the hands; None for nobody.
        instrument: names what is played; None for nobody.
    """
    reader = MotionReader(open_engine("flow", backend="opencv"), embedding, person=person, instrument=instrument)
    hands = np.zeros((ticks, 2, HAND_FEATURES), np.float32)
    flow = np.zeros((ticks, 2, FLOW_GRID, FLOW_GRID), np.float16)
    speed = np.zeros((ticks, FLOW_GRID, FLOW_GRID), np.float16)
    embeddings = np.zeros((ticks, EMBEDDING_DIM), np.float16)
    features = np.zeros((ticks, MOTION_FEATURES), np.float16)
    age = np.zeros(ticks, np.float32)
    still = np.full(ticks, LONG_STILL_S, np.float32)
    played = np.full(ticks, -1, np.int8)
    motion: Motion | None = None
    capture_s = 0.0
    coming = iter(frames)
    after = next(coming, None)
    for tick in range(ticks):
        now = tick / TICKS_PER_SECOND
        while after is not None and after[1] <= now + 1e-6:
            image, capture_s = after
            motion = reader.read(image, int((capture_s + 10.0) * 1e9)) or motion
            after = next(coming, None)
        if motion is not None:
            flow[tick], speed[tick], embeddings[tick] = motion.flow, motion.speed, motion.embedding
            features[tick], hands[tick] = motion.features, motion.hands_motion
            still[tick] = LONG_STILL_S if motion.still_s is None else motion.still_s
            played[tick] = INSTRUMENT_KINDS.index(motion.instrument) if motion.instrument != NO_INSTRUMENT else -1
        age[tick] = max(0.0, now - capture_s)
    return MotionTrack(flow, speed, embeddings, age, features, still, hands, played)


def _record(seed: int) -> dict[str, NDArray[Any]]:
    """A clip as arrays for a file, with its views as JPEG in a row."""
    eye = ViewRecorder()
    clip = watch(seed, eye)
    return {
        "seed": np.array(seed),
        "flow": clip.flow,
        "speed": clip.speed,
        "view": clip.embedding[:, 0].astype(np.int32),
        "age_s": clip.age_s,
        "features": clip.features,
        "jpeg": np.concatenate(eye.views),
        "jpeg_bytes": np.array([data.size for data in eye.views]),
    }


def embed(data: dict[str, NDArray[Any]], seeing: Engine) -> NDArray[np.float16]:
    """Embed a recorded clip's views: float16 [T, 128]."""
    parts = np.split(data["jpeg"], np.cumsum(data["jpeg_bytes"])[:-1])
    views = (np.asarray(cv2.imdecode(part, cv2.IMREAD_COLOR)) for part in parts)
    embeddings = np.stack([seeing.step(image=view)["embedding"] for view in views])
    return np.asarray(embeddings[data["view"]], dtype=np.float16)


def record_dataset(folder: Path, clips: int, workers: int = 2) -> list[Path]:
    """Record the training clips, one file each; files that exist are kept."""
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
