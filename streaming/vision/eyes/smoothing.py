"""Smooths tracked points: strongly while they rest, hardly while they move (One-Euro filter; Casiez et al. 2012)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.vision.eyes.person import Person, body_scale, hand_scale

UNIT_M = 0.18
"""The length by which speeds are judged: a hand's."""
LEAST_HZ, PER_SPEED, SPEED_HZ = 1.0, 10.0, 4.0
"""Cut-off frequency of a resting point, what each unit length per second adds to it, and the cut-off with which the
speed itself is smoothed."""
LONGEST_GAP_S = 0.5


class PointFilter:
    """A One-Euro filter for a set of points; its memory is explicit and can be reset.

    Args:
        least_hz: cut-off frequency at rest.
        per_speed: by how many Hz the cut-off rises for each unit length per second.
        speed_hz: cut-off frequency of the speed.
    """

    def __init__(self, least_hz: float = LEAST_HZ, per_speed: float = PER_SPEED, speed_hz: float = SPEED_HZ) -> None:
        self._least_hz, self._per_speed, self._speed_hz = least_hz, per_speed, speed_hz
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next points pass as they are."""
        self._points: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None
        self._then_ns = 0

    def smooth(self, points: NDArray[np.float32], unit: float, now_ns: int) -> NDArray[np.float32]:
        """The points without their jitter.

        Args:
            points: [N, 2].
            unit: a length of the player in the same measure, by which speeds are judged.
            now_ns: when they were seen.

        Returns:
            float32 [N, 2].
        """
        gap_s = (now_ns - self._then_ns) / 1e9
        if self._points is None or self._velocity is None or not 0 < gap_s <= LONGEST_GAP_S:
            self._points, self._velocity = points.astype(np.float64), np.zeros(points.shape)
        else:
            velocity = (points - self._points) / gap_s
            self._velocity += _share(self._speed_hz, gap_s) * (velocity - self._velocity)
            speed = np.hypot(*self._velocity.T)[:, None] / max(unit, 1e-6)
            cutoff = self._least_hz + self._per_speed * speed
            self._points = self._points + _share(cutoff, gap_s) * (points - self._points)
        self._then_ns = now_ns
        return self._points.astype(np.float32)


class PersonFilter:
    """Smooths the body and each hand of a person, each by its own size; what is lost begins anew."""

    def __init__(self) -> None:
        self._body = PointFilter()
        self._hands = (PointFilter(), PointFilter())

    def reset(self) -> None:
        """Forget the past."""
        for one in (self._body, *self._hands):
            one.reset()

    def smooth(self, person: Person, now_ns: int) -> Person:
        """The person without the points' jitter.

        Args:
            person: as it was found in one frame.
            now_ns: when the frame was taken.
        """
        body, hands = person.body.copy(), person.hands.copy()
        if person.body_score > 0:
            body[:, :2] = self._body.smooth(body[:, :2], UNIT_M * body_scale(body, 0.0), now_ns)
        else:
            self._body.reset()
        for hand, presence, one in zip(hands, person.presence, self._hands, strict=True):
            if presence > 0:
                hand[:, :2] = one.smooth(hand[:, :2], UNIT_M * hand_scale(hand), now_ns)
            else:
                one.reset()
        return Person(body, person.body_score, hands, person.scale)


def _share(cutoff_hz: NDArray[np.float64] | float, gap_s: float) -> NDArray[np.float64] | float:
    """How much of a new value a low pass of first order takes over."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * gap_s))
