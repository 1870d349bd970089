"""Sounds for controls: one brought to the loudness envelope of another, clicks, and what lies between onsets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND

Sound = NDArray[np.float32]
_HOP = TICK_SAMPLES // 4
MOST_GAIN = 100.0
"""A sound is raised by 40 dB at most to meet an envelope: what is silent stays silent."""
_FLOOR = 1e-5
CLICK_HZ = 2.0
_CLICK_S = 0.012


def loudness_envelope(sound: Sound) -> NDArray[np.float64]:
    """Root mean square of each quarter of a tick, float64 [4 * ticks], smoothed over about a quarter of a tick."""
    parts = sound[: sound.size // _HOP * _HOP].reshape(-1, _HOP).astype(np.float64)
    return np.asarray(np.sqrt(gaussian_filter1d((parts**2).mean(1), 0.7, mode="nearest")))


def match_envelope(sound: Sound, pattern: Sound) -> Sound:
    """A sound brought to the loudness envelope of another.

    What it is at each moment (which pitches, which instruments, the share of each band) stays its own.

    Args:
        sound: float32 [n], at 32 kHz; repeated where it is shorter than the pattern.
        pattern: float32 [m], the sound whose loudness is taken.

    Returns:
        float32 [m], in -1 to 1, in whole quarters of ticks.
    """
    size = pattern.size // _HOP * _HOP
    own = np.resize(sound, size).astype(np.float32)
    for _ in range(2):  # The second pass mends what the smoothing of the first gain left.
        gain = np.minimum(loudness_envelope(pattern[:size]) / (loudness_envelope(own) + _FLOOR), MOST_GAIN)
        middles = (np.arange(gain.size) + 0.5) * _HOP
        own = (own * np.interp(np.arange(size), middles, gain)).astype(np.float32)
    return np.asarray(np.clip(own, -1.0, 1.0), np.float32)


def click_track(seconds: float, tail_s: float = 1.6, hz: float = CLICK_HZ, level: float = 0.5) -> Sound:
    """Short bursts of noise at a steady rate, then silence.

    Args:
        seconds: of clicks; the first comes after one interval.
        tail_s: of silence after the last interval.
        hz: clicks a second.
        level: of their peak.

    Returns:
        float32 [n] at 32 kHz, in whole ticks.
    """
    out = np.zeros(round((seconds + tail_s) * TICKS_PER_SECOND) * TICK_SAMPLES, np.float32)
    count = round(_CLICK_S * SAMPLE_RATE)
    burst = np.random.default_rng(7).standard_normal(count) * np.exp(-np.arange(count) / (0.25 * count))
    burst *= level / np.abs(burst).max()
    for tick in click_ticks(seconds, hz):
        out[tick * TICK_SAMPLES : tick * TICK_SAMPLES + count] = burst
    return out


def click_ticks(seconds: float, hz: float = CLICK_HZ) -> list[int]:
    """The ticks of the clicks of `click_track`; each click begins with its tick."""
    return [round(number / hz * TICKS_PER_SECOND) for number in range(1, round(seconds * hz))]


def sustained_ticks(
    level_db: NDArray[np.floating], onset_ticks: NDArray[np.int64], after: int = 8
) -> NDArray[np.bool_]:
    """Ticks in which a sound goes on: it is within 30 dB of its loudest tick, and no onset is near.

    Args:
        level_db: of each tick, [T].
        onset_ticks: ticks with an onset.
        after: so many ticks from an onset on do not count, and one before it.

    Returns:
        bool [T].
    """
    goes_on = np.asarray(level_db > max(-60.0, float(np.max(level_db, initial=-120.0)) - 30.0))
    for tick in onset_ticks.tolist():
        goes_on[max(0, tick - 1) : tick + after] = False
    return goes_on
