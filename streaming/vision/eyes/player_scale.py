"""The player's scale: how many sides of the view a metre spans, by body or hands, over about a second."""

from __future__ import annotations

import numpy as np

from streaming.vision.eyes.person import Person, body_scale, hand_scale

SCALE_S = 1.0
"""Time constant with which the scale follows the player."""


class PlayerScale:
    """Follows the scale of a player; keeps the last one while nothing is seen."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the player."""
        self._scale = 0.0
        self._then_ns: int | None = None

    def follow(self, person: Person, now_ns: int) -> float:
        """The scale after another frame; the person's own `scale` is not read.

        Args:
            person: in the frame.
            now_ns: when it was taken.

        Returns:
            Sides that a metre spans; 0 before anything was seen.
        """
        reading = body_scale(person.body)
        if reading == 0.0:
            seen = [hand_scale(hand) for hand in person.hands if hand[0, 2] > 0]
            reading = float(np.mean(seen)) if seen else 0.0
        gap_s = 0.0 if self._then_ns is None else max(0, now_ns - self._then_ns) / 1e9
        self._then_ns = now_ns
        if reading > 0.0:
            share = 1.0 if self._scale == 0.0 else gap_s / (gap_s + SCALE_S)
            self._scale += share * (reading - self._scale)
        return self._scale
