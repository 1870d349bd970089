"""A timecode: hours, minutes, seconds and frames, as SMPTE ST 12 counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass

RATES = (24.0, 25.0, 30_000 / 1_001, 30.0)
"""Frames a second of the four kinds, in MTC's order: 24, 25, 29.97 with dropped numbers, 30."""
NAMES = ("24", "25", "29.97 drop", "30")
_TEXT = re.compile(r"(\d\d):(\d\d):(\d\d)[:;.](\d\d)")


@dataclass(frozen=True, order=True)
class Timecode:
    """A place on a timeline.

    Attributes:
        hours, minutes, seconds, frames: as they are shown.
    """

    hours: int
    minutes: int
    seconds: int
    frames: int

    @property
    def is_possible(self) -> bool:
        """Whether a clock of any rate can show it."""
        return self.hours < 24 and self.minutes < 60 and self.seconds < 60 and self.frames < 30

    def shown_s(self, rate: float) -> float:
        """Where it is on the timeline, in seconds as they are shown.

        Dropped numbers are not counted out: two timecodes are in the same order as what is shown.
        """
        return 3_600.0 * self.hours + 60.0 * self.minutes + self.seconds + self.frames / round(rate)

    def __str__(self) -> str:
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}:{self.frames:02}"


def read_timecode(text: str) -> Timecode | None:
    """Read `HH:MM:SS:FF`; None for anything else."""
    match = _TEXT.fullmatch(text.strip())
    found = Timecode(*(int(number) for number in match.groups())) if match else None
    return found if found is not None and found.is_possible else None


@dataclass(frozen=True)
class TimecodeReading:
    """What a timecode says at one moment.

    Attributes:
        timecode: the frame.
        rate: frames a second.
        at_ns: when this frame began, monotonic.
        runs: 1 forward, -1 backward, 0 it stands (a full frame of MTC).
    """

    timecode: Timecode
    rate: float
    at_ns: int
    runs: int = 1
