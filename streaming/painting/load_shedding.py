"""Load shedding for what paints: which pictures are painted anew where the cores have no time for all of them.

A picture that is moved in time, with what was painted last, is better than a painted one too late; and where nothing is
left of the cores the system stops what is real-time, the sound's processes among them; see `machine.IdleTime`.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.system.host_info import IdleTime

LEAST_REST, FIRST_REST, MOST_REST, MORE_REST, LESS_REST = 0.2, 1.0, 3.0, 0.5, 0.25
"""After a painting so much of the time it took is left to others: more after a picture that was lost, and as long as
the cores have no time left."""
LOOK_TICKS, NONE_LEFT, LITTLE_LEFT, MUCH_LEFT = 12, 0.08, 0.17, 0.23
"""It looks every so many pictures whether they have: less than the second is little, more than the third leaves room.
With less than the first it paints much less."""
CAREFUL_TICKS = 100
"""After a picture that was lost it does not paint more often for so long."""


class LoadShedding:
    """Decides, picture by picture.

    Args:
        time_left: tells which share of the cores' time is left, 0 to 1, since it was last asked.
    """

    def __init__(self, time_left: Callable[[], float] | None = None) -> None:
        self._time_left = time_left or IdleTime().share
        self.rest = FIRST_REST
        self._rested_ns = self._looked = self._careful = 0

    def see(self, *, lost: bool) -> None:
        """Take in that a picture is asked for, and whether it comes too late or others were lost before it."""
        self._careful = max(0, self._careful - 1)
        self._looked += 1
        if self._looked >= LOOK_TICKS:
            self._looked, left = 0, self._time_left()
            if left < NONE_LEFT:
                self.rest += MOST_REST / 2.0
            elif left < LITTLE_LEFT:
                self.rest += MORE_REST
            elif left > MUCH_LEFT and not self._careful:
                self.rest -= LESS_REST
        if lost:
            self.rest += MORE_REST
            self._careful = CAREFUL_TICKS
        self.rest = min(max(self.rest, LEAST_REST), MOST_REST)

    def leaves_out(self, now_ns: int) -> bool:
        """Whether a picture gets what was painted last."""
        return now_ns < self._rested_ns

    def painted(self, took_ns: int, done_ns: int) -> None:
        """Take in how long a painting took, and when it was done."""
        self._rested_ns = done_ns + round(self.rest * took_ns)
