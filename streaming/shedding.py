"""Load shedding for what paints: which pictures are painted anew where the cores have no time for all of them.

A picture that is moved in time, with what was painted last, is better than a painted one too late. And real-time
processes that fill the cores are stopped by the system, the sound's among them; see `machine.TimeLeft`.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming import clock
from streaming.machine import TimeLeft, Urgency, UrgentTime

LATE_NS = 12_000_000
"""A flow that has waited longer gets what the last picture was painted with: the next one is in time again."""
MOST_AGAIN = 3
"""So many in a row, however late they are."""
LEAST_REST, FIRST_REST, MOST_REST, MORE_REST, LESS_REST = 0.2, 1.0, 3.0, 0.5, 0.25
"""After a painting so much of the time it took is left to others: more after a picture that was lost, and as long as
the cores have no time left."""
LOOK_TICKS, NONE_LEFT, LITTLE_LEFT, MUCH_LEFT = 12, 0.08, 0.12, 0.18
"""It looks every so many pictures whether they have: less than the second is little, more than the third leaves room.
With less than the first it paints much less."""
TOO_URGENT, LESS_URGENT = 0.85, 0.75
"""If that does not help, and real-time processes take more than the first, it lays its own priority down, until the
others take less than the second. Where others take what is left it keeps it: they wait."""
CAREFUL_TICKS = 100
"""After a picture that was lost it does not paint more often for so long."""


class Shedding:
    """Decides, picture by picture.

    Args:
        time_left: tells which share of the cores' time is left, 0 to 1, since it was last asked.
        urgent_time: tells which share of it real-time processes took, likewise.
        urgency: this thread's real-time priority.
    """

    def __init__(
        self,
        time_left: Callable[[], float] | None = None,
        urgent_time: Callable[[], float] | None = None,
        urgency: Urgency | None = None,
    ) -> None:
        self._time_left = time_left or TimeLeft().share
        self._urgent_time = urgent_time or UrgentTime(clock.now_ns).share
        self._urgency = urgency or Urgency()
        self.rest = FIRST_REST
        self._rested_ns = self._looked = self._careful = self._again = 0

    def see(self, *, lost: bool) -> None:
        """Take in that a picture is asked for, and whether it comes too late or others were lost before it."""
        self._careful = max(0, self._careful - 1)
        self._looked += 1
        if self._looked >= LOOK_TICKS:
            self._looked, left, urgent = 0, self._time_left(), self._urgent_time()
            if left < NONE_LEFT:
                if self.rest >= MOST_REST:
                    self._urgency.take_up(wanted=urgent < (TOO_URGENT if self._urgency.real else LESS_URGENT))
                self.rest += MOST_REST / 2.0
            elif left < LITTLE_LEFT:
                self.rest += MORE_REST
            else:
                self._urgency.take_up(wanted=True)
                if left > MUCH_LEFT and not self._careful:
                    self.rest -= LESS_REST
        if lost:
            self.rest += MORE_REST
            self._careful = CAREFUL_TICKS
        self.rest = min(max(self.rest, LEAST_REST), MOST_REST)

    def leaves_out(self, now_ns: int, waited_ns: int) -> bool:
        """Whether a picture gets what the last one was painted with.

        Args:
            now_ns: the time.
            waited_ns: how long its flow has waited.
        """
        late = self._again < MOST_AGAIN and waited_ns > LATE_NS
        again = late or now_ns < self._rested_ns
        self._again = self._again + 1 if again else 0
        return again

    def painted(self, begun_ns: int, done_ns: int) -> None:
        """Take in when a picture was painted."""
        self._rested_ns = done_ns + round(self.rest * (done_ns - begun_ns))
