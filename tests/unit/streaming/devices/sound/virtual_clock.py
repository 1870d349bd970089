"""A clock for tests of what the clock paces: time passes only while somebody sleeps."""

from __future__ import annotations

import threading


class SleepClock:
    """Time that passes only while somebody sleeps; the sleeper waits once a limit is reached.

    Args:
        seconds: how much time passes.
    """

    def __init__(self, seconds: float) -> None:
        self.now = 1_000_000_000
        self.limit_ns = self.now + round(seconds * 1e9)
        self.reached, self.ended = threading.Event(), threading.Event()

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, deadline_ns: int) -> None:
        if deadline_ns >= self.limit_ns:
            self.reached.set()
            self.ended.wait(5.0)
        self.now = max(self.now, deadline_ns)
