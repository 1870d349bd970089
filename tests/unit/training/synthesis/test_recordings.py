"""Recordings: a frame is used from its time on, and a periodic performer repeats one gesture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.contract import EngineSpec
from engines.registry import open_engine
from streaming.conventions import INSTRUMENT_KINDS, SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Camera, Motion
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.motion import MotionReader, MotionStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.instrument_reader import InstrumentReader
from streaming.vision.motion.feature_names import INDEX
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.measures.onsets import detect_onsets
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.recordings import TEST_SEED, performer_of, read_motion, sound_of, watch


def test_a_periodic_performer_repeats_one_gesture() -> None:
    for seed in range(5):
        score_ = performer_of(seed, periodic=True).score
        assert not score_.rests
        assert np.ptp(np.diff(score_.onsets_s)) < 1e-9
        assert detect_onsets(sound_of(seed, periodic=True)).size >= 0.8 * score_.onsets_s.size


def test_the_sampled_teacher_plays_the_same_events_in_any_voice(tmp_path: Path) -> None:
    soundfont = write_soundfont(tmp_path / "sine.sf2")
    onsets = performer_of(5, periodic=True).score.onsets_s
    for voice in ("", "keys", "air"):
        sound = sound_of(5, voice, periodic=True, teacher="sampled", soundfont=soundfont)
        assert sound.shape == (CLIP_TICKS * TICK_SAMPLES,)
        quiet, loud = (np.abs(sound[slice(*bounds)]).max() for bounds in ((0, first(onsets)), (first(onsets), None)))
        assert quiet < 1e-4 < 1e-2 < loud
    with pytest.raises(ValueError, match="there is no soundfont"):
        sound_of(5, teacher="sampled", soundfont=tmp_path / "none.sf2")
    with pytest.raises(ValueError, match="unknown teacher 'tape'; one of additive, sampled"):
        sound_of(5, teacher="tape")


def first(onsets: NDArray[np.float64]) -> int:
    return int(float(onsets[0]) * SAMPLE_RATE)


def test_nothing_is_seen_before_its_time() -> None:
    class Counts:
        """An engine that says how bright the picture is."""

        def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
            return {"embedding": np.full(128, image[64, 64, 0], np.float32)}

        def reset(self) -> None:
            """Nothing to forget."""

    frames = [(np.full((48, 64, 3), number, np.uint8), 0.1 * number) for number in range(1, 6)]
    track = read_motion(iter(frames), 14, Counts())  # type: ignore[arg-type]
    seen, age = track.embedding, track.age_s
    assert seen[:, 0].tolist() == [0, 0, 0, *(2 * [1]), *(3 * [2]), *(2 * [3]), *(3 * [4]), 5]
    assert age[3:] == pytest.approx([0.02, 0.06, *[0.0, 0.04, 0.08], *[0.02, 0.06], *[0.0, 0.04, 0.08], 0.02], abs=1e-6)


def test_an_instrument_is_named_at_each_tick_as_it_is_seen() -> None:
    class Bright:
        """Sees a drum in bright pictures, a cat in dark ones."""

        spec = EngineSpec("instrument", "fake")

        def step(self, **inputs: Any) -> dict[str, np.ndarray]:
            bright = float(np.asarray(inputs["image"]).mean()) > 100
            return {"odds": np.eye(1000, dtype=np.float32)[541 if bright else 281]}

        def reset(self) -> None:
            """Nothing to forget."""

    class Blind:
        def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
            return {"embedding": np.zeros(128, np.float32)}

        def reset(self) -> None:
            """Nothing to forget."""

    frames = [(np.full((48, 64, 3), 200 if second else 10, np.uint8), float(second)) for second in range(3)]
    track = read_motion(iter(frames), 75, Blind(), instrument=InstrumentReader(Bright()))  # type: ignore[arg-type]
    assert track.instrument.tolist() == [-1] * 25 + [INSTRUMENT_KINDS.index("drums")] * 50
    assert read_motion(iter(frames), 5, Blind()).instrument.tolist() == [-1] * 5  # type: ignore[arg-type]


def test_a_performer_is_watched_as_a_camera_would() -> None:
    class Blind:
        def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
            return {"embedding": np.zeros(128, np.float32)}

        def reset(self) -> None:
            """Nothing to forget."""

    steady = watch(TEST_SEED, Blind(), steady=True)  # type: ignore[arg-type]
    assert steady.age_s.max() < 1e-6
    assert steady.speed.max() > 0.1
    assert 0.0 < watch(TEST_SEED, Blind()).age_s.max() < 0.1  # type: ignore[arg-type]


def test_recorded_features_are_those_of_the_live_stage() -> None:
    performer = performer_of(TEST_SEED, size=(256, 192))
    times = np.arange(60) / 30.0 + 1.0
    frames = [(performer.frame(float(time)), float(time) - 1.0) for time in times]
    eyes = open_engine("embedding")
    recorded = read_motion(iter(frames), 48, eyes)
    stage = MotionStage(MotionReader(open_engine("flow", backend="opencv"), eyes))
    stage.setup(Context(show=Show(), metrics=Metrics()))
    live: list[Motion] = []
    rows = []
    for tick in range(48):
        while len(live) < len(frames) and frames[len(live)][1] <= tick / 25 + 1e-6:
            image, captured = frames[len(live)]
            camera = Camera(image=image, capture_ns=int((captured + 10.0) * 1e9))
            (message,) = stage.step(Inputs({"camera": [camera]}), 0)
            assert isinstance(message, Motion)
            live.append(message)
        rows.append(live[-1].features.astype(np.float16))
    stage.close()
    assert np.array_equal(recorded.features, np.stack(rows))
    assert recorded.features[:, : INDEX["scale"]].any()
