"""Finds strikes as they happen: the moments at which downward motion is lost, tick by tick.

The rule is untrained. A strike is where the largest loss of downward flow in any cell stands out from its own running
mean, which makes it the same for near and far players. Where hands are seen, their own loss of downward velocity counts
more than the flow's. On films of real striking it finds what networks find that were
trained on rendered motion, and not less (`docs/results.md`).
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND
from streaming.vision.motion.hand_motion import HAND_INDEX

SCALE_S = 2.0
"""Time constant of the running mean by which losses are divided."""
LEAST_MEAN = 0.002
"""Added to the running mean, in frame sides per second: what lies far below it is noise."""
LEAST_HAND_MEAN = 0.05
"""The same of a hand's loss, which is a multiple of the hand's usual speed."""
KNOWN_FROM = 0.3
"""A hand counts as known from here on."""
HAND_MEMORY_TICKS = 12
"""The flow counts less the longer hands have been known, up to so many ticks."""
FLOW_SHARE = 0.5
"""How much the flow counts where hands are known all the time."""
THRESHOLD = 0.75
"""A strike's least loss, over its running mean plus `LEAST_MEAN`, at a sensitivity of 1."""
APART_TICKS = 2
"""Strikes are at least so many ticks apart."""
USUAL_VELOCITY, OCTAVE = 0.6, 0.2
"""Velocity of a strike as hard as this player's usual ones, and how much each doubling of its loss adds."""
SOFTEST = 0.1
ADAPTATION = 0.2
"""How far a strike moves what is usual towards itself, in octaves."""


class Deceleration(NamedTuple):
    """The largest loss of downward motion at a tick, over its running mean: of the flow, and of hands.

    Attributes:
        flow: of any cell.
        hands: of either hand; 0 where none is known.
        known: share of the last ticks in which a hand was known.
    """

    flow: float
    hands: float = 0.0
    known: float = 0.0

    @property
    def excess(self) -> float:
        """How far it stands out: by the hands, or by the flow, which counts less where hands are known."""
        return max(self.flow * (1.0 - (1.0 - FLOW_SHARE) * self.known), self.hands)


class RunningMean:
    """Divides a curve by its own exponential running mean, the value itself included; causal.

    Args:
        least: added to the mean.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._keep = math.exp(-1.0 / (SCALE_S * TICKS_PER_SECOND))
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._mean = self._weight = 0.0

    def step(self, value: float) -> float:
        """Take in a value that is not negative; returns it over its mean."""
        self._mean = self._keep * self._mean + (1.0 - self._keep) * value
        self._weight = self._keep * self._weight + (1.0 - self._keep)
        return value / (self._mean / self._weight + self._least)


class StrikeDetector:
    """Decides at each tick whether something strikes.

    Args:
        threshold: see `THRESHOLD`; smaller finds more strikes.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._flow_mean, self._hand_mean = RunningMean(LEAST_MEAN), RunningMean(LEAST_HAND_MEAN)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._down: NDArray[np.float32] | None = None
        self._flow_mean.reset()
        self._hand_mean.reset()
        self._known: deque[float] = deque([0.0] * HAND_MEMORY_TICKS, HAND_MEMORY_TICKS)
        self._since = APART_TICKS
        self._usual = 0.0
        self._last = (_NOTHING, _NOTHING)

    def strength(self, flow: NDArray[np.floating], hands: NDArray[np.floating] | None = None) -> Deceleration:
        """Take in a tick's motion; returns its largest loss of downward motion.

        Args:
            flow: float [2, G, G], in frame sides per second, the second plane downward.
            hands: float [2, HAND_FEATURES], see `streaming.vision.motion.hand_motion.HAND_NAMES`; None for none.
        """
        down = np.maximum(flow[1], 0.0).astype(np.float32)
        loss = 0.0 if self._down is None else float(np.max(self._down - down))
        self._down = down
        flow_excess = self._flow_mean.step(max(loss, 0.0))
        if hands is None:
            return Deceleration(flow_excess)
        is_known = bool((hands[:, HAND_INDEX["known"]] > KNOWN_FROM).any())
        self._known.append(float(is_known))
        hand_excess = self._hand_mean.step(float(hands[:, HAND_INDEX["loss_down"]].max()))
        return Deceleration(flow_excess, hand_excess, sum(self._known) / HAND_MEMORY_TICKS)

    def step(
        self, flow: NDArray[np.floating], hands: NDArray[np.floating] | None = None, *, patient: bool = False
    ) -> float:
        """Take in a tick's motion; returns the velocity of a strike at this tick, 0 for none.

        Args:
            flow: see `strength`.
            hands: see `strength`.
            patient: decide a tick later, when it is known that the tick before was a peak. Fewer strikes are wrong.
        """
        before, last = self._last
        now = self.strength(flow, hands)
        self._last = (last, now)
        self._since += 1
        candidate = last if patient else now
        is_peak = now.excess >= last.excess
        if patient:
            is_peak = before.excess < last.excess >= now.excess
        if candidate.excess <= self.threshold or not is_peak or self._since < APART_TICKS:
            return 0.0
        self._since = 0
        return self._velocity(candidate.excess)

    def _velocity(self, excess: float) -> float:
        """The velocity of a strike, against what is usual; then it counts towards what is usual."""
        octaves = math.log2(excess / self._usual) if self._usual else 0.0
        self._usual = self._usual * 2.0 ** (ADAPTATION * octaves) if self._usual else excess
        return min(1.0, max(SOFTEST, USUAL_VELOCITY + OCTAVE * octaves))


_NOTHING = Deceleration(0.0)
