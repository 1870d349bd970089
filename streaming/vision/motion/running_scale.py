"""How large a performer's motion usually is: a causal, robust estimate that adapts within seconds of motion."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BINS_PER_OCTAVE = 4
OCTAVES = 16
MEMORY_S = 2.0
"""Seconds of motion after which its weight has fallen to 1/e. Stillness does not count."""
QUANTILE = 0.85
"""The scale is the value that motion exceeds in the rest of its time."""
PRIOR_S = 0.15
"""Weight of the first guess, in seconds of motion."""
FULL_SHARE = 0.3
"""Motion of this share of the scale counts in full, less motion with the square of its share: who trembles while
waiting does not change the scale."""
SURE_S = 1.5
"""Until so many seconds of motion are known, small motion counts too, the more the less is known: fast at the start."""
STILL_MEMORY_S = 20.0
"""Seconds of stillness after which what is known weighs 1/e, while the scale stays: the next performer may be
another."""


class RunningScale:
    """A quantile of positive values over the last seconds of motion, from a histogram that forgets.

    Args:
        guess: the value before anything has moved.
        least: the smallest scale; smaller motion is noise, and is not enlarged.
    """

    def __init__(self, guess: float, least: float) -> None:
        self._guess, self._least = guess, least
        self._low = math.log2(least) - 2.0
        self.reset()

    def reset(self) -> None:
        """Forget what has moved."""
        self.held: float | None = None
        centres = np.arange(OCTAVES * BINS_PER_OCTAVE) / BINS_PER_OCTAVE + self._low
        # The guess is spread over an octave, its quantile being the guess.
        prior = np.exp(-0.5 * ((centres - math.log2(self._guess) + 0.52) / 0.5) ** 2)
        self._mass: NDArray[np.float64] = prior / prior.sum() * PRIOR_S
        self._value = self._quantile()

    @property
    def value(self) -> float:
        """The scale, in the unit of the values."""
        return self._value if self.held is None else self.held

    def hold(self, value: float | None = None) -> None:
        """Keep a scale, or the present one, until `release`."""
        self.held = self.value if value is None else max(value, self._least)

    def release(self) -> None:
        """Adapt again."""
        self.held = None

    def observe(self, value: float, interval_s: float) -> float:
        """Take in how much has moved during an interval; returns the scale."""
        known_s = float(self._mass.sum())
        if value < self._least:
            self._mass *= max(math.exp(-interval_s / STILL_MEMORY_S), min(1.0, PRIOR_S / known_s))
        else:
            share = min(1.0, value / (FULL_SHARE * self._value)) ** 2
            duration = interval_s * max(share, 1.0 - known_s / SURE_S)
            place = min(max((math.log2(value) - self._low) * BINS_PER_OCTAVE, 0.0), self._mass.size - 1.001)
            index, part = int(place), place % 1.0
            self._mass *= math.exp(-duration / MEMORY_S)
            self._mass[index] += duration * (1.0 - part)
            self._mass[index + 1] += duration * part
            self._value = self._quantile()
        return self.value

    def state(self) -> NDArray[np.float64]:
        """Everything it remembers, float64 [66]: the histogram, the scale, and the held scale or NaN."""
        return np.concatenate([self._mass, [self._value, math.nan if self.held is None else self.held]])

    def restore(self, state: NDArray[np.float64]) -> None:
        """Go on from a `state`."""
        self._mass = np.array(state[:-2], np.float64)
        self._value = float(state[-2])
        self.held = None if math.isnan(state[-1]) else float(state[-1])

    def _quantile(self) -> float:
        total = np.cumsum(self._mass)
        wanted = QUANTILE * total[-1]
        index = int(np.searchsorted(total, wanted))
        before = total[index - 1] if index else 0.0
        place = index - 0.5 + (wanted - before) / max(self._mass[index], 1e-12)
        return float(max(self._least, 2.0 ** (place / BINS_PER_OCTAVE + self._low)))
