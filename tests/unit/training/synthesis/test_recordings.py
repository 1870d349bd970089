"""Recordings: a frame is used from its time on, and a periodic performer repeats one gesture."""

from __future__ import annotations

import numpy as np
import pytest

from training.measures.onsets import detect_onsets
from training.synthesis.recordings import TEST_SEED, performer_of, read_motion, sound_of, watch


def test_a_periodic_performer_repeats_one_gesture() -> None:
    for seed in range(5):
        score_ = performer_of(seed, periodic=True).score
        assert not score_.rests
        assert np.ptp(np.diff(score_.onsets_s)) < 1e-9
        assert detect_onsets(sound_of(seed, periodic=True)).size >= 0.8 * score_.onsets_s.size


def test_nothing_is_seen_before_its_time() -> None:
    class Counts:
        """An engine that says how bright the picture is."""

        def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
            return {"embedding": np.full(128, image[64, 64, 0], np.float32)}

        def reset(self) -> None:
            """Nothing to forget."""

    frames = [(np.full((48, 64, 3), number, np.uint8), 0.1 * number) for number in range(1, 6)]
    *_, seen, age = read_motion(iter(frames), 14, Counts())  # type: ignore[arg-type]
    assert seen[:, 0].tolist() == [0, 0, 0, *(2 * [1]), *(3 * [2]), *(2 * [3]), *(3 * [4]), 5]
    assert age[3:] == pytest.approx([0.02, 0.06, *[0.0, 0.04, 0.08], *[0.02, 0.06], *[0.0, 0.04, 0.08], 0.02], abs=1e-6)


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
