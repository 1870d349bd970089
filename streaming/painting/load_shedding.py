"""Decides which pictures are painted anew where the cores have no time for all of them.

A picture that is in time with the last painted change is better than a freshly painted one that is late. Where no CPU
time is left at all, the system throttles real-time processes, the sound's among them; see `host_info.IdleTime`.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.system.host_info import IdleTime

MIN_REST, FIRST_REST, MAX_REST = 0.2, 1.0, 3.0
"""Pause after a painting, in units of the time that it took: bounds, and the first value."""
MORE_REST, LESS_REST = 0.5, 0.25
"""By how much the pause grows after a lost picture or while CPU time is short, and shrinks while there is plenty."""
CHECK_TICKS = 12
"""The CPU time that is left is checked once in this many pictures."""
NONE_LEFT, LITTLE_LEFT, MUCH_LEFT = 0.08, 0.17, 0.23
"""Share of the CPU time left: below the first the pause grows by half its maximum, below the second it grows, above the
third it shrinks."""
CAREFUL_TICKS = 100
"""After a lost picture the pause does not shrink for this many pictures."""


class LoadShedding:
    """Decides picture by picture.

    Args:
        time_left: returns the share of the cores' time, 0 to 1, that was left since the last call.
    """

    def __init__(self, time_left: Callable[[], float] | None = None) -> None:
        self._time_left = time_left or IdleTime().share
        self.rest = FIRST_REST
        self._rest_until_ns = self._since_check = self._careful = 0

    def update(self, *, lost: bool) -> None:
        """Take in a new picture, and whether it is late or others were lost before it."""
        self._careful = max(0, self._careful - 1)
        self._since_check += 1
        if self._since_check >= CHECK_TICKS:
            self._since_check, left = 0, self._time_left()
            if left < NONE_LEFT:
                self.rest += MAX_REST / 2.0
            elif left < LITTLE_LEFT:
                self.rest += MORE_REST
            elif left > MUCH_LEFT and not self._careful:
                self.rest -= LESS_REST
        if lost:
            self.rest += MORE_REST
            self._careful = CAREFUL_TICKS
        self.rest = min(max(self.rest, MIN_REST), MAX_REST)

    def skips(self, now_ns: int) -> bool:
        """Whether a picture gets the last painted change again."""
        return now_ns < self._rest_until_ns

    def record(self, took_ns: int, done_ns: int) -> None:
        """Take in how long a painting took, and when it was done."""
        self._rest_until_ns = done_ns + round(self.rest * took_ns)
