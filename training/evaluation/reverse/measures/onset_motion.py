"""Motion at the onsets of a sound, against the same onsets shifted in a circle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND

SHIFTS = 400
WINDOW_TICKS = 3
"""An onset's motion is that of its tick and the two after it: 120 ms."""


@dataclass(frozen=True)
class OnsetMotion:
    """What moves at onsets.

    Attributes:
        ratio: the mean motion at onsets over that at shifted onsets; NaN where nothing moves or no onset is.
        p: the share of circular shifts with at least as much motion, the true place counted in.
        at_onsets: the mean motion at onsets.
        shifted: the mean motion at shifted onsets, over all shifts.
        n_onsets: how many there are.
        reference: the ratio that motion would have which lasts evenly for `WINDOW_TICKS` from each onset and rests
            elsewhere; near 1 where the onsets lie close together.
    """

    ratio: float
    p: float
    at_onsets: float
    shifted: float
    n_onsets: int
    reference: float


def onset_motion(
    energy: NDArray[np.floating], onsets_s: NDArray[np.floating], shifts: int = SHIFTS, seed: int = 0
) -> OnsetMotion:
    """Compare the motion at onsets with that at onsets shifted in a circle by random amounts.

    Args:
        energy: how much moves in each tick, [T], not negative.
        onsets_s: times of the onsets in seconds from the first tick's beginning.
        shifts: how many random shifts.
        seed: of the shifts.
    """
    ticks = np.floor(np.asarray(onsets_s) * TICKS_PER_SECOND + 1e-6).astype(np.int64)
    ticks = np.unique(ticks[(ticks >= 0) & (ticks < len(energy))])
    if not ticks.size or len(energy) < 2 * WINDOW_TICKS or not np.any(energy > 0):
        return OnsetMotion(float("nan"), float("nan"), 0.0, 0.0, int(ticks.size), float("nan"))
    after = np.mean([np.roll(energy.astype(np.float64), -k) for k in range(WINDOW_TICKS)], 0)
    by = np.random.default_rng(seed).integers(1, len(energy), shifts)
    shifted = after[(ticks[None] + by[:, None]) % len(energy)].mean(1)
    here = float(after[ticks].mean())
    p = (1.0 + int((shifted >= here - 1e-12).sum())) / (shifts + 1.0)
    elsewhere = float(shifted.mean())
    ratio = here / elsewhere if elsewhere > 0 else float("nan")
    covered = np.unique((ticks[:, None] + np.arange(WINDOW_TICKS)) % len(energy)).size
    return OnsetMotion(ratio, p, here, elsewhere, int(ticks.size), len(energy) / covered)
