"""Untrained rules that find onsets in the flow which the translator gets: the controls of what is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from streaming.conventions import TICKS_PER_SECOND
from streaming.vision.gestures.strike_detector import LEAST_MEAN, SCALE_S
from streaming.vision.motion.onset_rule import onset_strength
from training.measures.average_precision import Peaks, find_peaks

LEAST_FEATURE_SCALE = 0.02
"""Added to the running mean of the motion features' curve; to that of the flow, `LEAST_MEAN`."""
THRESHOLDS = (0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
"""What may be chosen as the least deceleration of an onset, over its running mean; below lies nearly every peak."""
TICK_PEAK_DISTANCE_S = 0.05


def flow_peaks(speed: NDArray[np.float16]) -> NDArray[np.float64]:
    """The flow-peak rule: an onset at each local maximum of the mean speed above the clip's mean; in seconds.

    Args:
        speed: float16 [T, 16, 16]. The whole clip's mean is its threshold, so this rule is not causal.
    """
    energy = speed.astype(np.float64).mean((1, 2))
    peak = (energy >= maximum_filter1d(energy, 5)) & (energy > energy.mean())
    return np.flatnonzero(peak) / TICKS_PER_SECOND


def speed_peaks(speed: NDArray[np.float16]) -> Peaks:
    """All peaks of the mean speed, for the flow-peak rule's average precision."""
    return find_peaks(speed.astype(np.float64).mean((1, 2)), 1 / TICKS_PER_SECOND, TICK_PEAK_DISTANCE_S)


def over_running_mean(curve: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """A curve over its own running mean: exponential, causal, of `SCALE_S`, with the tick itself.

    Args:
        curve: one value a tick, float64 [T], none negative.
        least: added to the mean.
    """
    keep = np.exp(-1.0 / (SCALE_S * TICKS_PER_SECOND))
    weight = 1.0 - keep ** np.arange(1, curve.size + 1)
    return np.asarray(curve / (lfilter([1.0 - keep], [1.0, -keep], curve) / weight + least), np.float64)


def deceleration(flow: NDArray[np.float16]) -> NDArray[np.float64]:
    """The largest loss of downward flow from tick to tick in any cell, over its running mean: float64 [T].

    A cell's loss is how much less it moves downward than a tick before, in frame sides per second; what moves upward
    counts as not moving downward.

    Args:
        flow: float16 [T, 2, 16, 16], the second plane downward.
    """
    down = np.maximum(flow[:, 1].astype(np.float64), 0.0)
    loss = np.zeros(len(down))
    loss[1:] = np.maximum(down[:-1] - down[1:], 0.0).max((1, 2))
    return over_running_mean(loss, LEAST_MEAN)


def deceleration_peaks(flow: NDArray[np.float16]) -> Peaks:
    """The deceleration rule: a possible onset at each peak of `deceleration`, at the tick at which it is known."""
    return find_peaks(deceleration(flow), 1 / TICKS_PER_SECOND, TICK_PEAK_DISTANCE_S)


def feature_peaks(features: NDArray[np.float16]) -> Peaks:
    """The deceleration rule on the live motion features, which follow cells of 8 pixels and take the shake out.

    They are over a scale of their own, which has a floor: where little moves their peaks are small, and are divided by
    their running mean once more.

    Args:
        features: float16 [T, 26]; see `streaming.vision.motion.feature_names.NAMES`.
    """
    strength = over_running_mean(onset_strength(features).astype(np.float64), LEAST_FEATURE_SCALE)
    return find_peaks(strength, 1 / TICKS_PER_SECOND, TICK_PEAK_DISTANCE_S)
