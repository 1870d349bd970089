"""Pitch of a single voice, frame by frame: YIN (de Cheveigne and Kawahara 2002)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TOKEN_FRAME_SAMPLES

WINDOW = 1600
LOWEST_HZ, HIGHEST_HZ = 60.0, 1300.0
THRESHOLD = 0.15
"""Largest normalized difference that is called voiced."""
QUIET_DB = -50.0


def pitch_track(x: NDArray[np.float32], rate: int = SAMPLE_RATE) -> NDArray[np.float64]:
    """The pitch of every token frame.

    Args:
        x: sound, float32 [n].
        rate: in Hz.

    Returns:
        MIDI pitch [n // 640] (69 is 440 Hz, a cent is 0.01), NaN where there is none: unvoiced, or below `QUIET_DB`.
    """
    count = x.size // TOKEN_FRAME_SAMPLES
    longest = int(rate / LOWEST_HZ) + 2
    span = WINDOW + longest
    # A frame is heard in the middle of its window.
    lead = span // 2 - TOKEN_FRAME_SAMPLES // 2
    padded = np.pad(x.astype(np.float64), (lead, span))
    frames = np.lib.stride_tricks.sliding_window_view(padded, span)[: count * TOKEN_FRAME_SAMPLES : TOKEN_FRAME_SAMPLES]
    difference = _differences(frames, longest)
    lags = np.arange(1, longest + 1)
    normalized = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-12)
    shortest = int(rate / HIGHEST_HZ)
    track = np.full(count, np.nan)
    level = 10 * np.log10((frames**2).mean(1) + 1e-12)
    for row in np.flatnonzero(level > QUIET_DB):
        lag = _dip(normalized[row], shortest)
        if lag is not None:
            track[row] = 69.0 + 12.0 * np.log2(rate / lag / 440.0)
    return track


def _differences(frames: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Squared differences of each frame's first `WINDOW` samples to those `lag` later: [count, longest + 1]."""
    size = 1 << (frames.shape[1] + WINDOW - 1).bit_length()
    whole = np.fft.rfft(frames, size)
    head = np.fft.rfft(frames[:, :WINDOW], size)
    product = np.fft.irfft(whole * np.conj(head), size)[:, : longest + 1]
    power = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    energy = power[:, WINDOW : WINDOW + longest + 1] - power[:, : longest + 1]
    return np.maximum(energy[:, :1] + energy - 2.0 * product, 0.0)


def _dip(curve: NDArray[np.float64], shortest: int) -> float | None:
    """The first dip below the threshold, followed to its bottom and interpolated; lags count from 1."""
    below = np.flatnonzero(curve[shortest:-1] < THRESHOLD)
    if below.size == 0:
        return None
    at = int(below[0]) + shortest
    while at + 1 < curve.size - 1 and curve[at + 1] < curve[at]:
        at += 1
    left, middle, right = curve[at - 1], curve[at], curve[at + 1]
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return at + 1 + float(np.clip(shift, -1, 1))


def agreement(got: NDArray[np.float64], wanted: NDArray[np.float64], cents: float = 50.0) -> float:
    """Share of the frames voiced in `wanted` in which `got` is voiced and within so many cents; NaN for none.

    Tracks of different length are compared over the shorter one.
    """
    both = min(got.size, wanted.size)
    got, wanted = got[:both], wanted[:both]
    voiced = ~np.isnan(wanted)
    if not voiced.any():
        return float("nan")
    with np.errstate(invalid="ignore"):
        return float((np.abs(got[voiced] - wanted[voiced]) <= cents / 100.0).mean())
