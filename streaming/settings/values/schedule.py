"""The hours in which an installation plays: `--schedule 10:00-18:00`, by the local wall clock.

An opening lasts from the moment at which the clock first shows its begin to the moment at which it first shows its end.
So a clock that is set back for winter does not open twice, and one that is set forward for summer opens an hour of
the clock later where its begin is skipped (PEP 495). A span whose end is not after its begin goes on past midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache

from streaming.errors import SettingError

MOST_SPANS = 12
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_FIX = "for example 10:00-18:00, or 10:00-12:30,14:00-18:00"
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Schedule:
    """Opening hours, the same on every day.

    Attributes:
        spans: begin and end, in minutes of the day; an end that is not after its begin is of the next day.
        zone: where the clock is; None for this machine's own zone.
    """

    spans: tuple[tuple[int, int], ...]
    zone: tzinfo | None = None

    def is_open(self, wall_s: float) -> bool:
        """Whether the show plays at a wall-clock time, in seconds since 1970."""
        return any(begin_s <= wall_s < end_s for begin_s, end_s in self._openings(wall_s))

    def opens_at(self, wall_s: float) -> float:
        """The next begin of an opening after a wall-clock time, both in seconds since 1970."""
        return min(begin_s for begin_s, _ in self._openings(wall_s) if begin_s > wall_s)

    def clock_text(self, wall_s: float) -> str:
        """Date and time of day where the clock is, as `2026-11-30 10:00`."""
        return datetime.fromtimestamp(wall_s, self.zone).strftime("%Y-%m-%d %H:%M")

    def _openings(self, wall_s: float) -> tuple[tuple[float, float], ...]:
        return _openings_of(self.spans, self.zone, int(wall_s // 3_600))


@lru_cache(maxsize=64)
def _openings_of(spans: tuple[tuple[int, int], ...], zone: tzinfo | None, hour: int) -> tuple[tuple[float, float], ...]:
    """The openings around an hour since 1970, from those that began the day before to those in two days, in seconds."""
    midnight = datetime.combine(datetime.fromtimestamp(3_600 * hour, zone).date(), time())

    def seconds(days: int, minutes: int) -> float:
        local = midnight + timedelta(days=days, minutes=minutes)
        return (local if zone is None else local.replace(tzinfo=zone)).timestamp()

    return tuple(
        (seconds(day, begin), seconds(day + (end <= begin), end)) for day in (-1, 0, 1, 2) for begin, end in spans
    )


def read_schedule(text: str, zone: tzinfo | None = None) -> Schedule:
    """Read `HH:MM-HH:MM`, several with commas.

    Args:
        text: as it was written.
        zone: where the clock is; None for this machine's own zone.

    Raises:
        SettingError: for anything else.
    """
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise SettingError("schedule", text, "is not HH:MM-HH:MM", _FIX)
        hours = [int(number) for number in match.groups()]
        begin, end = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
        if hours[1] > 59 or hours[3] > 59 or begin >= DAY_MINUTES or end > DAY_MINUTES:
            raise SettingError("schedule", text, "has a time that no clock shows", _FIX)
        if begin == end:
            raise SettingError("schedule", text, "begins when it ends", f"leave it out to play always, or {_FIX}")
        spans.append((begin, end))
    if len(spans) > MOST_SPANS:
        raise SettingError("schedule", text, f"has more than {MOST_SPANS} spans", _FIX)
    return Schedule(tuple(spans), zone)
