"""People made of points, as the eyes would find them: hands and a body at given places."""

from __future__ import annotations

from streaming.vision.eyes.person import Person
from tests.eye_world import body_at, hand_at

SCALE = 0.4
"""Sides of the view that a metre spans."""


def person_with(
    left: tuple[float, float] | None = None,
    right: tuple[float, float] | None = None,
    body: tuple[float, float] | None = None,
    presence: float = 1.0,
) -> Person:
    """A person whose hands' knuckles are at some places, and the middle of whose hips is at another."""
    person = Person(scale=SCALE, body_score=0.0 if body is None else 0.99)
    for slot, place in enumerate((left, right)):
        if place is not None:
            points = hand_at(0.0, 0.0, 0.095 * SCALE)
            person.hands[slot, :, :2] = points - points[[5, 9, 13, 17]].mean(0) + place
            person.hands[slot, :, 2] = presence
    if body is not None:
        person.body[:] = body_at(*body, 0.5 * SCALE)
    return person
