"""Spares a slow painter the pictures that are nearly as the last one: a stochastic similarity filter.

After StreamDiffusion (Kodaira et al. 2023): the more alike two pictures are, the likelier the second one is passed
over, by chance, so that a slow change is not seen as a jump; and not too many in a row.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.98
"""Cosine between two pictures (values -1 to 1) from which on some are passed over; 1 for the same picture: all are."""
MOST = 10
"""So many in a row at most."""
SIDE = 64


class SimilarityFilter:
    """Decides which pictures are painted.

    Args:
        seed: where chance starts.
    """

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng([seed, 78])
        self._last: NDArray[np.float32] | None = None
        self._passed = 0

    def passes_over(self, image: NDArray[np.uint8]) -> bool:
        """Whether a picture, uint8 [H, W, 3], is so much as the last painted one that it need not be painted."""
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 127.5 - 1.0
        if self._last is not None and self._passed < MOST and self._chance.random() < self._share(small):
            self._passed += 1
            return True
        self._last, self._passed = small, 0
        return False

    def _share(self, small: NDArray[np.float32]) -> float:
        """How many of such pictures are passed over, 0 to 1."""
        if self._last is None:
            return 0.0
        lengths = float(np.linalg.norm(small) * np.linalg.norm(self._last))
        alike = float(small @ self._last) / max(lengths, 1e-6)
        return max(0.0, 1.0 - (1.0 - alike) / (1.0 - THRESHOLD))
