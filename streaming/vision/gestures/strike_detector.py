"""Finds strikes as they happen: the moments at which downward motion is lost, tick by tick.

The rule is untrained. A strike is where the largest loss of downward flow in any cell stands out from its own running
mean, which makes it the same for near and far players. On films of real striking it finds what networks find that were
trained on rendered motion, and not less (`docs/results.md`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND

SCALE_S = 2.0
"""Time constant of the running mean by which losses are divided."""
LEAST_MEAN = 0.002
"""Added to the running mean, in frame sides per second: what lies far below it is noise."""
THRESHOLD = 0.75
"""A strike's least loss, over its running mean plus `LEAST_MEAN`, at a sensitivity of 1."""
APART_TICKS = 2
"""Strikes are at least so many ticks apart."""
USUAL_VELOCITY, OCTAVE = 0.6, 0.15
"""Velocity of a strike as hard as this player's usual ones, and how much each doubling of its loss adds."""
SOFTEST = 0.1
ADAPTATION = 0.2
"""How far a strike moves what is usual towards itself, in octaves."""


class Deceleration(NamedTuple):
    """The largest loss of downward flow at a tick.

    Attributes:
        loss: in frame sides per second.
        excess: over its running mean.
    """

    loss: float
    excess: float


class StrikeDetector:
    """Decides at each tick whether something strikes.

    Args:
        threshold: see `THRESHOLD`; smaller finds more strikes.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._down: NDArray[np.float32] | None = None
        self._mean = 0.0
        self._weight = 0.0
        self._since = APART_TICKS
        self._usual = 0.0
        self._last = (_NOTHING, _NOTHING)

    def strength(self, flow: NDArray[np.floating]) -> Deceleration:
        """Take in a tick's flow; returns its largest loss of downward flow.

        Args:
            flow: float [2, G, G], in frame sides per second, the second plane downward.
        """
        down = np.maximum(flow[1], 0.0).astype(np.float32)
        loss = 0.0 if self._down is None else float(np.max(self._down - down))
        self._down = down
        loss = max(loss, 0.0)
        keep = math.exp(-1.0 / (SCALE_S * TICKS_PER_SECOND))
        self._mean = keep * self._mean + (1.0 - keep) * loss
        self._weight = keep * self._weight + (1.0 - keep)
        return Deceleration(loss, loss / (self._mean / self._weight + LEAST_MEAN))

    def step(self, flow: NDArray[np.floating], *, patient: bool = False) -> float:
        """Take in a tick's flow; returns the velocity of a strike at this tick, 0 for none.

        Args:
            flow: see `strength`.
            patient: decide a tick later, when it is known that the tick before was a peak. Fewer strikes are wrong.
        """
        before, last = self._last
        now = self.strength(flow)
        self._last = (last, now)
        self._since += 1
        candidate = last if patient else now
        is_peak = now.excess >= last.excess
        if patient:
            is_peak = before.excess < last.excess >= now.excess
        if candidate.excess <= self.threshold or not is_peak or self._since < APART_TICKS:
            return 0.0
        self._since = 0
        return self._velocity(candidate.loss)

    def _velocity(self, loss: float) -> float:
        """The velocity of a strike, against what is usual; then it counts towards what is usual."""
        octaves = math.log2(loss / self._usual) if self._usual else 0.0
        self._usual = self._usual * 2.0 ** (ADAPTATION * octaves) if self._usual else loss
        return min(1.0, max(SOFTEST, USUAL_VELOCITY + OCTAVE * octaves))


_NOTHING = Deceleration(0.0, 0.0)
