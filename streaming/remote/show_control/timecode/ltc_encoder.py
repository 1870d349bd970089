"""Makes linear timecode as sound, for tests and to try a wiring: the inverse of `ltc_decoder`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streaming.remote.show_control.timecode.ltc_decoder import SYNC
from streaming.remote.show_control.timecode.timecode import Timecode


def frame_bits(timecode: Timecode, *, dropped: bool = False) -> list[int]:
    """The 80 bits of a frame, in the order in which they come."""
    bits = [0] * 64

    def put(first: int, count: int, value: int) -> None:
        bits[first : first + count] = [value >> place & 1 for place in range(count)]

    places = ((0, 8, 2), (16, 24, 3), (32, 40, 3), (48, 56, 2))
    numbers = (timecode.frames, timecode.seconds, timecode.minutes, timecode.hours)
    for (unit, ten, size), number in zip(places, numbers, strict=True):
        put(unit, 4, number % 10)
        put(ten, size, number // 10)
    bits[10] = int(dropped)
    return bits + [SYNC >> place & 1 for place in range(15, -1, -1)]


def encode_ltc(
    timecodes: Iterable[Timecode], rate: float, samplerate: int, *, dropped: bool = False, level: float = 0.5
) -> NDArray[np.float32]:
    """The sound of some frames, one after another.

    Args:
        timecodes: the frames.
        rate: frames a second.
        samplerate: Hz.
        dropped: says that numbers are dropped.
        level: of the square wave, 0 to 1.

    Returns:
        float32 [n].
    """
    bits = [bit for timecode in timecodes for bit in frame_bits(timecode, dropped=dropped)]
    half = samplerate / (rate * 160)
    # The halves of a bit at which the sign changes.
    turns = [place for index, bit in enumerate(bits) for place in (2 * index, *([2 * index + 1] if bit else []))]
    count = round(2 * len(bits) * half)
    number = np.searchsorted(np.asarray(turns) * half, np.arange(count), side="right")
    return np.where(number % 2, level, -level).astype(np.float32)
