"""A tracker's faults: how often hands are lost, when they are found, what is invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streaming.conventions import HAND_POINTS
from streaming.vision.eyes.person import Person
from tests.eye_world import hand_at
from training.synthesis.hand_faults import BODY_FIRST_S, FalseHand, HandFaults, SightModel, draw_faults

STILL = np.zeros(2)
TICK_S = 0.04


def hand(x: float = 0.5, y: float = 0.5, palm: float = 0.1) -> np.ndarray:
    return np.asarray(hand_at(x, y, palm))


def watch(
    faults: HandFaults, lost: float, points: np.ndarray, shift: np.ndarray = STILL, frames: int = 5000
) -> np.ndarray:
    """In which of some frames it is seen."""
    sight = SightModel(faults, lost, np.random.default_rng(0))
    return np.array([sight.sees(points, shift, TICK_S) for _ in range(frames)])


def test_without_faults_a_hand_is_always_seen_where_it_is() -> None:
    assert watch(HandFaults(), 0.0, hand(), frames=100).all()
    sight = SightModel(HandFaults(), 0.0, np.random.default_rng(0))
    assert np.array_equal(sight.blurred(hand(), np.ones(2)), hand())
    assert sight.presence() > 0.8


@pytest.mark.parametrize("lost", [0.1, 0.5, 0.8])
def test_hands_are_lost_as_often_and_as_long_as_the_faults_say(lost: float) -> None:
    seen = watch(HandFaults(gap_s=0.2), lost, hand(), frames=20000)
    assert 1.0 - seen.mean() == pytest.approx(lost, abs=0.08)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], seen, [1]])))
    assert np.diff(edges)[::2].mean() * TICK_S == pytest.approx(0.2, rel=0.25)


def test_fast_small_and_half_hidden_hands_are_lost_more_often() -> None:
    faults = HandFaults(gap_s=0.2)
    easy = watch(faults, 0.1, hand()).mean()
    assert watch(faults, 0.1, hand(), np.array([0.0, 0.1])).mean() < easy - 0.1
    assert watch(faults, 0.1, hand(palm=0.02)).mean() < easy - 0.1
    assert watch(faults, 0.1, hand(x=0.98)).mean() < easy - 0.1


def test_what_is_not_there_or_outside_is_not_seen() -> None:
    for points in (np.full((HAND_POINTS, 2), np.nan), hand(x=1.3), hand(y=-0.2)):
        assert not watch(HandFaults(), 0.0, points, frames=20).any()
    assert not watch(HandFaults(blind=True), 0.0, hand(), frames=20).any()


def test_new_hands_and_bodies_are_claimed_late() -> None:
    seen = watch(HandFaults(first_s=0.2), 0.0, hand(), frames=20)
    assert np.argmax(seen) == 4
    shoulders = np.array([[0.4, 0.5], [0.6, 0.5]])
    assert np.argmax(watch(HandFaults(), 0.0, shoulders, frames=20)) == int(BODY_FIRST_S / TICK_S)


def test_fast_hands_scatter_with_their_motion() -> None:
    sight = SightModel(HandFaults(hands_jitter=0.001, swollen=0.1), 0.0, np.random.default_rng(0))
    rest = np.std([sight.blurred(hand(), STILL) - hand() for _ in range(200)])
    fast = np.std([sight.blurred(hand(), np.array([0.0, 0.1])) - hand() for _ in range(200)])
    assert rest == pytest.approx(0.001, rel=0.15)
    assert fast == pytest.approx(0.011, rel=0.15)


def test_false_hands_take_only_a_free_slot_and_go_again() -> None:
    false = FalseHand(HandFaults(false_hz=0.5, hands_jitter=0.0005), np.random.default_rng(0))
    shown = []
    for _ in range(2000):
        person = Person()
        person.hands[0, :, 2] = 1.0
        false.appear(person, TICK_S)
        assert not person.hands[0, :, :2].any()
        shown.append(person.hands[1, 0, 2])
    share = float(np.mean(np.array(shown) > 0))
    assert 0.15 < share < 0.75
    assert max(shown) <= 0.8
    none = FalseHand(replace(HandFaults(), false_hz=0.0), np.random.default_rng(0))
    person = Person()
    for _ in range(500):
        none.appear(person, TICK_S)
    assert not person.hands.any()


def test_drawn_faults_reach_from_clear_to_blind() -> None:
    drawn = [draw_faults(np.random.default_rng(seed)) for seed in range(300)]
    assert 0.1 < np.mean([faults.blind for faults in drawn]) < 0.3
    lost = [faults.hands_lost for faults in drawn]
    assert min(lost) < 0.02
    assert max(lost) > 0.8
    assert min(faults.hands_jitter for faults in drawn) >= 0.0004
    assert max(faults.body_jitter for faults in drawn) <= 0.0039
    assert 0.008 < max(faults.wrist_jitter for faults in drawn) <= 0.01
