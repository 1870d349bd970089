"""A spare process with the neural runtime and the stages imported, so that a killed stage is back at once."""

from __future__ import annotations

from collections.abc import Callable

from streaming.runtime.child_process import ChildProcess
from streaming.system.realtime import set_background


class WarmSpare:
    """A spare process with everything imported, waiting for its line, so that a killed stage is back at once.

    Importing torch takes 1.8 s on a two-core machine; a warm spare has done that before it is needed. The first one is
    prepared with the stages, before the performance begins. Each later one is prepared 3 s after the one before was
    used, at low priority, so that it disturbs neither the recovery nor the sound.

    Args:
        spawn: makes the process.
        enabled: False when no stage of the show may use one.

    Attributes:
        settled: whether it is ready, or no spare is expected.
    """

    DELAY_NS = 3_000_000_000
    """Between the use of one and the preparation of the next."""
    SETTLED_NS = 200_000_000
    """A spare that has used no CPU for this long is ready."""
    GIVE_UP_NS = 15_000_000_000
    """The start of the show waits for a spare for this long at most."""
    TRIES = 3
    """How many spares that die by themselves are replaced."""

    def __init__(self, spawn: Callable[[], ChildProcess], *, enabled: bool) -> None:
        self._spawn = spawn
        self._tries = self.TRIES if enabled else 0
        self._child: ChildProcess | None = None
        self._spawn_at_ns = 0
        self._spawned_ns = 0
        self._used: tuple[float, int] = (-1.0, 0)
        self.settled = not enabled

    def maintain(self, now_ns: int, *, performing: bool) -> int | None:
        """Spawn one when it is time; returns the process id of one that was spawned now, else None."""
        if self._child is not None and self._child.poll() is not None:
            self._child, self._spawn_at_ns = None, now_ns + self.DELAY_NS
        if self._child is None:
            if self._tries == 0:
                self.settled = True
            elif now_ns >= self._spawn_at_ns:
                return self._begin(now_ns, performing=performing)
        elif not self.settled:
            self._update_settled(self._child, now_ns)
        return None

    def take(self, now_ns: int) -> ChildProcess | None:
        """Give the spare at normal priority and plan the next one; None if there is none."""
        child, self._child = self._child, None
        if child is None or child.poll() is not None:
            return None
        self._tries, self._spawn_at_ns = self.TRIES, now_ns + self.DELAY_NS
        set_background(child.pid, background=False)
        return child

    def close(self) -> None:
        """Kill it; no other one follows."""
        self._tries = 0
        if self._child is not None:
            self._child.kill()
            self._child.wait(2.0)
            self._child.close_lifeline()
            self._child = None

    def _begin(self, now_ns: int, *, performing: bool) -> int:
        self._tries -= 1
        self._child = self._spawn()
        self._spawned_ns, self.settled, self._used = now_ns, False, (-1.0, now_ns)
        if performing:
            set_background(self._child.pid, background=True)
        return self._child.pid

    def _update_settled(self, child: ChildProcess, now_ns: int) -> None:
        usage = child.usage()
        if usage is not None and usage[0] != self._used[0]:
            self._used = (usage[0], now_ns)
        idle = now_ns - self._used[1] > self.SETTLED_NS and now_ns - self._spawned_ns > 2 * self.SETTLED_NS
        if idle or now_ns - self._spawned_ns > self.GIVE_UP_NS:
            self.settled = True
            self._tries = self.TRIES
