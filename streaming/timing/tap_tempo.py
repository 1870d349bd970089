"""A tempo from the times at which somebody taps."""

from __future__ import annotations

from collections import deque

MOST_TAPS = 9
"""The tempo is that of the last eight intervals."""
LONGEST_NS = 2_500_000_000
"""After a longer pause the taps begin anew; slower than 24 beats a minute nobody taps."""


class TapTempo:
    """The tempo of the last taps: the mean of their intervals, whose errors nearly cancel out."""

    def __init__(self) -> None:
        self._taps: deque[int] = deque(maxlen=MOST_TAPS)

    def tap(self, at_ns: int) -> float | None:
        """Somebody taps.

        Args:
            at_ns: when, monotonic.

        Returns:
            Beats a minute, to a tenth; None for the first tap.
        """
        if self._taps and not 0 < at_ns - self._taps[-1] <= LONGEST_NS:
            self._taps.clear()
        self._taps.append(at_ns)
        if len(self._taps) < 2:
            return None
        return round(60e9 * (len(self._taps) - 1) / (self._taps[-1] - self._taps[0]), 1)
