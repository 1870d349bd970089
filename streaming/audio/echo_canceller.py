"""Acoustic echo cancellation: removes the speaker's own sound from the microphone signal, then limits the loop gain.

The played signal is known, so the room's response is estimated and the echo subtracted: a partitioned-block Kalman
filter in the frequency domain (Enzner and Vary 2006, "Frequency-domain adaptive Kalman filter for acoustic echo
control"; Kuech, Mabande and Enzner 2014 for the partitions). The filter tracks its own uncertainty, so that music of
others does not mislead it. The residual is attenuated until the speaker-to-microphone gain is below a limit.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Speaker

BLOCK = TICK_SAMPLES // 2
TAIL_S = 0.26
"""Modelled length of the room's response in seconds, from the direct sound on; the device delay is removed before."""
LIMIT_DB = -12.0
"""Highest loop gain in dB: the level at which the speaker's sound may remain in the microphone signal."""
HISTORY_TICKS = 50
"""Ticks of played sound that are kept (2 s), longer than any sound card's buffer."""
_STEADY = 0.9998
"""State transition factor of the Kalman filter: the share of the room response that persists to the next block."""
_FORGET = 0.8
"""Smoothing factor of the estimated power of other sounds, per block."""
_SMALL = 1e-9

Pcm = NDArray[np.float32]


class PlaybackHistory:
    """The sound that left the speaker recently, addressed by the time at which it did."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[int, Pcm]] = deque(maxlen=HISTORY_TICKS)
        self._speaker: Speaker | None = None

    def add(self, tick: int, pcm: Pcm) -> None:
        """Store the sound of a tick, float32 [1280]."""
        self._ticks.append((tick, pcm))

    def set(self, speaker: Speaker) -> None:
        """Update the mapping from ticks to times."""
        self._speaker = speaker

    def at(self, time_ns: int) -> Pcm:
        """The 1280 samples (float32) that left the speaker from `time_ns` on; zeros where they are not known."""
        speaker = self._speaker
        if speaker is None or speaker.rate_hz <= 0 or not self._ticks:
            return np.zeros(TICK_SAMPLES, np.float32)
        begin = speaker.tick * TICK_SAMPLES + (time_ns - speaker.dac_ns) * speaker.rate_hz / 1e9
        first = math.floor(begin)
        line = np.zeros(TICK_SAMPLES + 1, np.float32)
        for tick, pcm in self._ticks:
            start = tick * TICK_SAMPLES - first
            low, high = max(0, start), min(line.size, start + TICK_SAMPLES)
            if low < high:
                line[low:high] = pcm[low - start : high - start]
        # Linear interpolation between two samples, so that the drift of the two clocks causes no jump.
        share = np.float32(begin - first)
        return np.asarray((1.0 - share) * line[:-1] + share * line[1:], np.float32)


class EchoCanceller:
    """Removes one speaker's sound from one microphone's signal.

    Args:
        tail_s: modelled length of the room's response in seconds.

    Attributes:
        gain_db: gain from speaker to microphone in dB before cancelling; None while nothing has been played.
        residual_db: the same after cancelling and limiting.
    """

    def __init__(self, tail_s: float = TAIL_S) -> None:
        count = max(1, round(tail_s * SAMPLE_RATE / BLOCK))
        bins = BLOCK + 1
        self._weights = np.zeros((count, bins), np.complex128)
        self._uncertainty = np.ones((count, bins))
        self._spectra = np.zeros((count, bins), np.complex128)
        self._previous = np.zeros(BLOCK)
        self._others = np.zeros(bins)
        self._levels = np.zeros(3)
        self.gain_db: float | None = None
        self.residual_db: float | None = None

    def step(self, recorded: Pcm, reference: Pcm) -> Pcm:
        """Clean one tick.

        Args:
            recorded: float32 [1280], from the microphone.
            reference: float32 [1280], the sound that left the speaker at the same time.

        Returns:
            float32 [1280].
        """
        parts = [
            self._block(recorded[at : at + BLOCK].astype(np.float64), reference[at : at + BLOCK].astype(np.float64))
            for at in range(0, TICK_SAMPLES, BLOCK)
        ]
        return np.concatenate(parts).astype(np.float32)

    def _block(self, recorded: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
        self._spectra = np.roll(self._spectra, 1, 0)
        self._spectra[0] = np.fft.rfft(np.concatenate([self._previous, reference]))
        self._previous = reference
        if float((np.abs(self._spectra) ** 2).mean()) < _SMALL:
            return recorded
        echo = np.fft.irfft((self._weights * self._spectra).sum(0))[BLOCK:]
        residual = recorded - echo
        return self._suppress(recorded, reference, residual, self._learn(residual))

    def _learn(self, residual: NDArray[np.float64]) -> float:
        """Update the filter from the residual; gives the power of the echo expected to remain in it."""
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK), residual]))
        power = np.abs(self._spectra) ** 2
        uncertain_power = 0.5 * (power * self._uncertainty).sum(0)
        self._others = _FORGET * self._others + (1.0 - _FORGET) * np.abs(error) ** 2
        gain = self._uncertainty / (uncertain_power + self._others + _SMALL)
        taps = np.fft.irfft(gain * np.conj(self._spectra) * error)
        # Each partition of the filter is one block long.
        taps[:, BLOCK:] = 0.0
        self._weights = _STEADY * (self._weights + np.fft.rfft(taps))
        sure = np.maximum(0.0, 1.0 - 0.5 * gain * power)
        self._uncertainty = _STEADY**2 * sure * self._uncertainty + (1.0 - _STEADY**2) * np.abs(self._weights) ** 2
        return float(uncertain_power.sum()) / (2 * BLOCK * BLOCK)

    def _suppress(
        self,
        recorded: NDArray[np.float64],
        reference: NDArray[np.float64],
        residual: NDArray[np.float64],
        uncertain_power: float,
    ) -> NDArray[np.float64]:
        """Attenuate the residual until the loop gain is below the limit."""
        echo_power = float(((recorded - residual) ** 2).mean())
        residual_power = min(uncertain_power, float((residual**2).mean()))
        reference_power = float((reference**2).mean())
        self._levels += 0.05 * (np.array([reference_power, echo_power, residual_power]) - self._levels)
        out, back, remaining = (max(value, 1e-12) for value in self._levels)
        self.gain_db = 10.0 * float(np.log10(back / out))
        residual_db = 10.0 * float(np.log10(remaining / out))
        attenuation_db = min(0.0, LIMIT_DB - residual_db)
        self.residual_db = residual_db + attenuation_db
        return np.asarray(residual * 10.0 ** (attenuation_db / 20.0))
