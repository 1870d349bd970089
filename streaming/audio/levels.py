"""Sound levels: the RMS meter, the noise gate, and loudness relative to the recent maximum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -120.0
"""The lowest level that is given, in dB of full scale: digital silence."""
SILENT_METER_DB = -60.0
"""A meter of the show that never rises above this level (dBFS) is reported as silent: nothing audible was played."""
SILENT_INPUT_DB = -75.0
"""A microphone below this level (dBFS) counts as silent (`silent_s`). It is lower than `SILENT_METER_DB` because the
noise of a cheap microphone in a quiet room lies at -65 dB, while a muted or unplugged one gives digital silence."""
GATE_CLOSED_DB, GATE_OPEN_DB = -66.0, -54.0
"""Level in dB of full scale at which the gate is fully closed (no motion), and at which it is fully open."""
HOLD_S, CLOSE_S = 2.5, 1.0
"""After a sound stops the gate holds for the first time, then closes linearly within the second (seconds)."""


def decibels(pcm: NDArray[np.float32]) -> float:
    """The RMS level of float32 [n] in dB of full scale, -120 at least."""
    power = float(np.dot(pcm, pcm)) / max(1, pcm.shape[0])
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0.0 and math.isfinite(power) else SILENCE_DB


def gate_opening(level_db: float) -> float:
    """The gate's gain for a level in dB of full scale: 0 (closed) to 1 (open), linear in dB between."""
    return min(1.0, max(0.0, (level_db - GATE_CLOSED_DB) / (GATE_OPEN_DB - GATE_CLOSED_DB)))


class LevelGate:
    """A noise gate with hold and release: opens at once with the level, closes slowly after it.

    The hold keeps the gate open through the rests between two notes.
    """

    def __init__(self) -> None:
        self._gain, self._since_s = 0.0, 0.0

    def hear(self, level_db: float, seconds: float) -> float:
        """Feed the level (dB of full scale) of the next `seconds`; gives the gate's gain, 0 to 1."""
        now = gate_opening(level_db)
        if now >= self._gain:
            self._gain, self._since_s = now, 0.0
            return now
        self._since_s += seconds
        if self._since_s > HOLD_S:
            self._gain = max(now, self._gain - seconds / CLOSE_S)
        return self._gain


class Loudness:
    """Loudness of a tick relative to the recent maximum, 0 to 1, so that a soft piece uses the whole range too.

    The maximum decays by 1 dB per second and never falls below -45 dB of full scale, so noise does not count as loud.
    """

    RANGE_DB = 30.0
    FALL_DB_PER_S = 1.0
    LEAST_DB = -45.0

    def __init__(self) -> None:
        self._loudest_db = self.LEAST_DB

    def hear(self, level_db: float, seconds: float) -> float:
        """Feed the next level (dB of full scale), `seconds` after the last one; gives the relative loudness, 0 to 1."""
        if not math.isfinite(level_db):
            return 0.0
        self._loudest_db = max(level_db, self.LEAST_DB, self._loudest_db - seconds * self.FALL_DB_PER_S)
        return max(0.0, 1.0 + (level_db - self._loudest_db) / self.RANGE_DB)
