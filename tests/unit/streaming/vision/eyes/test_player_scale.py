"""The player's scale: by body or hands, followed in about a second, held while nothing is seen."""

from __future__ import annotations

import pytest

from streaming.vision.eyes.person import Person, body_scale, hand_scale
from streaming.vision.eyes.player_scale import SCALE_S, PlayerScale
from tests.people import person_with

S = 1_000_000_000


def test_the_body_counts_before_the_hands() -> None:
    both, hands = person_with(left=(0.3, 0.5), body=(0.5, 0.5)), person_with(left=(0.3, 0.5))
    assert PlayerScale().follow(both, 0) == pytest.approx(body_scale(both.body))
    assert PlayerScale().follow(hands, 0) == pytest.approx(hand_scale(hands.hands[0]))
    assert PlayerScale().follow(Person(), 0) == 0.0


def test_it_follows_in_about_a_second_and_is_held_while_nothing_is_seen() -> None:
    near, far = person_with(left=(0.3, 0.5)), person_with(left=(0.3, 0.5))
    near.hands[0, :, :2] *= 2.0
    scale = PlayerScale()
    first = scale.follow(far, 0)
    assert scale.follow(Person(), S) == first
    half = scale.follow(near, S + int(SCALE_S * S))
    assert half == pytest.approx(1.5 * first, rel=1e-4)
    scale.reset()
    assert scale.follow(near, 0) == pytest.approx(2.0 * first, rel=1e-4)
