"""Where the hands of a person are, one place each, and which row of the hands' features each of them has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.vision.eyes.person import INDEXES, PINKIES, WRISTS, Person

KNUCKLES = (5, 9, 13, 17)
"""Points of a hand whose mean is its place: they jitter less than the tips, and hide less often."""
WRIST_VISIBLE = 0.8
"""A wrist of the body stands in for a hand from this visibility on. Of a hidden hand the network guesses: on a film
of a bassoonist the visibility was 0.25 to 0.87, and the guess moved by up to 3 hundredths of the view a frame."""
STAND_IN = 0.5
"""How well a hand is known at most where only the body shows it, whose points jitter more."""
LEAST_SCALE = 0.02
"""Smallest scale that is divided by, in view sides a metre: a player who is smaller cannot be seen."""
REACH_M = 0.6
"""A hand that is seen further from where it was, in metres, is taken for another one."""
MEMORY_S = 1.0
"""So long the place of a lost hand is remembered."""
WRONG_SIDE = 0.1
"""What it costs, in metres, to give a new hand the row of the other side."""


@dataclass(frozen=True)
class HandPlace:
    """A hand in a frame.

    Attributes:
        place: float64 [2], x right, y down, in sides of the square view.
        known: 0 to 1, how sure it is.
        from_body: it is where the body's points say, not seen as a hand.
    """

    place: NDArray[np.float64]
    known: float
    from_body: bool


@dataclass(frozen=True)
class LastPlace:
    """Where a row's hand was last: its place as in `HandPlace`, and when in seconds."""

    place: NDArray[np.float64]
    time_s: float


def find_hands(person: Person) -> list[HandPlace]:
    """The hands of a person, at most two; the body's wrists stand in for hands that are not seen themselves."""
    found = []
    for slot in (0, 1):
        hand, presence = person.hands[slot], float(person.hands[slot, 0, 2])
        rows = [pair[slot] for pair in (WRISTS, PINKIES, INDEXES)]
        visible = float(person.body[rows[0], 2]) if person.body_score > 0 else 0.0
        if presence > 0:
            place = hand[list(KNUCKLES), :2].mean(0, dtype=np.float64)
            found.append(HandPlace(place, min(presence, 1.0), from_body=False))
        elif visible > WRIST_VISIBLE:
            place = person.body[rows[1:], :2].mean(0, dtype=np.float64)
            found.append(HandPlace(place, STAND_IN * min(visible, 1.0), from_body=True))
    return found


def assign_rows(
    hands: Sequence[HandPlace], last: Sequence[LastPlace | None], scale: float, time_s: float
) -> tuple[HandPlace | None, HandPlace | None]:
    """The hand of each row.

    A hand keeps its row as long as it is followed, also where the tracker exchanges left and right, and where hands
    cross. A new one gets the row of its side: of two the left-most in the image has row 0, a single one in the left
    half of the view too. A mirrored view therefore exchanges the rows.

    Args:
        hands: at most two.
        last: where the hand of each row was last; None for nowhere.
        scale: view sides that a metre spans.
        time_s: now.
    """
    by_x = sorted(hands, key=lambda one: float(one.place[0]))

    def cost(number: int, row: int) -> float:
        before, one = last[row], by_x[number]
        side = number if len(by_x) == 2 else int(one.place[0] >= 0.5)
        if before is not None and time_s - before.time_s <= MEMORY_S:
            distance = float(np.hypot(*(one.place - before.place))) / max(scale, LEAST_SCALE)
            if distance < REACH_M:
                return distance
        return REACH_M + WRONG_SIDE * (side != row)

    rows = min(
        itertools.permutations((0, 1), len(by_x)),
        key=lambda rows: sum(cost(number, row) for number, row in enumerate(rows)),
    )
    found: list[HandPlace | None] = [None, None]
    for one, row in zip(by_x, rows, strict=True):
        found[row] = one
    return found[0], found[1]
