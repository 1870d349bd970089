"""The filter: what rests is steadied, what moves is not held back, what is lost begins anew."""

from __future__ import annotations

import numpy as np

from streaming.vision.eyes.person import Person
from streaming.vision.eyes.smoothing import PersonFilter, PointFilter
from tests.eye_world import body_at, hand_at

TICK_NS = 40_000_000


def test_jitter_at_rest_is_about_a_third() -> None:
    noise = 0.0006 * np.random.default_rng(0).standard_normal((200, 5, 2)).astype(np.float32)
    one = PointFilter()
    out = np.stack([one.smooth(0.5 + points, 0.1, tick * TICK_NS) for tick, points in enumerate(noise)])
    assert np.diff(out[50:], axis=0).std() < 0.4 * np.diff(noise[50:], axis=0).std()


def test_a_stroke_is_late_by_less_than_half_a_tick() -> None:
    times = np.arange(30) * 0.04
    places = np.where(times < 0.4, 0.0, np.minimum((times - 0.4) * 2.0, 0.4))  # 2 sides a second, then a dead stop
    one = PointFilter()
    out = [
        one.smooth(np.full((1, 2), place, np.float32), 0.1, tick * TICK_NS)[0, 0] for tick, place in enumerate(places)
    ]
    assert abs(out[13] - places[13]) < 0.5 * 2.0 * 0.04
    assert abs(out[16] - 0.4) < 0.02


def test_after_a_gap_points_pass_as_they_are() -> None:
    one = PointFilter()
    one.smooth(np.zeros((1, 2), np.float32), 0.1, 0)
    far = np.ones((1, 2), np.float32)
    assert np.array_equal(one.smooth(far, 0.1, 1_000_000_000), far)
    one.reset()
    assert np.array_equal(one.smooth(0 * far, 0.1, 1_040_000_000), 0 * far)


def person_at(x: float, *, hand: bool = True) -> Person:
    person = Person(body_score=0.9)
    person.body[:] = body_at(x, 0.5, 0.2)
    if hand:
        person.hands[0, :, :2], person.hands[0, :, 2] = hand_at(x, 0.5, 0.05), 0.9
    return person


def test_each_part_of_a_person_is_smoothed_and_what_is_lost_begins_anew() -> None:
    one = PersonFilter()
    one.smooth(person_at(0.5), 0)
    moved = one.smooth(person_at(0.501), TICK_NS)
    assert 0 < moved.hands[0, 0, 0] - 0.5 < 0.001
    assert not moved.hands[1].any()
    np.testing.assert_array_equal(moved.body[:, 2], 1)
    lost = one.smooth(person_at(0.501, hand=False), 2 * TICK_NS)
    assert not lost.hands.any()
    again = one.smooth(person_at(0.502), 3 * TICK_NS)
    np.testing.assert_allclose(again.hands[0, :, :2], person_at(0.502).hands[0, :, :2], atol=1e-6)


def test_the_persons_own_points_are_left_alone() -> None:
    one = PersonFilter()
    one.smooth(person_at(0.5), 0)
    later = person_at(0.6)
    one.smooth(later, TICK_NS)
    np.testing.assert_array_equal(later.body, person_at(0.6).body)
