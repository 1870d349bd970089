"""The body tracker: the detector looks only while no body is followed, and not at every frame."""

from __future__ import annotations

import numpy as np

from streaming.vision.eyes.body_tracker import BodyTracker
from tests.eye_world import World, body_at

TICK_NS = 40_000_000


def tracker_of(world: World) -> BodyTracker:
    engines = world.engines()
    return BodyTracker(engines["body_detector"], engines["body_landmarks"])


def test_a_body_is_found_and_followed_with_its_visibility() -> None:
    world = World(body=body_at(110, 130, 50))
    assert world.body is not None
    world.body[15, 2] = 0
    tracker = tracker_of(world)
    for tick in range(10):
        world.body[:, 0] += 2
        body = tracker.look(world.frame(), tick * TICK_NS)
        assert body is not None
        np.testing.assert_allclose(body.points[:, :2], world.body[:, :2], atol=3)
    assert world.calls == {"body_detector": 1, "body_landmarks": 10}
    assert body is not None
    assert body.points[15, 2] < 0.01
    assert body.points[16, 2] > 0.99


def test_the_detector_rests_between_its_looks() -> None:
    world = World()
    tracker = tracker_of(world)
    for tick in range(25):
        assert tracker.look(world.frame(), tick * TICK_NS) is None
    assert world.calls == {"body_detector": 4}


def test_a_body_that_leaves_is_lost() -> None:
    world = World(body=body_at(110, 130, 50))
    tracker = tracker_of(world)
    assert tracker.look(world.frame(), TICK_NS) is not None
    world.body = None
    assert tracker.look(world.frame(), 2 * TICK_NS) is None


def test_a_dropped_body_is_not_looked_for_at_once() -> None:
    world = World(body=body_at(110, 130, 50))
    tracker = tracker_of(world)
    tracker.look(world.frame(), TICK_NS)
    tracker.drop(TICK_NS)
    assert tracker.look(world.frame(), 2 * TICK_NS) is None
    assert tracker.look(world.frame(), 12 * TICK_NS) is not None
