"""Levels of sound: the meter, and the limiter that leaves everything below it untouched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -120.0
STILL_DB, QUIET_DB = -66.0, -54.0
"""What is softer than the first moves nothing, what is louder than the second all that it can."""
LIMIT = 0.99
"""Samples up to this magnitude pass bit for bit; beyond, they approach 1 smoothly."""


def decibels(pcm: NDArray[np.float32]) -> float:
    """The RMS level of float32 [n] in dB of full scale, -120 at least."""
    power = float(np.dot(pcm, pcm)) / max(1, pcm.shape[0])
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0.0 and math.isfinite(power) else SILENCE_DB


def opened(level_db: float) -> float:
    """How much a sound of this level may move, 0 to 1."""
    return min(1.0, max(0.0, (level_db - STILL_DB) / (QUIET_DB - STILL_DB)))


def limited(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend what lies beyond +-0.99 so that nothing passes +-1; the same array when there is nothing to bend.

    Args:
        pcm: float32 [n], finite.

    Returns:
        float32 [n], -1..1.
    """
    size = np.abs(pcm)
    over = size > LIMIT
    if not over.any():
        return pcm
    room = np.float32(1.0 - LIMIT)
    bent = np.float32(LIMIT) + room * np.tanh((size - np.float32(LIMIT)) / room)
    return np.where(over, np.copysign(np.minimum(bent, np.float32(1.0)), pcm), pcm).astype(np.float32)
