"""The values of a stage's live controls: the first from the show's settings, then every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streaming.errors import UserError
from streaming.schema.messages import Set
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, Value


class ControlValues:
    """The values of one stage's controls.

    Args:
        stage: its name; the rows of `CONTROLS` that name it are its controls.
        show: the first values.
        refuse: called with the error of a value that cannot be used; the present value stays.

    Raises:
        UserError: when a first value cannot be used.
    """

    def __init__(self, stage: str, show: Show, refuse: Callable[[UserError], object] = lambda error: None) -> None:
        self._refuse = refuse
        self._values: dict[str, Value] = {
            row.name: row.read(show.controls[row.name]) for row in CONTROLS.values() if stage in row.stages
        }

    def update(self, changes: Iterable[Set]) -> list[str]:
        """Take in changes; controls of other stages are passed over.

        Returns:
            The names that were set, in order, each at its last place.
        """
        names: list[str] = []
        for change in changes:
            if change.name not in self._values:
                continue
            try:
                self._values[change.name] = CONTROLS[change.name].read(change.value)
            except UserError as error:
                self._refuse(error)
                continue
            names = [*(name for name in names if name != change.name), change.name]
        return names

    def __getitem__(self, name: str) -> float:
        """A number in the unit that the stage computes with: the control's value times its row's `factor`."""
        value = self._values[name]
        if isinstance(value, str):
            raise TypeError(f"{name} is {value!r} now, which is not a number")
        return value * CONTROLS[name].factor

    def is_on(self, name: str) -> bool:
        """Whether a switch, 0 or 1, is on."""
        return self[name] >= 0.5

    def word(self, name: str) -> str:
        """A word: a voice, a path, `auto`; "" while the control is a number."""
        value = self._values[name]
        return value if isinstance(value, str) else ""
