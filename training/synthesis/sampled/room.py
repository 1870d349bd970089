"""Puts a sound into a room, and keeps its peaks below full scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve, lfilter, resample_poly

from streaming.conventions import SAMPLE_RATE

Signal = NDArray[np.float64]
CEILING_DB = -1.0
"""Highest true peak in dBFS."""
OVERSAMPLING = 4
LOOK_AHEAD_S, RELEASE_S = 0.004, 0.08


class SmallRoom(NamedTuple):
    """A room.

    Attributes:
        reverberation_s: time in which its sound falls by 60 dB, at low frequencies.
        wet_db: energy of its sound against the instrument's own.
        delay_s: time until its sound begins.
        damping_hz: above this its sound falls faster.
    """

    reverberation_s: float
    wet_db: float
    delay_s: float
    damping_hz: float


ROOMS: dict[str, tuple[SmallRoom, SmallRoom]] = {
    "booth": (SmallRoom(0.12, -24.0, 0.001, 2_000.0), SmallRoom(0.25, -16.0, 0.004, 6_000.0)),
    "studio": (SmallRoom(0.25, -18.0, 0.003, 2_500.0), SmallRoom(0.45, -10.0, 0.01, 7_000.0)),
    "chamber": (SmallRoom(0.5, -16.0, 0.008, 2_500.0), SmallRoom(0.8, -9.0, 0.02, 6_000.0)),
    "hall": (SmallRoom(0.8, -16.0, 0.015, 2_000.0), SmallRoom(1.3, -10.0, 0.035, 5_000.0)),
}
"""Name -> the ranges that a room's values are drawn from."""


def draw_room(rng: np.random.Generator) -> SmallRoom:
    """Draw a room: in a fifth of all draws a booth, else evenly one of the others."""
    name = str(rng.choice(list(ROOMS), p=[0.2, 0.3, 0.3, 0.2]))
    low, high = ROOMS[name]
    return SmallRoom(*(float(rng.uniform(a, b)) for a, b in zip(low, high, strict=True)))


def impulse_response(room: SmallRoom, rng: np.random.Generator, rate: int = SAMPLE_RATE) -> Signal:
    """What a click sounds like in a room, without the click itself: noise that decays, its highs faster.

    Args:
        room: the room.
        rng: draws the noise.
        rate: samples a second.

    Returns:
        float64 [n], of unit energy.
    """
    time = np.arange(round(1.1 * room.reverberation_s * rate)) / rate
    noise = rng.standard_normal(time.size)
    pole = float(np.exp(-2.0 * np.pi * room.damping_hz / rate))
    low = np.asarray(lfilter([1.0 - pole], [1.0, -pole], noise))
    low = np.asarray(lfilter([1.0, -1.0], [1.0, -0.98], low))
    decay = np.log(1000.0) / room.reverberation_s
    tail = low * np.exp(-decay * time) + 0.5 * (noise - low) * np.exp(-3.0 * decay * time)
    tail *= np.minimum(1.0, np.arange(tail.size, 0, -1) / (0.1 * tail.size))
    tail /= np.sqrt((tail**2).sum()) + 1e-12
    return np.concatenate([np.zeros(round(room.delay_s * rate)), tail])


def in_room(sound: Signal, room: SmallRoom, rng: np.random.Generator, rate: int = SAMPLE_RATE) -> Signal:
    """A sound [n] in a room: [n]."""
    tail = impulse_response(room, rng, rate) * 10.0 ** (room.wet_db / 20.0)
    return np.asarray(sound + fftconvolve(sound, tail)[: sound.size])


def true_peak(sound: NDArray[np.floating]) -> float:
    """The largest magnitude between and at the samples, by four-fold oversampling as in ITU-R BS.1770."""
    if not sound.size:
        return 0.0
    return float(np.abs(resample_poly(sound.astype(np.float64), OVERSAMPLING, 1)).max())


def limit(sound: Signal, rate: int = SAMPLE_RATE) -> Signal:
    """Turn peaks down to `CEILING_DB`, some milliseconds ahead, and back up over `RELEASE_S`; the rest is untouched."""
    ceiling = 10.0 ** (CEILING_DB / 20.0)
    fine = np.abs(resample_poly(sound, OVERSAMPLING, 1)).reshape(-1, OVERSAMPLING).max(1)
    if not fine.size or fine.max() <= ceiling:
        return sound
    width = 2 * round(LOOK_AHEAD_S * rate) + 1
    over = maximum_filter1d(np.maximum(0.0, 20.0 * np.log10(np.maximum(fine, 1e-9) / ceiling)), width)
    pole = float(np.exp(-1.0 / (RELEASE_S * rate)))
    # The release: an exponential fall, restarted wherever more is needed.
    held = np.log(np.maximum(over, 1e-6)) + np.arange(over.size) * -np.log(pole)
    fall = np.exp(np.maximum.accumulate(held) - np.arange(over.size) * -np.log(pole))
    window = np.hanning(width + 2)[1:-1]
    turn = fftconvolve(np.pad(fall, width // 2, mode="edge"), window / window.sum(), mode="valid")
    out = sound * 10.0 ** (-np.maximum(0.0, turn) / 20.0)
    # The smooth gain misses the narrowest peaks by some tenths of a decibel.
    return np.asarray(out * min(1.0, ceiling / true_peak(out)))
