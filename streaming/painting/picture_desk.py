"""Freeze and blackout: what a player does to the finished pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND

SHORTEST_S = 0.2
"""A blackout takes at least so long each way: five pictures."""
THAW_TICKS = 10
"""A picture that was held fades into the present one within 0.4 s."""

Image = NDArray[np.uint8]


class PictureDesk:
    """Holds the picture while it is frozen, and fades it to black and back.

    Attributes:
        light: how bright the pictures are, 0 (black) to 1.
    """

    def __init__(self) -> None:
        self.light = 1.0
        self._held: Image | None = None
        self._last: Image | None = None
        self._thaw = 0
        self._black: Image | None = None

    def step(self, image: Image, *, frozen: bool, dark: bool, fade_s: float, ticks: int = 1) -> Image:
        """The picture that is shown.

        Args:
            image: the finished picture, uint8 [H, W, 3].
            frozen: the picture that was shown last is shown on.
            dark: it shall be black.
            fade_s: seconds from full light to black, or back; at least `SHORTEST_S` is taken.
            ticks: passed since the last call.

        Returns:
            uint8 [H, W, 3]; the very array where neither is on.
        """
        share = ticks / (max(fade_s, SHORTEST_S) * TICKS_PER_SECOND)
        self.light = max(0.0, self.light - share) if dark else min(1.0, self.light + share)
        return self._dim(self._hold(image, frozen=frozen, ticks=ticks))

    def _hold(self, image: Image, *, frozen: bool, ticks: int) -> Image:
        if frozen:
            if self._held is None or self._thaw:
                self._held, self._thaw = image if self._last is None else self._last, 0
            image = self._held
        elif self._held is not None:
            self._thaw += ticks
            if self._thaw >= THAW_TICKS or self._held.shape != image.shape:
                self._held, self._thaw = None, 0
            else:
                share = self._thaw / THAW_TICKS
                image = np.asarray(cv2.addWeighted(image, share, self._held, 1.0 - share, 0.0), np.uint8)
        self._last = image
        return image

    def _dim(self, image: Image) -> Image:
        if self.light >= 1.0:
            return image
        if self.light > 0.0:
            # Level at both ends, as a dimmer's curve.
            level = self.light * self.light * (3.0 - 2.0 * self.light)
            return np.asarray(cv2.convertScaleAbs(image, alpha=level), np.uint8)
        if self._black is None or self._black.shape != image.shape:
            self._black = np.zeros_like(image)
        return self._black
