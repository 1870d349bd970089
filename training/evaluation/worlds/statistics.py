"""Statistics of motion, and average precision of the untrained deceleration rules by lag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from training.evaluation.films.flow_rules import deceleration_peaks, feature_peaks
from training.evaluation.worlds.watched import WatchedClip
from training.measures.average_precision import Peaks, average_precision
from training.measures.fitted_shift import circular_shifts, roll_onsets

MOVING = 0.02
"""A cell moves when it is faster than this, in frame sides per second."""
LAGS_S: NDArray[np.float64] = np.round(np.arange(-0.08, 0.161, 0.02), 2)
"""Lags that are tried, in seconds: at a lag of 0.06 the rule's curve peaks 60 ms after the sound."""
CONTROLS = 10
"""Circular shifts of the onsets for the control."""


@dataclass(frozen=True)
class MotionStatistics:
    """How much moves in a clip.

    Attributes:
        mean_speed: over all cells and ticks, frame sides per second.
        fastest_p95: 95th percentile over ticks of the fastest cell, frame sides per second.
        moving_cells: of 256, mean over ticks.
        still_ticks: share of the ticks in which no cell moves.
    """

    mean_speed: float
    fastest_p95: float
    moving_cells: float
    still_ticks: float


def measure_motion(speed: NDArray[np.float16]) -> MotionStatistics:
    """Statistics of a clip's speeds, float16 [T, 16, 16]."""
    speeds = speed.astype(np.float64)
    fastest = speeds.max((1, 2))
    return MotionStatistics(
        float(speeds.mean()),
        float(np.percentile(fastest, 95)),
        float((speeds > MOVING).sum((1, 2)).mean()),
        float((fastest <= MOVING).mean()),
    )


def summarize(clips: Sequence[WatchedClip]) -> dict[str, list[float]]:
    """Median, and tenth and ninetieth percentile over clips, of each of the statistics."""
    table = np.array([astuple(measure_motion(clip.speed)) for clip in clips])
    names = [field.name for field in fields(MotionStatistics)]
    return {
        name: [round(float(value), 4) for value in np.percentile(column, [50, 10, 90])]
        for name, column in zip(names, table.T, strict=True)
    }


def precision_by_lag(
    clips: Sequence[WatchedClip], find: Callable[[WatchedClip], Peaks], lags_s: NDArray[np.float64] = LAGS_S
) -> tuple[NDArray[np.float64], float]:
    """Average precision of a rule's peaks against the onsets, by lag of the peaks.

    Args:
        clips: those without onsets do not count.
        find: the rule.
        lags_s: in seconds.

    Returns:
        Mean over clips at each lag, float64 [lags]; and the mean on circularly shifted onsets.
    """
    rows, control = [], []
    for clip in clips:
        if not clip.onsets_s.size:
            continue
        peaks = find(clip)
        rows.append([average_precision(clip.onsets_s, Peaks(peaks.times_s - lag, peaks.strengths)) for lag in lags_s])
        moved = roll_onsets(clip.onsets_s, circular_shifts(clip.seconds, CONTROLS), clip.seconds)
        control.append(np.mean([average_precision(onsets, peaks) for onsets in moved]))
    if not rows:
        return np.full(lags_s.size, np.nan), float("nan")
    return np.asarray(np.mean(rows, axis=0)), float(np.mean(control))


RULES: dict[str, Callable[[WatchedClip], Peaks]] = {
    "deceleration": lambda clip: deceleration_peaks(clip.flow),
    "motion features": lambda clip: feature_peaks(clip.features),
}
"""The rules whose lag is measured."""
