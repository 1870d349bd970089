"""Intervals of proportions from few trials."""

from __future__ import annotations

import math

_Z = 1.96
"""Of a normal distribution, for 95 %."""


def proportion_interval(hits: int, trials: int) -> list[float] | None:
    """95 % Wilson score interval of a proportion (Wilson 1927), [low, high]; None for no trials.

    Args:
        hits: of the trials, 0 to `trials`.
        trials: how many independent ones there were.
    """
    if trials <= 0:
        return None
    share, spread = hits / trials, _Z**2 / trials
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = _Z / (1.0 + spread) * math.sqrt(share * (1.0 - share) / trials + spread / (4.0 * trials))
    return [round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)]
