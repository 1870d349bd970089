"""Claims: a body is claimed when it stays and is sure; beside hands that are far too large for it there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streaming.vision.eyes.body_tracker import TrackedBody
from streaming.vision.eyes.claims import BodyClaim
from streaming.vision.eyes.hand_tracker import TrackedHand, hand_region
from streaming.vision.eyes.regions import Region
from tests.eye_world import body_at, hand_at

TICK_NS = 40_000_000
TORSO = 100.0
OWN_PALM = 0.095 * TORSO / 0.5
NONE = (None, None)


def body(presence: float = 0.99) -> TrackedBody:
    return TrackedBody(body_at(200, 200, TORSO).astype(np.float32), presence, Region(200, 200, 400))


def hand(palm: float) -> TrackedHand:
    points = hand_at(200, 200, palm).astype(np.float32)
    return TrackedHand(points, 0.99, hand_region(points), 0.0)


def judge(
    claim: BodyClaim, one: TrackedBody | None, hands: Sequence[TrackedHand | None], first: int, ticks: int
) -> list[tuple[bool, bool]]:
    return [claim.judge(one, hands, tick * TICK_NS) for tick in range(first, first + ticks)]


def test_a_body_is_claimed_after_a_third_of_a_second() -> None:
    claimed = [one for one, _ in judge(BodyClaim(), body(), NONE, 0, 12)]
    assert claimed == [False] * 8 + [True] * 4


def test_an_unsure_body_is_not_claimed() -> None:
    assert set(judge(BodyClaim(), body(0.8), NONE, 0, 50)) == {(False, False)}


def test_a_hand_of_its_size_and_one_nearer_to_the_camera_belong_to_it() -> None:
    assert judge(BodyClaim(), body(), [hand(OWN_PALM), hand(1.5 * OWN_PALM)], 0, 20)[-1] == (True, False)


def test_beside_a_hand_that_is_far_too_large_it_is_none() -> None:
    assert judge(BodyClaim(), body(), [None, hand(5 * OWN_PALM)], 0, 1) == [(False, True)]


def test_a_claimed_body_survives_a_hand_held_into_the_camera_but_not_for_long() -> None:
    claim = BodyClaim()
    judge(claim, body(), NONE, 0, 20)
    assert set(judge(claim, body(), [None, hand(5 * OWN_PALM)], 20, 20)) == {(True, False)}
    assert (False, True) in judge(claim, body(), [None, hand(5 * OWN_PALM)], 40, 10)


def test_what_is_lost_has_to_be_confirmed_again() -> None:
    claim = BodyClaim()
    judge(claim, body(), NONE, 0, 20)
    assert judge(claim, None, NONE, 20, 1) == [(False, False)]
    assert judge(claim, body(), NONE, 21, 3)[-1] == (False, False)
