"""Reads MIDI timecode (MTC, MIDI 1.0, MMA RP-004/008): quarter frames while it runs, full frames where it stands."""

from __future__ import annotations

from streaming.remote.show_control.timecode.timecode import RATES, Timecode, TimecodeReading

QUARTER_FRAME = 0xF1
FULL_FRAME = bytes([0xF0, 0x7F])
PIECES = 8
LATEST_NS = 200_000_000
"""Two quarter frames that lie farther apart do not belong together."""


class MtcReader:
    """Takes MIDI messages, and gives a timecode whenever one is complete: every two frames while it runs."""

    def __init__(self) -> None:
        self._pieces = [0] * PIECES
        self._expected: int | None = None
        self._direction, self._run = 1, 0
        self._heard_ns = 0

    def take(self, message: bytes, now_ns: int) -> TimecodeReading | None:
        """Take in a message.

        Args:
            message: of any kind; damaged ones are passed over.
            now_ns: when it came.

        Returns:
            A reading when one is complete.
        """
        if len(message) == 2 and message[0] == QUARTER_FRAME and message[1] < 0x80:
            return self._quarter(message[1] >> 4, message[1] & 0x0F, now_ns)
        is_full = len(message) == 10 and message[:2] == FULL_FRAME and message[3:5] == b"\1\1" and message[9] == 0xF7
        if is_full and max(message[5:9]) < 0x80:
            self._run = 0
            timecode = Timecode(message[5] & 0x1F, message[6], message[7], message[8])
            rate = RATES[message[5] >> 5 & 3]
            return TimecodeReading(timecode, rate, now_ns, runs=0) if timecode.is_possible else None
        return None

    def _quarter(self, piece: int, value: int, now_ns: int) -> TimecodeReading | None:
        if now_ns - self._heard_ns > LATEST_NS:
            self._run, self._expected = 0, None
        self._heard_ns = now_ns
        last = self._expected
        self._expected = piece
        step = (piece - last) % PIECES if last is not None else 0
        direction = {1: 1, PIECES - 1: -1}.get(step, 0)
        if direction != self._direction or not self._run:
            self._direction, self._run = direction or 1, 1
        else:
            self._run += 1
        self._pieces[piece] = value
        is_last = piece == (PIECES - 1 if self._direction > 0 else 0)
        return self._reading(now_ns) if is_last and self._run >= PIECES else None

    def _reading(self, now_ns: int) -> TimecodeReading | None:
        low = self._pieces
        places = ((0, 1), (2, 3), (4, 3))
        frames, seconds, minutes = (low[place] | (low[place + 1] & high) << 4 for place, high in places)
        timecode = Timecode(low[6] | (low[7] & 1) << 4, minutes, seconds, frames)
        rate = RATES[low[7] >> 1 & 3]
        if not timecode.is_possible:
            return None
        # The frame that the pieces name began with the first of them, seven quarters of a frame ago.
        began_ns = now_ns - round(1.75e9 / rate)
        return TimecodeReading(timecode, rate, began_ns, self._direction)
