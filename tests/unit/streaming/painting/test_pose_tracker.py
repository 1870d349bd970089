"""Following a player: every tick once and in order, what was passed over made up for, never a number that is none."""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.contract import EngineSpec
from streaming.painting.pose_tracker import MAX_MISSED, PoseTracker

EMBEDDING = np.zeros(3, np.float32)


class FakePose:
    """Says all it was told since it began anew, one after the other, as one number; remembers what it was told."""

    def __init__(self) -> None:
        self.spec = EngineSpec("pose", "fake", config={"latent_dim": 2})
        self.told: list[float] = []
        self.resets = 0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.told.append(float(inputs["latent"][0]))
        return {"said": np.full((1, 3), self.told[-1], np.float32)}

    def reset(self) -> None:
        self.told.clear()
        self.resets += 1


def latent(value: float, width: int = 2) -> np.ndarray:
    return np.full(width, value, np.float32)


def test_ticks_that_were_passed_over_are_as_the_one_before() -> None:
    pose = FakePose()
    tracker = PoseTracker(pose)
    for tick, value in ((7, 1.0), (8, 2.0), (11, 3.0)):
        said = tracker.update(tick, latent(value), EMBEDDING)
    assert pose.told == [1.0, 2.0, 2.0, 2.0, 3.0]
    assert said is not None
    assert said.tolist() == [[3.0] * 3]
    tracker.update(10_000, latent(4.0), EMBEDDING)
    assert pose.told[5:] == [3.0] * MAX_MISSED + [4.0]


def test_a_tick_is_heard_once_and_an_earlier_one_begins_anew() -> None:
    pose = FakePose()
    tracker = PoseTracker(pose)
    first = tracker.update(5, latent(1.0), EMBEDDING)
    assert tracker.update(5, latent(9.0), EMBEDDING) is first
    tracker.update(4, latent(2.0), EMBEDDING)
    assert (pose.told, pose.resets) == ([2.0], 2)


def test_a_latent_of_another_width_is_nothing_heard() -> None:
    pose = FakePose()
    tracker = PoseTracker(pose)
    tracker.update(0, latent(5.0, 3), EMBEDDING)
    assert pose.told == [0.0]


def test_after_what_is_no_number_it_begins_anew() -> None:
    pose = FakePose()
    tracker = PoseTracker(pose)
    tracker.update(0, latent(1.0), EMBEDDING)
    assert tracker.update(1, latent(float("nan")), EMBEDDING) is None
    said = tracker.update(2, latent(2.0), EMBEDDING)
    assert said is not None
    assert pose.told == [2.0]
