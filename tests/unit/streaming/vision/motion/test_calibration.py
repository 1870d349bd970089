"""Calibrating: the scale is measured once, held, and adapts again on request."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.bundles import BUNDLES
from streaming.vision.motion.calibration import Calibration, takes_motion_features
from streaming.vision.motion.features import MotionFeatureExtractor, MotionFrame
from tests.unit.streaming.vision.motion.scenes import Scene, frames_of, strokes, times_at

SECONDS = 2.4


@pytest.fixture(scope="module")
def large() -> list[MotionFrame]:
    return list(frames_of(Scene(strokes(depth=0.14, swing_s=0.3)), times_at(25.0, SECONDS)))


@pytest.fixture(scope="module")
def small() -> list[MotionFrame]:
    return list(frames_of(Scene(strokes(depth=0.04, swing_s=0.3)), times_at(25.0, SECONDS)))


class Player:
    """Plays frames to an extractor that is calibrated, one stretch after another."""

    def __init__(self) -> None:
        self.extractor = MotionFeatureExtractor()
        self.notes: list[str] = []
        self.calibration = Calibration(self.extractor, self.notes.append)
        self._start_s = 0.0

    def play(self, frames: list[MotionFrame]) -> NDArray[np.float32]:
        rows = []
        for frame in frames:
            at = frame._replace(time_s=frame.time_s + self._start_s)
            rows.append(self.extractor.step(at))
            self.calibration.observe(at.time_s, rows[-1])
        self._start_s += SECONDS
        return np.stack(rows)


def test_the_scale_is_measured_and_held_until_it_is_released(
    large: list[MotionFrame], small: list[MotionFrame]
) -> None:
    player = Player()
    player.play(large)
    player.calibration.begin(2.0)
    assert player.calibration.measures
    player.play(small)
    assert not player.calibration.measures
    held = player.extractor.scale
    player.play(large)
    assert player.extractor.scale == held
    assert player.extractor.held_scales is not None
    player.calibration.release()
    player.play(large)
    assert player.extractor.scale > 1.5 * held
    assert [note.split(":")[0] for note in player.notes] == ["calibrating", "calibrated"]


def test_whoever_does_not_move_is_not_calibrated(large: list[MotionFrame]) -> None:
    player = Player()
    player.calibration.begin(2.0)
    player.play([frame._replace(flow=np.zeros((2, 256, 256), np.float32)) for frame in large])
    assert player.extractor.held_scales is None
    assert "hardly anything moved" in player.notes[-1]


def test_a_bundle_says_whether_it_takes_the_features(tmp_path: Path) -> None:
    assert takes_motion_features("default"), "its translator plays by gestures"
    assert not takes_motion_features(str(tmp_path))
    shipped = json.loads((BUNDLES / "default" / "manifest.json").read_text(encoding="utf-8"))
    for config in ({}, {"motion_features": 26}):
        networks = {"latent": {"file": "latent.safetensors", "config": config}}
        (tmp_path / "manifest.json").write_text(json.dumps({**shipped, "networks": networks}))
        assert takes_motion_features(str(tmp_path)) == bool(config)
        networks["translator"] = {"file": "translator.safetensors", "config": {"gesture_dim": 7}}
        (tmp_path / "manifest.json").write_text(json.dumps({**shipped, "networks": networks}))
        assert takes_motion_features(str(tmp_path))
