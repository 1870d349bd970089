"""Follows a timecode, and says which cues it has reached."""

from __future__ import annotations

from collections.abc import Sequence

from streaming.remote.show_control.timecode.timecode import TimecodeReading

COAST_NS = 250_000_000
"""For so long a timecode that is heard no more is taken to go on."""
JUMP_S = 1.0
"""A step that is larger than this, beyond the time that has passed, is a jump to another place."""
EARLY_S = 0.5e-3


class CueChase:
    """Turns a timecode into cues that are due.

    While it runs forward, every cue that it passes is due, in order. After a jump, also the one with which it begins,
    the last cue before it is due: so a rehearsal may begin anywhere. Backwards nothing is due.

    Attributes:
        position_s: where the timeline was last, in seconds as they are shown; None before anything was heard.
    """

    def __init__(self) -> None:
        self.position_s: float | None = None
        self._reading: TimecodeReading | None = None
        self._heard_ns = 0

    def hear(self, reading: TimecodeReading, now_ns: int) -> None:
        """Take in what was read."""
        self._reading, self._heard_ns = reading, now_ns

    def hears(self, now_ns: int) -> bool:
        """Whether a timecode is heard at present."""
        return self._reading is not None and now_ns - self._heard_ns <= COAST_NS

    @property
    def rate(self) -> float:
        """Frames a second of what was heard last; 30 before."""
        return 30.0 if self._reading is None else self._reading.rate

    def due(self, cues_s: Sequence[float | None], now_ns: int) -> list[int]:
        """The places of the cues that are due now.

        Args:
            cues_s: when each goes, in seconds of the timeline as they are shown; None for one that goes by hand.
            now_ns: the time.
        """
        reading = self._reading
        if reading is None or not self.hears(now_ns):
            return []
        now_s = reading.timecode.shown_s(reading.rate) + reading.runs * max(0, now_ns - reading.at_ns) / 1e9
        before, self.position_s = self.position_s, now_s
        if before is None or not before - 0.1 <= now_s <= before + JUMP_S:
            past = [(at_s, place) for place, at_s in enumerate(cues_s) if at_s is not None and at_s <= now_s + EARLY_S]
            return [max(past)[1]] if past and reading.runs >= 0 else []
        if reading.runs < 0 or now_s <= before:
            # A frame's time is known to some milliseconds: what was passed is not passed again.
            self.position_s = now_s if reading.runs < 0 else before
            return []
        passed = [
            (at_s, place)
            for place, at_s in enumerate(cues_s)
            if at_s is not None and before + EARLY_S < at_s <= now_s + EARLY_S
        ]
        return [place for _, place in sorted(passed)]
