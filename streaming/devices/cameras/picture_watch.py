"""Notices a camera whose picture has frozen or is black: its frames come, but show nothing new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

AFTER_NS = 10_000_000_000
"""So long it must have lasted; then it is said once, until the picture is right again."""
BLACK_LEVEL = 6
"""Grey level up to which the brightest part of a picture is black: a covered lens has noise of a few levels."""
_STEP = 8
"""One pixel in so many is looked at, of one row in so many."""


class PictureWatch:
    """Looks at every frame of one camera.

    A sensor has noise, so a picture that is the same to the bit for 10 s is not one that nothing moves in.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._same_since_ns = 0
        self._black_since_ns: int | None = None
        self._said = ""

    def look(self, image: NDArray[np.uint8], at_ns: int) -> str:
        """What is wrong with the picture, once it has lasted; "" otherwise.

        Args:
            image: uint8 [H, W, 3].
            at_ns: when it was captured.
        """
        part = image[::_STEP, ::_STEP]
        last = self._last
        if last is None or last.shape != part.shape or not np.array_equal(last, part):
            self._last, self._same_since_ns = part.copy(), at_ns
        if self._black_since_ns is None or int(part.max()) > BLACK_LEVEL:
            self._black_since_ns = at_ns
        wrong = ""
        if at_ns - self._black_since_ns >= AFTER_NS:
            wrong = "its picture is black: is the lens covered?"
        elif at_ns - self._same_since_ns >= AFTER_NS:
            wrong = "its picture has been the same to the bit for 10 s: it may have frozen"
        if not wrong or wrong == self._said:
            self._said = wrong
            return ""
        self._said = wrong
        return wrong
