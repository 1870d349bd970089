"""Decides by measured cost how many of a fast camera's frames are read for their motion."""

from __future__ import annotations

import statistics
from collections import deque

from streaming.conventions import TICKS_PER_SECOND

FRAMES = 50
"""A decision rests on so many frames that were read."""
SHARES = {1: 0.25, 2: 0.4}
"""Share of a core that reading may take on a machine with so many cores; `MANY` on others. Both loops take 1.44 of two
cores with 0.28 for reading, and a fifth of the cores stays free."""
MANY = 0.8
RETURN = 0.75
"""More frames are read again when that would take no more than so much of the share."""


class FrameStride:
    """Reads every frame of a camera, or every second, third or fourth where all of them would take too long.

    A camera of up to 30 frames a second is read in full: fewer would leave ticks without new motion.

    Args:
        cores: how many the machine has.

    Attributes:
        stride: one frame of so many is read.
    """

    def __init__(self, cores: int) -> None:
        self._share = SHARES.get(cores, MANY)
        self.stride = 1
        self._skipped = 0
        self._costs_ms: deque[float] = deque(maxlen=FRAMES)

    def wants_next(self) -> bool:
        """Whether the frame that has come is to be read."""
        self._skipped += 1
        if self._skipped < self.stride:
            return False
        self._skipped = 0
        return True

    def measure(self, cost_ms: float, rate_hz: float) -> None:
        """Take in what reading a frame took, and the camera's frames a second."""
        self._costs_ms.append(cost_ms)
        if len(self._costs_ms) < FRAMES:
            return
        largest = max(1, int(1.02 * rate_hz / TICKS_PER_SECOND))
        cost_s = statistics.median(self._costs_ms) / 1e3
        wanted = next((n for n in range(1, largest) if cost_s * rate_hz / n <= self._share_for(n)), largest)
        if wanted != self.stride:
            self.stride = wanted
            self._costs_ms.clear()

    def _share_for(self, stride: int) -> float:
        """The share that a stride may take: less for one that reads more than now, so that it does not come and go."""
        return self._share * (RETURN if stride < self.stride else 1.0)
