"""Finds tempo and beat from the times of onsets, finely enough to be followed by machines.

The onsets of the last seconds are a train of impulses. A tempo is likely where its Fourier component and those of its
half and quarter notes are large; the component's angle says where the beat is (Grosche, Müller, "Extracting predominant
local pulse information from music recordings", 2011, with onsets in place of a novelty curve).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

LOWEST, HIGHEST = 60.0, 180.0
"""Beats a minute that are looked for."""
STEP = 0.25
REMEMBERED_S = 10.0
LEAST_ONSETS = 6
BELIEVED = 0.5
"""The least share of the onsets that must be on the beat or its parts."""
HARMONICS = (1.0, 0.6, 0.4)
EMPTY = 0.5
"""How much it speaks against a tempo that every other beat is without an onset."""
SILENT_S = 4.0
"""Without an onset for so long there is no tempo."""
USUAL, OCTAVES = 120.0, 1.0
"""Of two tempi that fit alike the one nearer to the usual one; how far away counts half, in octaves."""


class BeatFinder:
    """Takes onsets, gives tempo and beat.

    Attributes:
        tempo: beats a minute, None while no tempo is clear.
    """

    def __init__(self) -> None:
        self._onsets: deque[tuple[float, float]] = deque(maxlen=64)
        self.tempo: float | None = None
        self._tempi = np.arange(LOWEST, HIGHEST + STEP, STEP)
        away = np.log2(self._tempi / USUAL) / OCTAVES
        self._likely = np.exp(-0.5 * away**2)

    def hear(self, at_s: float, strength: float) -> None:
        """Take in an onset.

        Args:
            at_s: when, on any steady clock, in seconds.
            strength: 0 to 1.
        """
        self._onsets.append((at_s, max(0.1, strength)))
        self._forget(at_s)
        times, weights = (np.array(column) for column in zip(*self._onsets, strict=True))
        if len(times) < LEAST_ONSETS:
            self.tempo = None
            return
        angles = 2.0 * np.pi * np.outer(self._tempi / 60.0, times - at_s)
        parts = [np.abs(np.exp(1j * 2**octave * angles) @ weights) / weights.sum() for octave in range(len(HARMONICS))]
        empty = np.abs(np.exp(0.5j * angles) @ weights) / weights.sum()
        scores = -EMPTY * empty + sum(share * part for share, part in zip(HARMONICS, parts, strict=True))
        scores = scores * self._likely
        best = int(np.argmax(scores))
        is_clear = max(float(part[best]) for part in parts) >= BELIEVED
        self.tempo = float(self._tempi[best]) if is_clear else None

    def beat_near(self, at_s: float, tempo: float) -> float | None:
        """The time of the beat that is nearest to a time; None while nobody knows.

        Args:
            at_s: the time, on the clock of the onsets, in seconds.
            tempo: beats a minute.
        """
        self._forget(at_s)
        if len(self._onsets) < LEAST_ONSETS:
            return None
        period = 60.0 / tempo
        whole = sum(weight * np.exp(2j * math.pi * (time - at_s) / period) for time, weight in self._onsets)
        return at_s + float(np.angle(whole)) / (2.0 * math.pi) * period

    def tempo_at(self, now_s: float) -> float | None:
        """The tempo, None while none is clear or nothing is heard."""
        return self.tempo if self._onsets and now_s - self._onsets[-1][0] <= SILENT_S else None

    def _forget(self, now_s: float) -> None:
        while self._onsets and now_s - self._onsets[0][0] > REMEMBERED_S:
            self._onsets.popleft()
