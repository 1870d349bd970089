"""Skips pictures that are nearly the same as the last painted one, to spare a slow painter.

A stochastic similarity filter after StreamDiffusion (Kodaira et al. 2023): the more similar two pictures are, the more
likely the second is skipped. The choice is random, so that slow change does not show as jumps, and the number of
pictures skipped in a row is limited.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.98
"""Cosine similarity of two pictures (values -1 to 1) from which on some are skipped; at 1 all are."""
MAX_SKIPPED = 10
"""Pictures that are skipped in a row at most."""
SIDE = 64
"""Side in pixels at which pictures are compared."""


class SimilarityFilter:
    """Decides which pictures are painted.

    Args:
        seed: seed of the random choice.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 78])
        self._last: NDArray[np.float32] | None = None
        self._skipped = 0

    def skips(self, image: NDArray[np.uint8]) -> bool:
        """Whether a picture, uint8 [H, W, 3], is skipped; one that is not becomes the last painted one."""
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 127.5 - 1.0
        if self._last is not None and self._skipped < MAX_SKIPPED and self._random.random() < self._chance(small):
            self._skipped += 1
            return True
        self._last, self._skipped = small, 0
        return False

    def _chance(self, small: NDArray[np.float32]) -> float:
        """The probability that a picture is skipped."""
        if self._last is None:
            return 0.0
        lengths = float(np.linalg.norm(small) * np.linalg.norm(self._last))
        similarity = float(small @ self._last) / max(lengths, 1e-6)
        return max(0.0, 1.0 - (1.0 - similarity) / (1.0 - THRESHOLD))
