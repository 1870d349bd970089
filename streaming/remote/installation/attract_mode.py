"""Whether somebody is there, and what becomes of the controls while nobody is: the show is calm, and comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from streaming.remote.console.cue_fades import CueFades, Wish
from streaming.settings.controls import CONTROLS, Value

COME_S = 0.4
"""Whoever moves for so long within `COME_WITHIN_S` is there; a light that flickers or a fly is not."""
COME_WITHIN_S = 1.5
MOVES_BELOW_S = 0.3
"""Something moves if it was still for less than this."""
LEAVE_FADE_S, COME_FADE_S = 8.0, 0.8
"""How long the controls take to become calm, and to be as before."""
MOST_ASKED = 64


@dataclass(frozen=True)
class CalmValue:
    """What becomes of a control while nobody is there: times a factor, and plus a step, within its range."""

    factor: float = 1.0
    step: float = 0.0

    def of(self, name: str, value: float) -> float:
        """The calm value for a present one."""
        row = CONTROLS[name]
        return min(max(self.factor * value + self.step, row.low), row.high)


CALM = {
    "volume": CalmValue(step=-18.0),
    "motion": CalmValue(factor=0.5),
    "anchoring": CalmValue(factor=0.4),
    "imagination": CalmValue(factor=0.5),
}
"""The music is an eighth as loud; the picture's things swing half as far, and slowly."""


class PresenceWatch:
    """Decides from motion whether somebody is there.

    Args:
        leave_s: for how long nothing moves until nobody is there.
        is_there: whether somebody is to begin with.

    Attributes:
        is_there: whether somebody is.
    """

    def __init__(self, leave_s: float, *, is_there: bool = True) -> None:
        self._leave_ns = round(1e9 * leave_s)
        self.is_there = is_there
        self._moved_ns: int | None = None
        self._times: deque[tuple[int, int]] = deque(maxlen=256)
        """When something moved, and for how long until then."""
        self._last_ns: int | None = None

    def take(self, moves: bool | None, now_ns: int) -> bool:
        """Take in whether something moves; None where nobody knows, as while a camera is away.

        Returns:
            Whether `is_there` has changed.
        """
        before_ns, self._last_ns = self._last_ns, now_ns
        if self._moved_ns is None or before_ns is None:
            self._moved_ns = now_ns if self.is_there else now_ns - self._leave_ns
        elif moves is None:
            # What is not known does not count as stillness.
            self._moved_ns += now_ns - before_ns
        if moves:
            step_ns = min(now_ns - before_ns, 200_000_000) if before_ns is not None else 0
            self._times.append((now_ns, step_ns))
        while self._times and now_ns - self._times[0][0] > 1e9 * COME_WITHIN_S:
            self._times.popleft()
        if moves and (self.is_there or sum(step for _, step in self._times) >= 1e9 * COME_S):
            self._moved_ns = now_ns
        was_there = self.is_there
        self.is_there = now_ns - self._moved_ns < self._leave_ns
        return self.is_there is not was_there


class AttractMode:
    """Makes a show calm while nobody is there. Nothing is said twice, and what a hand changes meanwhile stays.

    Args:
        leave_s: for how long nothing moves until the show becomes calm.
        kept: the values that it had before it became calm, of a stage that is started again; empty for none.

    Attributes:
        kept: control -> its value before the show became calm; empty while it is not.
    """

    def __init__(self, leave_s: float, kept: Mapping[str, Value] | None = None) -> None:
        self.kept: dict[str, Value] = dict(kept or {})
        self._presence, self._fades = PresenceWatch(leave_s, is_there=not self.kept), CueFades()
        self._asked: dict[str, deque[float]] = {}

    @property
    def is_there(self) -> bool:
        """Whether somebody is there."""
        return self._presence.is_there

    @property
    def busy(self) -> bool:
        """Whether controls move."""
        return self._fades.running

    def changed(self, name: str, value: Value) -> None:
        """A control was changed, by this or by a hand: what a hand has set is neither moved on nor set back."""
        mine = self._asked.get(name, ())
        if not (isinstance(value, float) and any(abs(value - one) < 1e-6 for one in mine)):
            self.kept.pop(name, None)
            self._fades.stop(name)

    def step(self, moves: bool | None, values: Mapping[str, Value], now_ns: int) -> tuple[str, list[Wish]]:
        """What is to be done now.

        Args:
            moves: whether something moves; None where nobody knows.
            values: what every control is.
            now_ns: the time.

        Returns:
            A line for the user, "" for none, and what controls shall be.
        """
        line, wishes = "", list[Wish]()
        if self._presence.take(moves, now_ns):
            line, target, seconds = self._turn(values)
            wishes += self._fades.begin(values, target, seconds, now_ns)
        wishes += self._fades.step(now_ns)
        for wish in wishes:
            if isinstance(wish.value, float):
                self._asked.setdefault(wish.name, deque(maxlen=MOST_ASKED)).append(wish.value)
        return line, wishes

    def _turn(self, values: Mapping[str, Value]) -> tuple[str, dict[str, Value], float]:
        """The line, the values to reach and the time for it, when somebody has come or gone."""
        if self._presence.is_there:
            target, self.kept = self.kept, {}
            return "somebody moves: the show is as before", target, COME_FADE_S
        present = {name: values[name] for name in CALM}
        self.kept = {name: value for name, value in present.items() if isinstance(value, float)}
        calm = {name: CALM[name].of(name, value) for name, value in self.kept.items() if isinstance(value, float)}
        self._asked.clear()
        return "nobody moves: the show is calm", dict(calm), LEAVE_FADE_S
