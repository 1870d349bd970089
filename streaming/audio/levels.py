"""Levels of sound: the meter, what is loud for a piece, and the limiter that leaves everything below it untouched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -120.0
STILL_DB, QUIET_DB = -66.0, -54.0
"""What is softer than the first moves nothing, what is louder than the second all that it can."""
HELD_S, FALLING_S = 2.5, 1.0
"""What has fallen silent is awake for the first, and asleep after the second."""
LIMIT = 0.99
"""Samples up to this magnitude pass bit for bit; beyond, they approach 1 smoothly."""


def decibels(pcm: NDArray[np.float32]) -> float:
    """The RMS level of float32 [n] in dB of full scale, -120 at least."""
    power = float(np.dot(pcm, pcm)) / max(1, pcm.shape[0])
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0.0 and math.isfinite(power) else SILENCE_DB


def opened(level_db: float) -> float:
    """How much a sound of this level may move, 0 to 1."""
    return min(1.0, max(0.0, (level_db - STILL_DB) / (QUIET_DB - STILL_DB)))


class Wakefulness:
    """How far what is heard is awake, 0 to 1: as far as its level opens, and for a while after it has fallen silent.

    A player's hands do not leave between two notes.
    """

    def __init__(self) -> None:
        self._awake, self._since_s = 0.0, 0.0

    def hear(self, level_db: float, seconds: float) -> float:
        """Take in a level that held for so long."""
        now = opened(level_db)
        if now >= self._awake:
            self._awake, self._since_s = now, 0.0
            return now
        self._since_s += seconds
        if self._since_s > HELD_S:
            self._awake = max(now, self._awake - seconds / FALLING_S)
        return self._awake


class Loudness:
    """How loud a tick is beside the loudest of the last while, 0 to 1: however soft a piece is, it has its own forte.

    The loudest is forgotten by 1 dB a second, and is never less than -45 dB of full scale: noise is no forte.
    """

    RANGE_DB = 30.0
    FALL_DB_PER_S = 1.0
    LEAST_DB = -45.0

    def __init__(self) -> None:
        self._loudest_db = self.LEAST_DB

    def hear(self, level_db: float, seconds: float) -> float:
        """Take the next level (dB of full scale), so many seconds after the last one."""
        if not math.isfinite(level_db):
            return 0.0
        self._loudest_db = max(level_db, self.LEAST_DB, self._loudest_db - seconds * self.FALL_DB_PER_S)
        return max(0.0, 1.0 + (level_db - self._loudest_db) / self.RANGE_DB)


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
