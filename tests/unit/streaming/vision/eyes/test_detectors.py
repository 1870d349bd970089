"""Detectors: anchors as the networks were trained with, boxes that do not overlap, regions that hold the whole."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.vision.eyes.detectors import (
    BODY_SIDE,
    BODY_STRIDES,
    PALM_SIDE,
    PALM_STRIDES,
    BodyDetector,
    PalmDetector,
    anchors,
    strongest,
)
from streaming.vision.eyes.regions import Region, cut, whole
from tests.eye_world import SeenHand, World, body_at, hand_at


def test_the_anchors_are_as_many_as_the_networks_outputs() -> None:
    assert anchors(BODY_SIDE, BODY_STRIDES).shape == (2254, 2)
    palms = anchors(PALM_SIDE, PALM_STRIDES)
    assert palms.shape == (2016, 2)
    assert palms[:3].tolist() == [[4, 4], [4, 4], [12, 4]]
    assert palms[-1].tolist() == [184, 184]


def test_of_overlapping_boxes_the_best_is_taken() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [50, 0, 60, 10]], np.float32)
    scores = np.array([0.8, 0.9, 0.6, 0.4], np.float32)
    assert strongest(scores, boxes, 5) == [1, 2]
    assert strongest(scores, boxes, 1) == [1]


@pytest.mark.parametrize("angle", [0.0, 1.2, -2.0])
def test_a_palms_region_holds_the_hand_upright(angle: float) -> None:
    world = World(hands=[SeenHand(hand_at(120, 130, 40, angle))])
    frame = world.frame()
    (found,) = PalmDetector(world.engines()["palm_detector"]).find(frame, whole(frame))
    seen = world.to_picture(cut(frame, found.region, 100), world.hands[0].points)
    assert seen.min() > 0
    assert seen.max() < 100
    assert abs(seen[9, 0] - seen[0, 0]) < 6
    assert seen[9, 1] < seen[0, 1]


def test_a_bodys_region_holds_its_circle() -> None:
    world = World(body=body_at(110, 130, 50))
    frame = world.frame()
    found = BodyDetector(world.engines()["body_detector"]).find(frame, whole(frame))
    assert found is not None
    assert (found.region.x, found.region.y) == pytest.approx((110, 130), abs=2)
    assert found.region.size == pytest.approx(2.5 * 100, rel=0.05)
    assert found.region.angle == pytest.approx(0, abs=0.05)


def test_nothing_is_found_in_nothing() -> None:
    world = World()
    frame = world.frame()
    assert BodyDetector(world.engines()["body_detector"]).find(frame, whole(frame)) is None
    assert PalmDetector(world.engines()["palm_detector"]).find(frame, Region(50, 50, 100)) == []
