"""Timed fades of controls: numbers move, words are set at once, and no more is asked for than the show can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streaming.settings.controls import CONTROLS, Value

MOST_AT_ONCE = 4
"""Controls that move in one beat of 40 ms; with more, they take turns."""
LONGEST_S = 600.0
FIRST = ("fade",)
"""Set at once and before the others: it says how these change."""


@dataclass(frozen=True)
class Wish:
    """A control shall have a value.

    Attributes:
        name: of the control.
        value: that it shall have.
        passing: it is on the way to another value.
    """

    name: str
    value: Value
    passing: bool = False


@dataclass(frozen=True)
class _Way:
    start: float
    end: float
    begin_ns: int
    end_ns: int

    def at(self, now_ns: int) -> float:
        part = (now_ns - self.begin_ns) / max(1, self.end_ns - self.begin_ns)
        return self.start + (self.end - self.start) * min(max(part, 0.0), 1.0)


class CueFades:
    """The fades that run."""

    def __init__(self) -> None:
        self._ways: dict[str, _Way] = {}
        self._at_end: list[Wish] = []
        self._end_ns = 0

    @property
    def running(self) -> bool:
        """Whether anything moves."""
        return bool(self._ways or self._at_end)

    def left_s(self, now_ns: int) -> float:
        """How long it takes until everything has arrived."""
        return max(0.0, (self._end_ns - now_ns) / 1e9) if self.running else 0.0

    def begin(
        self, present: Mapping[str, Value], target: Mapping[str, Value], seconds: float, now_ns: int
    ) -> list[Wish]:
        """Begin to move to a target; what moved before is left where it is, unless it is in the target.

        A switch that goes on waits for the end, one that goes off comes first: the fade is heard.

        Args:
            present: what every control is.
            target: what some of them shall be.
            seconds: how long the numbers take, 0 for at once.
            now_ns: the time.

        Returns:
            What is to be set at once.
        """
        self._end_ns = now_ns + round(1e9 * seconds)
        at_once: list[Wish] = []
        for name in sorted(target, key=lambda one: one not in FIRST):
            self.stop(name)
            start, end = present.get(name), target[name]
            numbers = not isinstance(start, str) and not isinstance(end, str) and start is not None
            if seconds > 0 and numbers and CONTROLS[name].is_switch and end != CONTROLS[name].low:
                self._at_end.append(Wish(name, end))
            elif seconds > 0 and numbers and name not in FIRST and not CONTROLS[name].is_switch:
                if start != end:
                    assert isinstance(start, float | int)
                    assert isinstance(end, float | int)
                    self._ways[name] = _Way(float(start), float(end), now_ns, self._end_ns)
            elif start != end:
                at_once.append(Wish(name, end))
        return at_once

    def step(self, now_ns: int) -> list[Wish]:
        """What is to be set now: at most `MOST_AT_ONCE` that move, and whatever has arrived."""
        wishes: list[Wish] = []
        for name in list(self._ways):
            way = self._ways[name]
            if now_ns >= way.end_ns:
                wishes.append(Wish(name, way.end))
                del self._ways[name]
            elif len(wishes) < MOST_AT_ONCE:
                wishes.append(Wish(name, way.at(now_ns), passing=True))
                # To the end of the line.
                self._ways[name] = self._ways.pop(name)
        if not self._ways and now_ns >= self._end_ns:
            wishes += self._at_end
            self._at_end = []
        return wishes

    def stop(self, name: str = "") -> None:
        """Leave a control where it is; without a name all of them."""
        if not name:
            self._ways.clear()
            self._at_end.clear()
            return
        self._ways.pop(name, None)
        self._at_end = [wish for wish in self._at_end if wish.name != name]
