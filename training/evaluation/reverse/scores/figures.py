"""Puts values and proportions into figures, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.measures.bootstrap import interval
from training.measures.proportion import proportion_interval

Figures = dict[str, Any]


def mean_figures(values: Mapping[str, Sequence[float]]) -> Figures:
    """Means of named values with their bootstrap intervals, NAME and NAME_interval; None where there is no value."""
    figures: Figures = {}
    for name, row in values.items():
        numbers = [value for value in row if np.isfinite(value)]
        figures[name] = round(float(np.mean(numbers)), 4) if numbers else None
        figures[f"{name}_interval"] = interval(numbers)
    return figures


def share_figures(name: str, hits: int, trials: int) -> Figures:
    """A proportion with its Wilson interval and the number of trials, NAME_of; None where there were no trials."""
    return {
        name: round(hits / trials, 4) if trials else None,
        f"{name}_interval": proportion_interval(hits, trials),
        f"{name}_of": trials,
    }


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number for a table: None for what is not finite."""
    return None if value is None or not np.isfinite(value) else round(float(value), digits)
