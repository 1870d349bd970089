"""Reads linear timecode (LTC, SMPTE ST 12-1) from sound: 80 bits a frame in biphase mark code.

Every bit begins with a change of sign, and a one has another change in its middle. So it may come at any level, either
way round, at any speed, and backwards. Changes of sign are found with a hysteresis that follows the level; the length
of a bit follows the speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.remote.show_control.timecode.timecode import Timecode

BITS = 80
SYNC = 0b0011_1111_1111_1101
"""The last 16 bits of a frame, in the order in which they come."""
SYNC_BACKWARD = 0b1011_1111_1111_1100
"""The same when it runs backwards: then they come first."""
HYSTERESIS = 0.3
"""Of the level: less is noise."""
FALL_A_SECOND = 0.01
"""To what part the followed level falls in a second of silence."""
LEAST_LEVEL = 1e-3
"""-60 dB of full scale: below, nothing is read."""
HALF_UP_TO, LONGEST, SHORTEST = 0.75, 1.6, 0.35
"""An interval, in bits: up to the first it is half a bit; beyond the others the length of a bit is another."""
FOLLOW = 0.1
SLOWEST_HZ, FASTEST_HZ = 200.0, 12_000.0
"""Bits a second that are looked for: a tenth of the speed at 24 frames, and five times that at 30."""
_ALL = (1 << BITS) - 1


@dataclass(frozen=True)
class LtcFrame:
    """One frame that was read.

    Attributes:
        timecode: what it shows.
        dropped: numbers are dropped: 29.97 frames a second.
        begin: the sample at which it begins, where it runs backwards at which it ends; counted from the first sample.
        samples: how long it is.
        backward: it runs backwards.
    """

    timecode: Timecode
    dropped: bool
    begin: float
    samples: float
    backward: bool


class LtcDecoder:
    """Reads the frames of sound that comes block by block.

    Args:
        samplerate: of the sound, Hz.
    """

    def __init__(self, samplerate: int) -> None:
        self._samplerate = samplerate
        self._level, self._sign = 0.0, 0
        self._position = 0
        self._last = 0.0
        """The last sample of the block before."""
        self._edge: float | None = None
        self._bit: float | None = None
        """Samples of a bit, None while nobody knows."""
        self._half = False
        """The first half of a one has come."""
        self._register = self._count = 0
        self._ends: list[float] = []
        """Where the bits in the register ended."""

    def hear(self, pcm: NDArray[np.float32]) -> list[LtcFrame]:
        """The frames that end in the next block.

        Args:
            pcm: float32 [n].
        """
        frames: list[LtcFrame] = []
        for edge in self._edges(pcm):
            if self._edge is not None:
                frame = self._take(edge - self._edge, edge)
                if frame is not None:
                    frames.append(frame)
            self._edge = edge
        self._position += len(pcm)
        return frames

    def _edges(self, pcm: NDArray[np.float32]) -> list[float]:
        """Where the sign changes, in samples from the first one."""
        if not len(pcm):
            return []
        peak = float(np.abs(pcm).max())
        self._level = max(peak, self._level * FALL_A_SECOND ** (len(pcm) / self._samplerate))
        if peak < LEAST_LEVEL:
            self._last = float(pcm[-1])
            return []
        least = HYSTERESIS * self._level
        marks = (pcm > least).astype(np.int8) - (pcm < -least)
        places = np.flatnonzero(marks)
        if not len(places):
            self._last = float(pcm[-1])
            return []
        signs = marks[places]
        before = np.concatenate([[self._sign], signs[:-1]])
        turned = places[(signs != before) & (before != 0)]
        self._sign = int(signs[-1])
        past = np.concatenate([[self._last], pcm[:-1]])[turned].astype(np.float64)
        now = pcm[turned].astype(np.float64)
        # Between two samples, where the line through them meets the threshold.
        wanted = np.where(now > 0, least, -least)
        part = np.clip((wanted - past) / np.where(now == past, 1.0, now - past), 0.0, 1.0)
        self._last = float(pcm[-1])
        return [float(place) for place in self._position + turned - 1 + part]

    def _take(self, interval: float, edge: float) -> LtcFrame | None:
        """Take in the time between two edges; a frame when it is complete."""
        if self._bit is None or interval > LONGEST * self._bit or interval < SHORTEST * self._bit:
            self._search(interval)
            return None
        if interval > HALF_UP_TO * self._bit:
            if self._half:
                # Half a one and then a whole bit: that was no bit's begin.
                self._forget()
            self._bit += FOLLOW * (interval - self._bit)
            return self._push(0, edge)
        self._bit += FOLLOW * (2.0 * interval - self._bit)
        self._half = not self._half
        return None if self._half else self._push(1, edge)

    def _search(self, interval: float) -> None:
        """Take an interval for a whole bit where it is longer than what was taken for one, else for half a bit."""
        longer = self._bit is None or interval > self._bit
        bit = interval if longer else 2.0 * interval
        low, high = self._samplerate / FASTEST_HZ, self._samplerate / SLOWEST_HZ
        self._bit = bit if low <= bit <= high else None
        self._forget()

    def _forget(self) -> None:
        self._half = False
        self._register = self._count = 0
        self._ends.clear()

    def _push(self, bit: int, edge: float) -> LtcFrame | None:
        self._register = (self._register << 1 | bit) & _ALL
        self._count = min(self._count + 1, BITS)
        self._ends.append(edge)
        del self._ends[: -BITS - 1]
        if self._count < BITS or len(self._ends) <= BITS:
            return None
        if self._register & 0xFFFF == SYNC:
            # The bit that came first is the lowest.
            return self._frame(int(f"{self._register >> 16:064b}"[::-1], 2), backward=False)
        if self._register >> 64 == SYNC_BACKWARD:
            return self._frame(self._register & (1 << 64) - 1, backward=True)
        return None

    def _frame(self, bits: int, *, backward: bool) -> LtcFrame | None:
        """The frame of 64 bits, bit 0 of the standard the lowest; None where no clock shows that."""

        def field(first: int, count: int) -> int:
            return bits >> first & (1 << count) - 1

        units = [field(first, 4) for first in (48, 32, 16, 0)]
        tens = [field(56, 2), field(40, 3), field(24, 3), field(8, 2)]
        numbers = [10 * ten + unit for ten, unit in zip(tens, units, strict=True)]
        timecode = Timecode(*numbers)
        if max(units) > 9 or not timecode.is_possible:
            return None
        begin, end = self._ends[0], self._ends[-1]
        return LtcFrame(timecode, bool(field(10, 1)), begin, end - begin, backward)
