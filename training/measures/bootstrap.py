"""Bootstrap intervals of mean scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interval(values: Sequence[float], seed: int = 0, draws: int = 1000) -> list[float] | None:
    """95 % bootstrap interval of the mean (Efron 1979), [low, high]; without NaN values; None for no values."""
    data = np.asarray([value for value in values if not np.isnan(value)], np.float64)
    if data.size == 0:
        return None
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, data.size, (draws, data.size))].mean(1)
    return [round(float(value), 4) for value in np.percentile(means, [2.5, 97.5])]
