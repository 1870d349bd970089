"""Opening hours and restarts of the whole show, on a virtual clock."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streaming.errors import UserError
from streaming.runtime.standing.keeper import LONGEST_DELAY_S, TURN_S, WORKED_S, Keeper, Waiting
from streaming.settings.values.schedule import read_schedule
from streaming.system.service_manager import ServiceManager
from streaming.telemetry.report import Ending

BERLIN = ZoneInfo("Europe/Berlin")
S = 1_000_000_000
MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=BERLIN).timestamp()


class VirtualWaiting(Waiting):
    """Time that passes when it is waited for; the user wants the end after some of it."""

    def __init__(self, ends_after_s: float = 1e12, step_s: float = 0.0) -> None:
        super().__init__(lambda: self.time_ns, lambda at_ns: MONDAY + at_ns / 1e9, threading.Event())
        self.time_ns, self.ends_after_s, self.step_s = 0, ends_after_s, step_s

    def pause(self, seconds: float) -> bool:
        self.time_ns += round(max(seconds, self.step_s) * S)
        return self.interrupted.is_set() or self.time_ns / 1e9 >= self.ends_after_s


class Manager(ServiceManager):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.told: list[tuple[tuple[str, ...], str]] = []

    def tell(self, *lines: str, status: str = "") -> None:
        self.told.append((lines, status))


class Stand:
    """A keeper, its shows and what it says."""

    def __init__(self, waiting: VirtualWaiting, hours: str = "", again: bool = True) -> None:
        self.waiting, self.said, self.shows = waiting, list[str](), list[float]()
        self.endings: list[Ending | UserError] = []
        schedule = read_schedule(hours, BERLIN) if hours else None
        self.manager = Manager()
        self.keeper = Keeper(
            self.perform, schedule, again=again, say=self.said.append, manager=self.manager, waiting=waiting
        )

    def perform(self, closes: Callable[[], bool]) -> Ending:
        self.shows.append(self.waiting.time_ns / 1e9)
        if self.endings:
            ending = self.endings.pop(0)
            if isinstance(ending, UserError):
                raise ending
            return ending
        while not closes():
            if self.waiting.pause(TURN_S):
                return Ending(0)
        return Ending(0, closed=True)


def test_a_week_has_seven_shows_at_their_hours() -> None:
    stand = Stand(VirtualWaiting(7 * 86_400.0, 20.0), "10:00-18:00")
    assert stand.keeper.run() == Ending(0)
    assert stand.shows == pytest.approx([7_200.0 + 86_400.0 * day for day in range(7)], abs=20.0)
    assert stand.said[:2] == ["closed until 2026-11-30 10:00", "closed until 2026-12-01 10:00"]


def test_failures_are_waited_for_ever_longer_until_a_show_has_worked() -> None:
    stand = Stand(VirtualWaiting(3_600.0))
    stand.endings = [Ending(1, "the camera: no")] * 12
    assert stand.keeper.run() == Ending(0)
    waits = [b - a for a, b in itertools.pairwise(stand.shows)]
    assert waits[:4] == pytest.approx([1.0, 2.0, 4.0, 8.0])
    assert max(waits) == LONGEST_DELAY_S
    assert stand.said[0] == "the camera: no; it begins again in 1 s"


def test_a_show_that_worked_long_enough_begins_again_at_once() -> None:
    stand = Stand(VirtualWaiting(1e6))
    stand.endings = [Ending(1, "a"), Ending(1, "b"), Ending(1, "c"), Ending(0)]
    perform, keeper = stand.perform, stand.keeper

    def worked(closes: Callable[[], bool]) -> Ending:
        if len(stand.shows) == 2:
            stand.waiting.time_ns += round((WORKED_S + 1) * S)
        return perform(closes)

    keeper = Keeper(worked, None, again=True, say=stand.said.append, manager=ServiceManager({}), waiting=stand.waiting)
    assert keeper.run() == Ending(0)
    assert [line.rpartition(" in ")[2] for line in stand.said] == ["1 s", "2 s", "1 s"]


def test_a_first_show_that_cannot_begin_is_an_error_and_a_later_one_waits() -> None:
    stand = Stand(VirtualWaiting())
    stand.endings = [UserError("is in use", "the run folder", "end the other show")]
    with pytest.raises(UserError):
        stand.keeper.run()
    stand.endings = [Ending(2, "camera 7: cannot be opened")]
    assert stand.keeper.run() == Ending(2, "camera 7: cannot be opened")
    stand.endings = [
        Ending(0, closed=True),
        Ending(2, "camera 7: cannot be opened"),
        UserError("is in use", "x", "y"),
        Ending(0),
    ]
    assert stand.keeper.run() == Ending(0)
    assert stand.endings == []


def test_who_ends_a_show_that_gets_ready_has_ended_it() -> None:
    stand = Stand(VirtualWaiting())
    stand.endings = [Ending(1, "x"), Ending(1, "ended before the performance began", asked=True), Ending(0)]
    assert stand.keeper.run().asked
    assert len(stand.shows) == 2


def test_without_installation_a_failure_ends_it() -> None:
    stand = Stand(VirtualWaiting(), "00:00-24:00", again=False)
    stand.endings = [Ending(1, "x\n  last words")]
    assert stand.keeper.run() == Ending(1, "x\n  last words")
    assert stand.manager.told == [(("STOPPING=1",), "x")]


def test_a_service_says_that_it_stops_only_when_nothing_begins_again() -> None:
    """Not after a failure, nor at the closing hour: systemd would end it."""
    stand = Stand(VirtualWaiting())
    stand.endings = [Ending(1, "the camera: no"), Ending(0, closed=True), Ending(0)]
    assert stand.keeper.run() == Ending(0)
    told = stand.manager.told
    assert told[0] == (("READY=1", "WATCHDOG=1"), "the camera: no; it begins again in 1 s")
    assert [number for number, (lines, _) in enumerate(told) if "STOPPING=1" in lines] == [len(told) - 1]
    assert told[-1] == (("STOPPING=1",), "ended")


def test_a_signal_ends_the_wait() -> None:
    waiting = Waiting()
    with waiting.on_signals():
        signal.raise_signal(signal.SIGTERM)
    assert waiting.pause(60.0), "it does not wait"
