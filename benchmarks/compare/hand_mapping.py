"""A mapped instrument: the published eyes look at each frame, then a rule decides. Nothing of it is learned to play."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.rig.null_instrument import BrightMiddle
from streaming.timing.clock import now_ns
from streaming.vision.eyes.eyes import Eyes, open_eyes

STRUCK = 0.02
"""A hand that falls by so much of the frame's side and then stops strikes."""


class HandMapping:
    """Strikes where a hand has fallen and stops, as an air drum kit does; and at the bench's flash, as it has no hand.

    Args:
        eyes: find hands.
    """

    def __init__(self, eyes: Eyes) -> None:
        self._eyes, self._flash = eyes, BrightMiddle()
        self._height: float | None = None
        self._fell = False

    def __call__(self, image: NDArray[np.uint8]) -> bool:
        """Whether this frame is answered."""
        hands = self._eyes.look(image, now_ns()).hands
        known = hands[:, :, 2].max(axis=1) > 0.5
        height = float(hands[known, :, 1].mean(axis=1).max()) if known.any() else None
        fall = 0.0 if height is None or self._height is None else height - self._height
        struck = self._fell and fall <= 0.0
        self._height, self._fell = height, fall > STRUCK
        return self._flash(image) or struck


def build() -> HandMapping:
    """The responder, for the null instrument's process.

    Raises:
        EngineError: when the eyes are not here.
    """
    return HandMapping(open_eyes("full"))
