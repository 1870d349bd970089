"""How phrases end: the share of ends that are cut, as with scissors, and do not ring out.

A phrase ends where a sound has been `SOUNDING_DB` or less below its loud level and is softer for at least `PAUSE_S`. It
is cut where its level falls by more than `CUT_DB` within `CUT_S` on the way there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE

WINDOW_S, HOP_S = 0.01, 0.0025
SOUNDING_DB = 40.0
PAUSE_S = 0.3
CUT_DB, CUT_S = 30.0, 0.02
LOOK_BACK_S = 0.5
"""The fall is looked for in that time before the end."""
FLOOR_DB = -90.0


class PhraseEnds(NamedTuple):
    """The phrase ends of a sound.

    Attributes:
        ends_s: their times in seconds [N].
        falls_db: the largest fall within 20 ms on the way to each [N].
    """

    ends_s: NDArray[np.float64]
    falls_db: NDArray[np.float64]

    @property
    def cut(self) -> int:
        """How many are cut."""
        return int((self.falls_db > CUT_DB).sum())


def levels_db(sound: NDArray[np.floating], rate: int = SAMPLE_RATE) -> NDArray[np.float64]:
    """Level in dBFS of windows of 10 ms (Hann) every 2.5 ms: [frames], at least -90."""
    window = np.hanning(round(WINDOW_S * rate) + 2)[1:-1]
    hop = round(HOP_S * rate)
    if sound.size < window.size:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64) ** 2, window.size)[::hop]
    power = frames @ window / window.sum()
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0))))


def phrase_ends(sound: NDArray[np.floating], rate: int = SAMPLE_RATE) -> PhraseEnds:
    """Find the phrase ends of a mono sound.

    Args:
        sound: [n].
        rate: samples a second.

    Returns:
        Its phrase ends; none where it never pauses, and none at its very end.
    """
    levels = levels_db(sound, rate)
    if not levels.size or levels.max() <= FLOOR_DB + SOUNDING_DB:
        return PhraseEnds(np.zeros(0), np.zeros(0))
    loud = levels > np.percentile(levels[levels > levels.max() - SOUNDING_DB], 90) - SOUNDING_DB
    places = np.flatnonzero(loud)
    pause, lag, back = (round(time / HOP_S) for time in (PAUSE_S, CUT_S, LOOK_BACK_S))
    gaps = np.diff(np.append(places, levels.size))
    ends = places[gaps > pause]
    falls = levels[:-lag] - levels[lag:] if levels.size > lag else np.zeros(0)
    largest = [float(falls[max(0, end - back) : end + 1].max(initial=0.0)) for end in ends]
    return PhraseEnds(np.asarray(ends * HOP_S + WINDOW_S / 2.0, np.float64), np.array(largest, np.float64))


def cut_share(sounds: list[NDArray[np.float32]], rate: int = SAMPLE_RATE) -> tuple[float | None, int]:
    """The share of phrase ends of sounds that are cut, and the number of phrase ends; None where there are none."""
    found = [phrase_ends(sound, rate) for sound in sounds]
    count = sum(one.ends_s.size for one in found)
    return (sum(one.cut for one in found) / count if count else None), count
