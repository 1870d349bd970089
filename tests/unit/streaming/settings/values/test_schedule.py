"""Opening hours by the wall clock, also where the clock is set forward or back, and past midnight."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streaming.errors import SettingError
from streaming.settings.values.schedule import read_schedule

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("schedule", "clock", "opens"),
    [
        ("10:00-18:00", "2026-11-30 09:59:59", False),
        ("10:00-18:00", "2026-11-30 10:00:00", True),
        ("10:00-18:00", "2026-11-30 17:59:59", True),
        ("10:00-18:00", "2026-11-30 18:00:00", False),
        ("10:00-12:30,14:00-18:00", "2026-11-30 13:00:00", False),
        ("10:00-12:30, 14:00-18:00", "2026-11-30 14:00:00", True),
        ("20:00-02:00", "2026-11-30 19:59:00", False),
        ("20:00-02:00", "2026-11-30 23:59:59", True),
        ("20:00-02:00", "2026-12-01 01:59:59", True),
        ("20:00-02:00", "2026-12-01 02:00:00", False),
        ("00:00-24:00", "2026-11-30 23:59:59", True),
        ("00:00-24:00", "2026-12-01 00:00:00", True),
    ],
)
def test_hours(schedule: str, clock: str, opens: bool) -> None:
    assert read_schedule(schedule, BERLIN).is_open(at(clock)) is opens


def test_the_night_in_which_the_clock_is_set_back_opens_once() -> None:
    night = read_schedule("22:00-02:30", BERLIN)
    # On 25 October 2026 the hour from 2 to 3 comes twice.
    assert night.is_open(at("2026-10-25 02:29", fold=0))
    assert not night.is_open(at("2026-10-25 02:30", fold=0))
    assert not night.is_open(at("2026-10-25 02:00", fold=1))
    assert not night.is_open(at("2026-10-25 02:29", fold=1))
    morning = read_schedule("02:30-10:00", BERLIN)
    openings = [morning.is_open(at("2026-10-25 00:00") + 60.0 * minute) for minute in range(24 * 60)]
    assert sum(a != b for a, b in itertools.pairwise(openings)) == 2
    assert sum(openings) == 8.5 * 60


def test_the_night_in_which_the_clock_is_set_forward() -> None:
    # On 29 March 2026 the clock goes from 2 to 3: no clock shows 2:30.
    early = read_schedule("02:30-10:00", BERLIN)
    assert not early.is_open(at("2026-03-29 01:59"))
    assert not early.is_open(at("2026-03-29 03:29"))
    assert early.is_open(at("2026-03-29 03:30"))
    assert not early.is_open(at("2026-03-29 10:00"))
    day = read_schedule("10:00-18:00", BERLIN)
    begins = [at(f"2026-03-{number} 10:00") for number in (28, 29, 30)]
    assert [day.is_open(one) and not day.is_open(one - 1) for one in begins] == [True] * 3
    assert [end - begin for begin, end in itertools.pairwise(begins)] == [23 * 3600, 24 * 3600]


def test_the_next_opening_is_known() -> None:
    schedule = read_schedule("10:00-18:00", BERLIN)
    assert schedule.opens_at(at("2026-03-28 18:00")) == at("2026-03-29 10:00")
    assert schedule.opens_at(at("2026-03-28 09:00")) == at("2026-03-28 10:00")
    assert schedule.opens_at(at("2026-03-28 10:00")) == at("2026-03-29 10:00")
    assert schedule.clock_text(at("2026-03-29 10:00")) == "2026-03-29 10:00"


def test_every_minute_of_a_year_is_open_as_a_clock_says() -> None:
    schedule = read_schedule("10:00-18:00", BERLIN)
    begin = at("2026-01-01 00:00")
    for minute in range(0, 365 * 24 * 60, 7):
        local = datetime.fromtimestamp(begin + 60 * minute, BERLIN)
        assert schedule.is_open(begin + 60 * minute) is (10 <= local.hour < 18)


def test_this_machines_own_zone_is_the_default() -> None:
    schedule = read_schedule("10:00-18:00")
    noon = datetime(2026, 6, 1, 12).timestamp()
    assert schedule.is_open(noon)
    assert not schedule.is_open(noon + 6 * 3600)


@pytest.mark.parametrize(
    "text", ["", "10-18", "10:00", "10:60-12:00", "25:00-26:00", "24:00-10:00", "10:00-10:00", "10:00-18:00,", "x"]
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingError, match="--schedule") as caught:
        read_schedule(text)
    assert "10:00-18:00" in str(caught.value)


def test_too_many_spans_are_refused() -> None:
    with pytest.raises(SettingError, match="more than"):
        read_schedule(",".join(["10:00-11:00"] * 13))
