"""People are found once each, with their points and pixels where they are in the still."""

from __future__ import annotations

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.scenes.making.people import FoundPerson, PublishedPeopleFinder, windows, with_arms
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
            boxes[best, :4] = (*at, 6, 6)
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


class FakeOutline:
    """Means the white pixels of a picture, or nothing."""

    spec = EngineSpec("body_outline", "test")

    def __init__(self, *, blind: bool = False) -> None:
        self._blind = blind

    def step(self, **inputs: object) -> dict[str, np.ndarray]:
        white = np.asarray(inputs["image"])[..., 0].astype(np.float32) / 255
        return {"people": white * (not self._blind)}

    def reset(self) -> None: ...


def finder_of(places: list[tuple[float, float, float]], presence: float = 0.99) -> PublishedPeopleFinder:
    return PublishedPeopleFinder(FakeDetector(places), FakeLandmarks(presence), FakeOutline(blind=True))


IMAGE = np.zeros((448, 448, 3), np.uint8)


def test_two_people_are_two_and_lie_where_they_are() -> None:
    finder = finder_of([(60, 110, 40), (160, 110, 40)])
    one, other = sorted(finder.find(IMAGE), key=lambda person: person.points[0, 0])
    assert one.points.shape == (33, 2)
    assert one.points[0] == pytest.approx((120, 220), abs=1.5)
    assert other.points[0] == pytest.approx((320, 220), abs=1.5)
    assert one.visibility.min() > 0.9
    ys, xs = np.nonzero(one.mask > 0.5)
    assert (xs.mean(), ys.mean()) == pytest.approx((120, 220), abs=2)
    assert np.ptp(xs) == pytest.approx(100, abs=4), "half of a region of 2.5 times the circle's radius"


def test_one_body_that_is_found_twice_is_one() -> None:
    finder = finder_of([(100, 110, 60), (105, 115, 50)])
    assert len(finder.find(IMAGE)) == 1


def test_what_the_second_network_does_not_believe_is_nobody() -> None:
    assert finder_of([(60, 110, 40)], 0.83).find(IMAGE) == []
    assert finder_of([]).find(IMAGE) == []


def test_the_windows_are_the_whole_picture_and_smaller_squares_all_over_it() -> None:
    for height, width in ((400, 400), (400, 900), (700, 400)):
        first, *others = windows(np.zeros((height, width, 3), np.uint8))
        assert first.size == max(height, width)
        assert {other.size for other in others} <= {400.0, 240.0}
        for size in {other.size for other in others}:
            xs = sorted({other.x for other in others if other.size == size})
            ys = sorted({other.y for other in others if other.size == size})
            assert (xs[0] - size / 2, xs[-1] + size / 2) == (0, width)
            assert (ys[0] - size / 2, ys[-1] + size / 2) == (0, height)
            assert max([*np.diff(xs), *np.diff(ys), 0]) <= size / 2 + 1e-6


def test_looks_at_one_person_are_averaged() -> None:
    once = finder_of([(100, 110, 60)]).find(IMAGE)[0]
    twice = finder_of([(100, 110, 60), (105, 115, 60)]).find(IMAGE)[0]
    assert once.mask.max() > 0.99
    between = (twice.mask > 0.3) & (twice.mask < 0.7)
    assert between.sum() > 1000


def test_arms_that_are_seen_belong_to_the_person() -> None:
    points = np.zeros((33, 2))
    points[[11, 12]] = (150, 100), (250, 100)
    points[[13, 15, 19]] = (120, 180), (60, 200), (40, 205)
    visibility = np.ones(33)
    visibility[[14, 16, 20]] = 0.2
    mask = np.zeros((300, 400), np.float32)
    found = with_arms(FoundPerson(points, visibility, mask, 0.99))
    assert found[190, 90] > 0.5
    assert found[:, 200:].max() == 0.0
    sure = np.ones((300, 400), np.float32)
    assert with_arms(FoundPerson(points, visibility, sure, 0.99)).min() == 1.0


def test_the_outline_adds_a_sleeve_and_takes_off_what_is_behind() -> None:
    """The points' network means rows 170 to 270 of the picture; the outline's rows 190 to 290."""
    image = IMAGE.copy()
    image[190:290, 70:170] = 255
    finder = PublishedPeopleFinder(FakeDetector([(60, 110, 40)]), FakeLandmarks(), FakeOutline())
    mask = finder.find(image)[0].mask
    assert mask[230, 120] > 0.95
    assert mask[282, 120] == pytest.approx(0.7, abs=0.05), "the outline alone"
    assert mask[178, 120] == pytest.approx(0.3, abs=0.05), "the points alone"


def test_an_outline_of_somebody_else_does_not_count() -> None:
    image = IMAGE.copy()
    image[:, 240:] = 255
    place = [(60.0, 110.0, 40.0)]
    with_outline = PublishedPeopleFinder(FakeDetector(place), FakeLandmarks(), FakeOutline()).find(image)[0]
    np.testing.assert_array_equal(with_outline.mask, finder_of(place).find(image)[0].mask)
