"""The pitch of a single voice, tick by tick.

The normalised square difference function of the last 80 ms, and its first high peak: the McLeod pitch method (McLeod
and Wyvill, "A smarter way to find pitch", ICMC 2005).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES

LOWEST_HZ, HIGHEST_HZ = 55.0, 1_800.0
CLEAR = 0.8
"""The least peak, 1 for a perfectly periodic sound; below it there is no pitch."""
NEAR_HIGHEST = 0.93
"""The first peak that reaches this share of the highest is the period; later ones are its multiples."""
QUIETEST_DB = -55.0


class PitchTracker:
    """Finds the pitch of ticks of sound, one after another."""

    def __init__(self) -> None:
        self._before = np.zeros(TICK_SAMPLES, np.float32)

    def hear(self, pcm: NDArray[np.float32]) -> float | None:
        """The pitch at the end of the next tick.

        Args:
            pcm: float32 [TICK_SAMPLES], -1 to 1.

        Returns:
            A MIDI note number, 69 for 440 Hz, with its fraction; None where no single pitch is clear.
        """
        x = np.concatenate([self._before, pcm])
        self._before = np.asarray(pcm, np.float32)
        return find_pitch(x)


def find_pitch(sound: NDArray[np.floating]) -> float | None:
    """The pitch of a stretch of sound, as `PitchTracker.hear` gives it; half of it must hold a period.

    Args:
        sound: [n], -1 to 1.
    """
    x, size = sound.astype(np.float64), len(sound)
    if 10.0 * math.log10(float(x @ x) / size + 1e-12) < QUIETEST_DB:
        return None
    spectrum = np.fft.rfft(x, 2 * size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, 2 * size)[: size // 2]
    squares = np.concatenate([[0.0], np.cumsum(x * x)])
    lags = np.arange(size // 2)
    energy = squares[size - lags] + squares[size] - squares[lags]
    period = _first_high_peak(2.0 * correlation / np.maximum(energy, 1e-9))
    return None if period is None else 69.0 + 12.0 * math.log2(SAMPLE_RATE / period / 440.0)


def _first_high_peak(likeness: NDArray[np.float64]) -> float | None:
    """The lag of the first high peak after the zero lag's own, with its fraction; None where none is clear."""
    first, last = round(SAMPLE_RATE / HIGHEST_HZ), min(round(SAMPLE_RATE / LOWEST_HZ), len(likeness) - 2)
    below = np.flatnonzero(likeness < 0.0)
    first = max(first, int(below[0]) if below.size else last)
    if first >= last:
        return None
    middle = likeness[first : last + 1]
    rises = (middle >= likeness[first - 1 : last]) & (middle > likeness[first + 1 : last + 2])
    peaks = first + np.flatnonzero(rises)
    if not peaks.size or likeness[peaks].max() < CLEAR:
        return None
    peak = int(peaks[likeness[peaks] >= NEAR_HIGHEST * likeness[peaks].max()][0])
    before, here, after = likeness[peak - 1 : peak + 2]
    bend = before - 2.0 * here + after
    return peak + (0.5 * (before - after) / bend if bend else 0.0)
