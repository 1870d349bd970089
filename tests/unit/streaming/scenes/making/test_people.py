"""People are found once each, with their points and pixels where they are in the still."""

from __future__ import annotations

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.scenes.making.people import PublishedPeopleFinder, windows
from streaming.vision.eyes.detectors import BODY_SIDE, BODY_STRIDES, anchors


class FakeDetector:
    """Finds bodies at given places of the whole picture's window, and none in other windows."""

    spec = EngineSpec("body_detector", "test")

    def __init__(self, places: list[tuple[float, float, float]]) -> None:
        self._places, self._calls = places, 0

    def step(self, **inputs: object) -> dict[str, np.ndarray]:
        middles = anchors(BODY_SIDE, BODY_STRIDES)
        boxes = np.zeros((len(middles), 12), np.float32)
        scores = np.full(len(middles), -20.0, np.float32)
        self._calls += 1
        for x, y, size in self._places if self._calls == 1 else []:
            best = int(np.argmin(np.abs(middles - (x, y)).sum(1)))
            at = (x, y) - middles[best]
            boxes[best, :4] = (*at, size, size)
            boxes[best, 4:8] = (*at, at[0], at[1] - size)
            scores[best] = 5.0
        return {"boxes": boxes, "scores": scores}

    def reset(self) -> None: ...


class FakeLandmarks:
    """A body in the middle of every region, whose mask is the region's middle square."""

    spec = EngineSpec("body_mask", "test")

    def __init__(self, presence: float = 0.99) -> None:
        self._presence = presence

    def step(self, **inputs: object) -> dict[str, np.ndarray]:
        rows = np.full((39, 5), 128.0, np.float32)
        rows[:, 3] = 4.0
        rows[34, 1] = 128.0 - 256 / 2.5
        mask = np.full((256, 256), -30.0, np.float32)
        mask[64:192, 64:192] = 30.0
        return {"landmarks": rows, "presence": np.array([self._presence], np.float32), "mask": mask}

    def reset(self) -> None: ...


IMAGE = np.zeros((448, 448, 3), np.uint8)


def test_two_people_are_two_and_lie_where_they_are() -> None:
    finder = PublishedPeopleFinder(FakeDetector([(60, 110, 40), (160, 110, 40)]), FakeLandmarks())
    one, other = sorted(finder.find(IMAGE), key=lambda person: person.points[0, 0])
    assert one.points.shape == (33, 2)
    assert one.points[0] == pytest.approx((120, 220), abs=1.5)
    assert other.points[0] == pytest.approx((320, 220), abs=1.5)
    assert one.visibility.min() > 0.9
    ys, xs = np.nonzero(one.mask > 0.5)
    assert (xs.mean(), ys.mean()) == pytest.approx((120, 220), abs=2)
    assert np.ptp(xs) == pytest.approx(100, abs=4), "half of a region of 2.5 times the circle's radius"


def test_one_body_that_is_found_twice_is_one() -> None:
    finder = PublishedPeopleFinder(FakeDetector([(100, 110, 60), (108, 116, 10)]), FakeLandmarks())
    assert len(finder.find(IMAGE)) == 1


def test_what_the_second_network_does_not_believe_is_nobody() -> None:
    assert PublishedPeopleFinder(FakeDetector([(60, 110, 40)]), FakeLandmarks(0.83)).find(IMAGE) == []
    assert PublishedPeopleFinder(FakeDetector([]), FakeLandmarks()).find(IMAGE) == []


def test_a_long_picture_is_looked_at_from_both_ends_too() -> None:
    assert len(windows(np.zeros((400, 400, 3), np.uint8))) == 1
    whole, left, right = windows(np.zeros((400, 900, 3), np.uint8))
    assert whole.size == 900
    assert (left.x, left.y, left.size) == (200, 200, 400)
    assert (right.x, right.y, right.size) == (700, 200, 400)
