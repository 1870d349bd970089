"""Decides how much a show gives up: how many ticks were late goes in, a level comes out.

Time is counted in slices of `SLICE_NS`. A slice is pressed where any tick's work was late in it. One level more is
given up when `PRESSED` of the last `WINDOW` slices are pressed, so one stall of the machine gives up nothing. One level
is taken back after `HOLD` slices without pressure, 2 s; a slice that is pressed alone only does not count. A level that
is needed again soon after it was taken back is held for twice as long, up to `MAX_HOLD`, 16 s: the show does not swing
to and fro. Without pressure the plan stays at `FULL` and nothing is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from streaming.schema.load_levels import LoadLevel

SLICE_NS = 250_000_000
WINDOW, PRESSED, LEAST_LATE = 6, 3, 4
"""One level more after so many pressed slices of so many, with so many late ticks in all."""
HOLD, MAX_HOLD = 8, 64
"""Slices without pressure before a level is taken back; the most for one that was needed again and again."""
RELAPSE = 32
"""A level that is needed again within so many slices was taken back too early."""


class LoadPlan:
    """The state machine of one show.

    Args:
        levels: those that give up anything in this show, in rising order, without `FULL`.

    Attributes:
        level: how much is given up at present.
    """

    def __init__(self, levels: Sequence[LoadLevel] = tuple(LoadLevel)[1:]) -> None:
        self._ladder = (LoadLevel.FULL, *levels)
        self._step = self._calm = self._slice = 0
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._holds = [HOLD] * len(self._ladder)
        self._left_at: dict[int, int] = {}

    @property
    def level(self) -> LoadLevel:
        """How much is given up at present."""
        return self._ladder[self._step]

    def update(self, late: int) -> LoadLevel:
        """Take in one slice.

        Args:
            late: ticks whose work was late in it.

        Returns:
            The level from now on.
        """
        self._slice += 1
        self._recent.append(late)
        pressed = sum(each > 0 for each in self._recent)
        if pressed >= PRESSED and sum(self._recent) >= LEAST_LATE:
            self._calm = 0
            self._go_up()
        elif late and pressed > 1:
            self._calm = 0
        elif not late:
            self._calm += 1
            if self._step and self._calm >= self._holds[self._step]:
                self._go_down()
        return self.level

    def forget(self) -> None:
        """Forget the last slices: what was late in them had another reason."""
        self._recent.clear()

    def _go_up(self) -> None:
        if self._step + 1 < len(self._ladder):
            self._step += 1
            left_at = self._left_at.get(self._step)
            again = left_at is not None and self._slice - left_at <= RELAPSE
            self._holds[self._step] = min(2 * self._holds[self._step], MAX_HOLD) if again else HOLD
        # The next level needs its own evidence: what this one gives up shows only now.
        self._recent.clear()

    def _go_down(self) -> None:
        self._left_at[self._step] = self._slice
        self._step -= 1
        self._calm = 0
        self._recent.clear()
