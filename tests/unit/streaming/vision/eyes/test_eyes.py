"""The eyes as a whole: what they claim of a world, in which measure, and at which cost."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from engines.contract import EngineError
from streaming.vision.eyes.eyes import BODY_NETWORKS, Eyes, Mode, open_eyes
from streaming.vision.eyes.person import Person
from tests.eye_world import SeenHand, World, body_at, hand_at

TICK_NS = 40_000_000


def look(eyes: Eyes, world: World, ticks: int, first: int = 0) -> list[Person]:
    return [eyes.look(world.frame(), tick * TICK_NS) for tick in range(first, first + ticks)]


def player() -> World:
    world = World(320, 240, body=body_at(160, 120, 60))
    world.hands = [SeenHand(hand_at(190, 118, 14, np.pi), left=True), SeenHand(hand_at(130, 118, 14, np.pi))]
    return world


def test_points_are_in_sides_of_the_square_that_holds_the_frame_whole() -> None:
    world = player()
    person = look(Eyes(world.engines(), "full"), world, 20)[-1]
    assert world.body is not None
    corner = np.array([0, 40])
    np.testing.assert_allclose(person.body[:, :2], (world.body[:, :2] + corner) / 320, atol=0.01)
    np.testing.assert_allclose(person.hands[0, :, :2], (world.hands[0].points + corner) / 320, atol=0.01)
    assert person.body_score == pytest.approx(0.99)
    assert person.presence.min() > 0.9
    assert person.scale == pytest.approx(60 / 320 / 0.5, rel=0.2)  # the hands' reading came first


def test_of_hands_alone_no_body_is_claimed_and_the_hands_are_kept() -> None:
    world = World(hands=[SeenHand(hand_at(70, 150, 50)), SeenHand(hand_at(180, 150, 50), left=True)])
    world.body, world.body_presence = body_at(70, 120, 20), 0.93  # a hand that is taken for a small body
    people = look(Eyes(world.engines(), "full"), world, 60)
    assert max(person.body_score for person in people) == 0
    assert people[-1].presence.min() > 0.9
    assert not people[-1].body.any()
    assert people[-1].scale > 1


def test_nobody_is_nothing() -> None:
    world = World()
    person = look(Eyes(world.engines(), "full"), world, 20)[-1]
    assert not person.body.any()
    assert not person.hands.any()
    assert person.scale == 0


def test_the_light_mode_runs_no_network_of_the_hands() -> None:
    world = player()
    eyes = Eyes({name: world.engines()[name] for name in BODY_NETWORKS}, "body")
    person = look(eyes, world, 20)[-1]
    assert person.body_score > 0
    assert not person.hands.any()
    assert not eyes.sees_hands
    assert set(world.calls) == set(BODY_NETWORKS)


@pytest.mark.parametrize(("mode", "kept"), [("auto", False), ("full", True)])
def test_hands_are_left_out_where_looking_takes_too_long(mode: Mode, kept: bool) -> None:
    world, clock = player(), itertools.count(0, 9_000_000)  # each part of a look takes 9 ms
    eyes = Eyes(world.engines(), mode, budget_ms=16, clock=lambda: next(clock))
    person = look(eyes, world, 60)[-1]
    assert eyes.sees_hands == kept
    assert bool(person.hands.any()) == kept
    assert person.body_score > 0


def test_where_there_is_time_auto_keeps_the_hands() -> None:
    world = player()
    assert look(Eyes(world.engines(), "auto", clock=lambda: 0), world, 70)[-1].presence.min() > 0.9


def test_reset_forgets_the_person() -> None:
    world = player()
    eyes = Eyes(world.engines(), "full")
    look(eyes, world, 20)
    eyes.reset()
    person = eyes.look(np.zeros((240, 320, 3), np.uint8), 21 * TICK_NS)
    assert not person.body.any()
    assert person.scale == 0


def test_the_same_frames_give_the_same_person_after_a_reset() -> None:
    world = player()
    eyes = Eyes(world.engines(), "full")
    first = look(eyes, world, 15)[-1]
    eyes.reset()
    again = look(eyes, world, 15)[-1]
    np.testing.assert_array_equal(first.body, again.body)
    np.testing.assert_array_equal(first.hands, again.hands)


def test_without_the_networks_one_line_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTIPHON_EYES", str(tmp_path))
    with pytest.raises(EngineError, match=r"run: python -m export\.eyes"):
        open_eyes()


def test_with_the_body_alone_no_network_of_the_hands_runs_until_they_are_wanted_again() -> None:
    world = player()
    eyes = Eyes(world.engines(), "auto", clock=lambda: 0)
    assert look(eyes, world, 20)[-1].hands.any()
    eyes.body_alone = True
    world.calls.clear()
    person = look(eyes, world, 20, first=20)[-1]
    assert not eyes.sees_hands
    assert not person.hands.any()
    assert person.body_score > 0
    assert set(world.calls) <= set(BODY_NETWORKS)
    eyes.body_alone = False
    assert look(eyes, world, 20, first=40)[-1].hands.any()
