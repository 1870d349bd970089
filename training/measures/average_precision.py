"""Average precision: how well the peaks of an onset curve are ranked, without choosing a threshold."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

Times = NDArray[np.float64]

PEAK_DISTANCE_S = 0.06
"""Peaks of a curve are at least this far apart, as the onsets that `detect_onsets` finds."""


@dataclass(frozen=True)
class Peaks:
    """Peaks of an onset curve, in order of time.

    Attributes:
        times_s: float64 [n], in seconds.
        strengths: float64 [n], larger for what is more surely an onset.
    """

    times_s: Times
    strengths: NDArray[np.float64]

    def above(self, threshold: float) -> Times:
        """Times of the peaks that are stronger than a threshold, in seconds."""
        return self.times_s[self.strengths > threshold]


def find_peaks(curve: NDArray[np.float64], step_s: float, distance_s: float = PEAK_DISTANCE_S) -> Peaks:
    """The positive local maxima of an onset curve.

    Args:
        curve: onset strength [n], one value every `step_s` seconds from time 0 on.
        step_s: in seconds.
        distance_s: of two peaks that are closer only the first is kept; a plateau has one peak, at its start.
    """
    reach = max(1, round(distance_s / step_s))
    places = np.flatnonzero((curve >= maximum_filter1d(curve, 2 * reach + 1, mode="nearest")) & (curve > 0.0))
    kept: list[int] = []
    for place in places:
        if not kept or place - kept[-1] > reach:
            kept.append(int(place))
    return Peaks(np.array(kept) * step_s, curve[kept] if kept else np.zeros(0))


def average_precision(reference: Times, peaks: Peaks, tolerance_s: float = 0.05) -> float:
    """Area under precision over recall of the peaks: the sum over thresholds of precision times the gain in recall.

    From the strongest peak on, each takes the nearest reference onset within the tolerance that none has taken
    (Everingham et al. 2010); peaks of equal strength count together. Nothing is interpolated. Guessing at a constant
    rate scores about its precision, so a control on shifted onsets belongs beside it.

    Args:
        reference: onset times in seconds, sorted.
        peaks: of the curve that is scored.
        tolerance_s: how far a peak may be from its onset.

    Returns:
        0 to 1; NaN without reference onsets.
    """
    count = len(reference)
    if count == 0:
        return float("nan")
    onsets = reference.tolist()
    free = [True] * count
    order = np.argsort(-peaks.strengths, kind="stable")
    times, strengths = peaks.times_s[order].tolist(), peaks.strengths[order].tolist()
    hits = hits_before = 0
    area = 0.0
    for rank, time in enumerate(times):
        nearest, best = -1, tolerance_s + 1e-9
        place = bisect_left(onsets, time - tolerance_s - 1e-9)
        while place < count and onsets[place] <= time + tolerance_s + 1e-9:
            if free[place] and abs(onsets[place] - time) <= best:
                nearest, best = place, abs(onsets[place] - time)
            place += 1
        if nearest >= 0:
            free[nearest] = False
            hits += 1
        if hits > hits_before and (rank + 1 == len(times) or strengths[rank + 1] < strengths[rank]):
            area += (hits - hits_before) * hits / (rank + 1)
            hits_before = hits
    return area / count
