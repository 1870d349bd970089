"""The person: nothing until something is seen, and a scale that body and hands agree on."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.vision.eyes.person import Person, body_scale, hand_scale
from tests.eye_world import body_at, hand_at


def test_nobody_is_zeros() -> None:
    person = Person()
    assert (person.body.shape, person.hands.shape) == ((33, 3), (2, 21, 3))
    assert not person.body.any()
    assert person.presence.tolist() == [0, 0]


def test_a_metre_is_read_from_the_torso_and_from_the_shoulders() -> None:
    body = body_at(0.5, 0.5, 0.2).astype(np.float32)
    assert body_scale(body) == pytest.approx(0.4, rel=0.01)
    body[[23, 24], 2] = 0
    assert body_scale(body) == pytest.approx(0.4, rel=0.01)
    body[11, 2] = 0
    assert body_scale(body) == 0


def test_a_player_who_turns_away_does_not_shrink() -> None:
    body = body_at(0.5, 0.5, 0.2).astype(np.float32)
    body[[11, 12], 0] = 0.5
    assert body_scale(body) == pytest.approx(0.4, rel=0.01)


@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0])
def test_a_hand_gives_a_metre_too_however_it_is_turned(angle: float) -> None:
    hand = hand_at(0.5, 0.5, 0.038, angle).astype(np.float32)
    assert hand_scale(hand) == pytest.approx(0.4, rel=0.2)
