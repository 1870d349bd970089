"""Which row of the features a hand has: stable while it is followed, mirrored with the view."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_rows import STAND_IN, LastPlace, assign_rows, find_hands
from tests.people import SCALE, person_with

NOWHERE = (None, None)


def rows_of(person: Person, last: tuple[LastPlace | None, LastPlace | None] = NOWHERE) -> list[float | None]:
    """The x of each row's hand."""
    found = assign_rows(find_hands(person), last, SCALE, 1.0)
    return [None if hand is None else round(float(hand.place[0]), 3) for hand in found]


def at(x: float, y: float = 0.5, time_s: float = 0.96) -> LastPlace:
    return LastPlace(np.array([x, y]), time_s)


def test_a_hand_is_where_its_knuckles_are() -> None:
    (hand,) = find_hands(person_with(left=(0.3, 0.6), presence=0.9))
    assert hand.place == pytest.approx([0.3, 0.6], abs=1e-6)
    assert hand.known == pytest.approx(0.9)
    assert not hand.from_body


def test_the_body_stands_in_for_hands_that_are_not_seen() -> None:
    person = person_with(left=(0.62, 0.5), body=(0.5, 0.5))
    hand, wrist = find_hands(person)
    assert (hand.from_body, wrist.from_body) == (False, True)
    assert wrist.known == STAND_IN
    assert wrist.place == pytest.approx(person.body[[18, 20], :2].mean(0))
    person.body[16, 2] = 0.2  # the right wrist is hidden
    assert len(find_hands(person)) == 1


@pytest.mark.parametrize("hands", [((0.2, 0.5), (0.7, 0.5)), ((0.7, 0.5), (0.2, 0.5))])
def test_new_hands_are_in_the_order_of_the_image(hands: tuple[tuple[float, float], tuple[float, float]]) -> None:
    assert rows_of(person_with(*hands)) == [0.2, 0.7]


@pytest.mark.parametrize(("x", "expected"), [(0.2, [0.2, None]), (0.8, [None, 0.8])])
def test_a_single_new_hand_has_the_row_of_its_side(x: float, expected: list[float | None]) -> None:
    assert rows_of(person_with(left=(x, 0.5))) == expected
    assert rows_of(person_with(right=(x, 0.5))) == expected


def test_hands_keep_their_rows_when_they_cross_and_when_the_tracker_exchanges_them() -> None:
    last = (at(0.55), at(0.45))
    assert rows_of(person_with((0.56, 0.5), (0.44, 0.5)), last) == [0.56, 0.44]
    assert rows_of(person_with((0.44, 0.5), (0.56, 0.5)), last) == [0.56, 0.44]
    assert rows_of(person_with((0.56, 0.5)), last) == [0.56, None], "the other one is lost"


def test_what_appears_far_from_a_followed_hand_is_another_one() -> None:
    assert rows_of(person_with((0.2, 0.5)), (None, at(0.8))) == [0.2, None]
    assert rows_of(person_with((0.7, 0.5)), (at(0.6), None)) == [0.7, None]
    assert rows_of(person_with((0.7, 0.5)), (at(0.6, time_s=-5.0), None)) == [None, 0.7], "long ago"


def test_a_mirrored_view_exchanges_the_rows() -> None:
    for hands in (((0.2, 0.5), (0.7, 0.4)), ((0.3, 0.5), None), (None, (0.9, 0.5))):
        mirrored = [None if place is None else (1.0 - place[0], place[1]) for place in hands]
        there, back = rows_of(person_with(*hands)), rows_of(person_with(mirrored[0], mirrored[1]))
        assert there == [None if x is None else pytest.approx(1.0 - x) for x in reversed(back)]
