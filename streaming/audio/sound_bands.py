"""Levels and attacks of a sound in eight bands, tick by tick, relative to what was recently heard."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, SOUND_BANDS, TICK_SAMPLES

EDGES_HZ = (30.0, 90.0, 180.0, 350.0, 700.0, 1400.0, 2800.0, 5600.0, 12000.0)
"""Borders of the bands: about an octave each."""
LEVEL_POWER = 0.7
"""A band's level is its amplitude relative to its recent peak, to this power."""
PEAK_DECAY = 0.9985
"""Of a band's recent peak, for each tick: it halves in 18 s."""
LEAST_PEAK = 2e-3
"""Peaks below this amplitude (-54 dB of full scale) count as this, so that noise does not count as loud."""
GATE_FROM, GATE_RANGE = 4e-4, 2e-3
"""Amplitude at which a band begins to count, and the range in which it comes to count in full."""
ATTACK_LEAST, FOLLOWER_DECAY = 0.06, 0.82
"""An attack is the rise of a level above a follower that falls by this factor a tick, less the first number."""


class SoundBands:
    """Reads the levels and attacks of ticks of sound, one after another."""

    def __init__(self) -> None:
        self._window = np.hanning(TICK_SAMPLES).astype(np.float32)
        hertz = np.fft.rfftfreq(2 * TICK_SAMPLES, 1.0 / SAMPLE_RATE)
        self._bins = [slice(*np.searchsorted(hertz, (low, high))) for low, high in itertools.pairwise(EDGES_HZ)]
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._peak = np.full(SOUND_BANDS, 1e-3)
        self._follower = np.zeros(SOUND_BANDS)

    def hear(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The bands of the next tick.

        Args:
            pcm: float32 [TICK_SAMPLES], -1 to 1.

        Returns:
            float32 [2, SOUND_BANDS]: levels, 0 to 1, then attacks, 0 to 1.
        """
        power = np.abs(np.fft.rfft(pcm * self._window, 2 * TICK_SAMPLES)) ** 2
        amplitude = np.array([np.sqrt(power[bins].sum()) for bins in self._bins]) * (4.0 / TICK_SAMPLES)
        self._peak = np.maximum(PEAK_DECAY * self._peak, amplitude)
        gate = np.clip((amplitude - GATE_FROM) / GATE_RANGE, 0.0, 1.0)
        relative = np.clip(amplitude / np.maximum(self._peak, LEAST_PEAK), 0.0, 1.0) ** LEVEL_POWER
        attack = np.maximum(0.0, relative - self._follower - ATTACK_LEAST) * gate
        self._follower = np.maximum(relative, FOLLOWER_DECAY * self._follower)
        return np.stack([relative * gate, attack]).astype(np.float32)
