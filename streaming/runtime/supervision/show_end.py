"""The end of a show: when it ends, and how its processes are closed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Collection, Iterator, Sequence

from streaming.runtime.children.process_slot import ProcessSlot
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.telemetry.report import Ending

MS = 1_000_000
OVERTIME_NS = 10_000 * MS
"""A show that no stage ends is ended by the supervisor this long after its duration."""
STOP_NS, TERMINATE_NS = 3_000 * MS, 1_000 * MS
"""How long a process may take to close when it was asked, and when it was terminated."""
DUMP_NS = 100 * MS
"""How long a process may take to write its stacks before it is killed."""


class ShowEnd:
    """Decides when one show ends, and how; time is an argument.

    Args:
        show: its settings.
        processes: its rows of the process table.
        closes: whether its opening hours are over.
    """

    def __init__(self, show: Show, processes: Sequence[Process], closes: Callable[[], bool] = lambda: False) -> None:
        self._closes = closes
        self._direction, self._duration_s = show.direction, show.duration_s
        self._clocks = [process.name for process in processes if show.direction in process.clock_of]
        self._has_clock = bool(self._clocks)
        self._at_ns: int | None = None
        self._interrupts = 0

    @property
    def planned(self) -> bool:
        """Whether the end has a time; until then stages may be idle."""
        return self._at_ns is not None

    @property
    def interrupted(self) -> bool:
        """Whether the user has asked for the end."""
        return self._interrupts > 0

    @property
    def hurried(self) -> bool:
        """Whether the user has asked more than once."""
        return self._interrupts > 1

    def interrupt(self) -> None:
        """The user asks for the end. Safe in a signal handler."""
        self._interrupts += 1

    def stage_finished(self, process: Process, now_ns: int) -> None:
        """A stage has finished: plan the end if its row's `ends_show` applies."""
        end = process.ends_show
        if end is None or self._direction not in end.directions:
            return
        if self._duration_s is not None and not end.with_duration:
            return
        at_ns = now_ns + end.after_ms * MS
        self._at_ns = at_ns if self._at_ns is None else min(self._at_ns, at_ns)

    def stage_lost(self, process: Process) -> None:
        """A stage was given up, and the show goes on: nothing is awaited from it any more."""
        self._clocks = [name for name in self._clocks if name != process.name]

    def ending(self, now_ns: int, start_ns: int | None) -> Ending | None:
        """The ending if the show ends now, None while it goes on.

        Args:
            now_ns: the time.
            start_ns: when the performance began, None before.
        """
        if self._interrupts:
            return Ending(1, "ended before the performance began") if start_ns is None else Ending(0)
        if self._closes():
            return Ending(0, closed=True)
        if self._at_ns is not None and now_ns >= self._at_ns:
            return Ending(0)
        if start_ns is None or self._duration_s is None:
            return None
        over_ns = now_ns - start_ns - round(self._duration_s * 1e9)
        if self._has_clock and not self._clocks:
            return Ending(0) if over_ns >= 0 else None
        if over_ns <= OVERTIME_NS:
            return None
        what = f"the {self._clocks[0]} did not end" if self._clocks else "no stage on this machine ended"
        return Ending(1, f"{what} the show, {over_ns / 1e9:.0f} s after its duration")

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """While the context lasts, Ctrl-C, SIGTERM and a closed terminal are interrupts."""
        names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
        before = {number: signal.signal(number, lambda *_: self.interrupt()) for number in names if number is not None}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stop_politely(
    slots: Collection[ProcessSlot],
    *,
    ask: Callable[[bytes], None],
    listen: Callable[[], None],
    now_ns: Callable[[], int],
    hurried: Callable[[], bool],
) -> list[ProcessSlot]:
    """Make every process close; does not kill.

    Args:
        slots: the processes.
        ask: asks the process of an identity to close.
        listen: handles the processes' last reports, with a short wait.
        now_ns: reads the clock.
        hurried: whether the user wants a quick end: processes are terminated without waiting.

    Returns:
        The processes that did not close and must be killed.
    """
    began_ns = now_ns()
    for slot in slots:
        if slot.child is None:
            continue
        if slot.identity is not None:
            ask(slot.identity)
        # A stage in its setup does not read controls.
        if slot.record.state not in ("ready", "running", "finished"):
            slot.child.terminate()
    is_terminated = is_dumped = False
    while alive := [slot for slot in slots if slot.child is not None and slot.child.poll() is None]:
        listen()
        waited_ns = now_ns() - began_ns + (STOP_NS if hurried() else 0)
        if waited_ns > STOP_NS and not is_terminated:
            is_terminated = True
            for slot in alive:
                slot.child.terminate() if slot.child else None
        elif waited_ns > STOP_NS + TERMINATE_NS and not is_dumped:
            is_dumped = True
            for slot in alive:
                slot.child.dump_stacks() if slot.child else None
        elif waited_ns > STOP_NS + TERMINATE_NS + DUMP_NS:
            return alive
    listen()
    return []
