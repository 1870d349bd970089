"""The ticks of a show whose sound device is away, by the monotonic clock. It reads no clock."""

from __future__ import annotations

from streaming.conventions import TICK_NS


class AwayTicks:
    """Goes on with the ticks of a device that has gone, at the nominal rate, until it is back.

    Args:
        next_tick: the first tick that the device did not take.
        at_ns: when that tick begins.

    Attributes:
        next_tick: the first tick that has not begun yet.
    """

    def __init__(self, next_tick: int, at_ns: int) -> None:
        self.next_tick = next_tick
        self._first_tick, self._first_ns = next_tick, at_ns

    def start_ns(self, tick: int) -> int:
        """When a tick begins, in ns of the monotonic clock."""
        return self._first_ns + (tick - self._first_tick) * TICK_NS

    def begun(self, now_ns: int, end_tick: int | None = None) -> range:
        """The ticks that have begun since the last call.

        Args:
            now_ns: the time.
            end_tick: the tick after the last one; None where the show has no set end.
        """
        first = self.next_tick
        after = self._first_tick + max(0, (now_ns - self._first_ns) // TICK_NS + 1)
        if end_tick is not None:
            after = min(after, end_tick)
        self.next_tick = max(first, after)
        return range(first, self.next_tick)
