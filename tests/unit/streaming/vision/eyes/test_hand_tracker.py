"""The hand tracker: finds, follows, loses and tells hands apart, with a body and without."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.vision.eyes.hand_tracker import HandTracker, TrackedHand, hand_region, windows
from streaming.vision.eyes.person import LEFT, RIGHT
from tests.eye_world import SeenHand, World, body_at, hand_at

TICK_NS = 40_000_000


class HandSession:
    """Looks at a world tick after tick."""

    def __init__(self, world: World) -> None:
        self.world = world
        engines = world.engines()
        self.tracker = HandTracker(engines["palm_detector"], engines["hand_landmarks"])
        self.now_ns = 0

    def look(self, ticks: int = 1) -> tuple[TrackedHand | None, TrackedHand | None]:
        body = None if self.world.body is None else self.world.body.astype(np.float32)
        for _ in range(ticks):
            self.now_ns += TICK_NS
            found = self.tracker.look(self.world.frame(), self.now_ns, body)
        return found


def pair() -> World:
    """The player's left hand on the right of the picture, as the camera sees a player who faces it."""
    return World(hands=[SeenHand(hand_at(170, 150, 30), left=True), SeenHand(hand_at(70, 150, 30), left=False)])


def test_two_hands_are_found_and_told_apart_without_a_body() -> None:
    world = pair()
    left, right = HandSession(world).look(10)
    assert left is not None
    assert right is not None
    np.testing.assert_allclose(left.points, world.hands[0].points, atol=2)
    np.testing.assert_allclose(right.points, world.hands[1].points, atol=2)
    assert (round(left.left), round(right.left)) == (1, 0)


def test_a_followed_hand_needs_no_detector() -> None:
    session = HandSession(pair())
    session.look(10)
    before = dict(session.world.calls)
    session.look(20)
    assert session.world.calls["palm_detector"] == before["palm_detector"]
    assert session.world.calls["hand_landmarks"] == before["hand_landmarks"] + 40


def test_a_moving_and_turning_hand_is_followed() -> None:
    world = World(hands=[SeenHand(hand_at(60, 120, 30))])
    session = HandSession(world)
    session.look(10)
    for step in range(20):
        world.hands[0].points = hand_at(60 + 6 * step, 120, 30 + step / 2, step / 15)
        left, right = session.look()
        assert left is None
        assert right is not None
        np.testing.assert_allclose(right.points, world.hands[0].points, atol=2.5)


def test_a_hand_that_leaves_is_lost_and_one_that_returns_is_found() -> None:
    world = World(hands=[SeenHand(hand_at(120, 120, 30))])
    session = HandSession(world)
    assert session.look(10)[RIGHT] is not None
    world.hands.clear()
    assert session.look() == (None, None)
    session.look(10)
    world.hands.append(SeenHand(hand_at(60, 100, 30)))
    assert session.look(12)[RIGHT] is not None


def test_a_hand_that_is_blurred_for_a_moment_is_found_without_the_detector() -> None:
    world = World(hands=[SeenHand(hand_at(120, 120, 30))])
    session = HandSession(world)
    session.look(10)
    hand = world.hands.pop()
    assert session.look() == (None, None)
    world.hands.append(hand)
    calls = world.calls["palm_detector"]
    assert session.look()[RIGHT] is not None
    assert world.calls["palm_detector"] <= calls + 1


def test_what_is_hardly_a_hand_is_not_taken() -> None:
    world = World(hands=[SeenHand(hand_at(120, 120, 30), presence=0.55)])
    assert HandSession(world).look(20) == (None, None)


def test_one_hand_does_not_fill_both_places() -> None:
    world = World(hands=[SeenHand(hand_at(120, 120, 30))])
    session = HandSession(world)
    for _ in range(30):
        assert session.look().count(None) >= 1


def test_the_body_says_which_hand_is_which() -> None:
    world = World(body=body_at(120, 120, 60))
    # Its left wrist is at 150, its right one at 90; each hand looks like the other one.
    world.hands = [SeenHand(hand_at(150, 122, 14, np.pi), left=False), SeenHand(hand_at(90, 122, 14, np.pi), left=True)]
    left, right = HandSession(world).look(12)
    assert left is not None
    assert right is not None
    assert left.points[0, 0] == pytest.approx(150, abs=3)
    assert right.points[0, 0] == pytest.approx(90, abs=3)


def test_a_hand_at_the_bodys_wrist_is_found_without_the_detector() -> None:
    world = World(body=body_at(120, 120, 60))
    world.hands = [SeenHand(hand_at(150, 118, 14, np.pi), left=True)]
    assert HandSession(world).look(1)[LEFT] is not None


def test_hands_over_a_keyboard_are_found_in_parts_of_a_long_frame() -> None:
    world = World(1600, 160)
    world.hands = [SeenHand(hand_at(500, 120, 60), left=True), SeenHand(hand_at(900, 120, 60))]
    left, right = HandSession(world).look(25)
    assert left is not None
    assert right is not None
    assert left.points[0, 0] == pytest.approx(500, abs=8)


def test_reset_forgets_both_hands() -> None:
    session = HandSession(pair())
    session.look(10)
    calls = session.world.calls["hand_landmarks"]
    session.tracker.reset()
    session.world.hands.clear()
    assert session.look() == (None, None)
    assert session.world.calls["hand_landmarks"] == calls


@pytest.mark.parametrize(("width", "height", "count"), [(240, 240, 2), (1280, 720, 4), (720, 1280, 4), (1840, 200, 6)])
def test_the_windows_cover_the_frame(width: int, height: int, count: int) -> None:
    parts = windows(width, height)
    assert len(parts) == count
    assert parts[0].size == max(width, height)
    for x, y in ((1, 1), (width - 1, height - 1), (width / 2, height / 2)):
        for some in (parts[:1], parts[1:] or parts):
            assert any(abs(x - part.x) <= part.size / 2 and abs(y - part.y) <= part.size / 2 for part in some)


@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0])
def test_a_hands_region_turns_and_grows_with_it(angle: float) -> None:
    one, larger = (hand_region(hand_at(100, 100, palm, angle).astype(np.float32)) for palm in (20, 40))
    assert larger.size == pytest.approx(2 * one.size, rel=0.01)
    assert np.cos(one.angle - angle) == pytest.approx(1, abs=0.02)
