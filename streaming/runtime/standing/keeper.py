"""Performs again and again: at the opening hours, and after a failure."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streaming.errors import UserError
from streaming.settings.values.schedule import Schedule
from streaming.system.service_manager import READY, STOPPING, WATCHDOG, ServiceManager
from streaming.telemetry.report import Ending
from streaming.timing import clock

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 300.0
"""Between two shows after failures: twice as long each time."""
WORKED_S = 600.0
"""A show that lasted so long has worked: the next failure is a first one."""
TURN_S = 1.0


@dataclass
class Waiting:
    """How time passes between two shows.

    Attributes:
        now_ns: reads the monotonic clock.
        wall_s: gives the wall-clock time, in seconds since 1970, of a monotonic time.
        interrupted: set when the user wants the end.
    """

    now_ns: Callable[[], int] = clock.now_ns
    wall_s: Callable[[int], float] = clock.wall_seconds
    interrupted: threading.Event = field(default_factory=threading.Event)

    def now_s(self) -> float:
        """The wall-clock time, in seconds since 1970."""
        return self.wall_s(self.now_ns())

    def pause(self, seconds: float) -> bool:
        """Wait; true when the user wants the end."""
        return self.interrupted.wait(seconds)

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """While the context lasts, Ctrl-C, SIGTERM and a closed terminal want the end."""
        names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
        before = {number: signal.signal(number, lambda *_: self.interrupted.set()) for number in names if number}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Keeper:
    """Keeps an installation playing.

    Args:
        perform: performs one show; it is given what says whether the show is to close.
        schedule: the opening hours, None for always.
        again: whether a show that failed is performed again.
        say: tells the user a line.
        manager: the service manager.
        waiting: how time passes.
    """

    def __init__(
        self,
        perform: Callable[[Callable[[], bool]], Ending],
        schedule: Schedule | None,
        *,
        again: bool,
        say: Callable[[str], object],
        manager: ServiceManager,
        waiting: Waiting | None = None,
    ) -> None:
        self._perform, self._schedule, self._again = perform, schedule, again
        self._say, self._manager = say, manager
        self._waiting = waiting or Waiting()
        self._delay_s = FIRST_DELAY_S

    def run(self) -> Ending:
        """Perform until the user wants the end, or a show ends as it should.

        Raises:
            UserError: when the very first show cannot begin.
        """
        ending = self._run()
        # Only now: systemd ends a service that goes on after it has said that it stops.
        self._manager.tell(STOPPING, status=ending.line.partition("\n")[0] or "ended")
        return ending

    def _run(self) -> Ending:
        shows = 0
        while True:
            if self._is_closed() and self._wait_closed():
                return Ending(0)
            began_s = self._waiting.now_ns() / 1e9
            try:
                ending = self._perform(self._is_closed)
            except UserError as error:
                if not self._again or not shows:
                    raise
                ending = Ending(2, str(error))
            if ending.closed:
                shows += 1
                self._delay_s = FIRST_DELAY_S
                continue
            if ending.asked or ending.code == 0 or not self._again or (ending.code == 2 and not shows):
                return ending
            shows += 1
            if self._waiting.now_ns() / 1e9 - began_s >= WORKED_S:
                self._delay_s = FIRST_DELAY_S
            if self._wait_after(ending):
                return Ending(0)

    def _is_closed(self) -> bool:
        return self._schedule is not None and not self._schedule.is_open(self._waiting.now_s())

    def _wait_closed(self) -> bool:
        """Wait until it opens; true when the user wants the end."""
        assert self._schedule is not None
        opens = self._schedule.clock_text(self._schedule.opens_at(self._waiting.now_s()))
        self._say(f"closed until {opens}")
        return self._wait(lambda: not self._is_closed(), f"closed until {opens}")

    def _wait_after(self, ending: Ending) -> bool:
        """Wait after a failure; true when the user wants the end."""
        delay_s, self._delay_s = self._delay_s, min(2.0 * self._delay_s, LONGEST_DELAY_S)
        until_ns = self._waiting.now_ns() + round(1e9 * delay_s)
        line = f"{ending.line or 'the show failed'}; it begins again in {delay_s:g} s"
        self._say(line)
        return self._wait(lambda: self._waiting.now_ns() >= until_ns, line)

    def _wait(self, is_over: Callable[[], bool], status: str) -> bool:
        self._manager.tell(READY, WATCHDOG, status=status)
        with self._waiting.on_signals():
            while not is_over():
                if self._waiting.pause(TURN_S):
                    return True
                self._manager.tell(WATCHDOG)
        return False
