"""Which controller of a MIDI desk turns which control: learned by turning it, kept in a file, taken over softly."""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from streaming.settings.controls import CONTROLS, Value

CONTROL_CHANGE, PROGRAM_CHANGE = 0xB0, 0xC0
HIGHEST = 127
TAKEN_OVER = 2
"""A knob takes over once it is this close to the control's value, in steps of 127, or has passed it."""

MOST_ASKED = 64
"""Values of a knob that are remembered until the show has them."""

Knob = tuple[int, int]
"""Channel, 0 to 15, and controller number."""


def default_file() -> Path:
    """The mapping of this user."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "antiphon" / "midi.json"


def value_of(name: str, position: int) -> float:
    """A control's value for a knob's position, 0 to 127; a control of two positions switches in the middle."""
    return value_of_part(name, position / HIGHEST)


def value_of_part(name: str, part: float) -> float:
    """A control's value for a part of its range, 0 to 1; a control of two positions switches in the middle."""
    row = CONTROLS[name]
    value = row.low + (row.high - row.low) * part
    return float(round(value) if row.high - row.low == row.step else value)


def position_of(name: str, value: Value) -> float | None:
    """The position at which a knob would have a control's value; None while the control is a word."""
    row = CONTROLS[name]
    if isinstance(value, str) or row.high <= row.low:
        return None
    return HIGHEST * (value - row.low) / (row.high - row.low)


@dataclass
class _Hand:
    """Where a knob was last, whether it has taken its control over, and its values that may not have come back yet."""

    position: int | None = None
    has_taken: bool = False
    asked: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_ASKED))


class MidiMapping:
    """Turns controller messages into values of controls.

    Args:
        file: where it is kept; None to keep nothing.

    Attributes:
        knobs: knob -> name of the control.
        learning: the control that the next knob is for; "" for none.
        trouble: why the file was not read or written; "" for nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.knobs: dict[Knob, str] = {}
        self.learning, self.trouble = "", ""
        self._hands: dict[Knob, _Hand] = {}
        if file is not None and file.exists():
            self._read(file)

    def learn(self, name: str) -> None:
        """The next knob that is turned is for this control from then on."""
        self.learning = name

    def forget(self, name: str) -> None:
        """No knob is for this control."""
        self.knobs = {knob: one for knob, one in self.knobs.items() if one != name}
        self._write()

    def turn(self, message: bytes, values: dict[str, Value]) -> tuple[str, float] | None:
        """What a message asks for.

        Args:
            message: of any kind.
            values: what every control is.

        Returns:
            A control and its new value; None where the message asks for nothing, or its knob has yet to take over.
        """
        if len(message) != 3 or message[0] & 0xF0 != CONTROL_CHANGE:
            return None
        knob, position = (message[0] & 0x0F, message[1]), min(HIGHEST, message[2])
        if self.learning:
            self._assign(knob, self.learning)
        name = self.knobs.get(knob)
        if name is None:
            return None
        hand = self._hands.setdefault(knob, _Hand())
        before, hand.position = hand.position, position
        now = position_of(name, values[name])
        if now is not None and not hand.has_taken:
            has_passed = before is not None and min(before, position) <= now <= max(before, position)
            hand.has_taken = has_passed or abs(position - now) <= TAKEN_OVER
        elif now is None:
            hand.has_taken = True
        if not hand.has_taken:
            return None
        hand.asked.append(value_of(name, position))
        return name, hand.asked[-1]

    def changed(self, name: str, value: Value) -> None:
        """A control was changed: a knob that is elsewhere has to take it over again, unless it was the knob itself."""
        now = position_of(name, value)
        for knob, hand in self._hands.items():
            if self.knobs.get(knob) == name and now is not None and hand.position is not None:
                if value in hand.asked:
                    # A knob that is turned fast is farther by now. What it asked for before is not to come any more.
                    while hand.asked.popleft() != value:
                        continue
                    continue
                hand.has_taken = hand.has_taken and abs(hand.position - now) <= TAKEN_OVER

    def _assign(self, knob: Knob, name: str) -> None:
        self.knobs = {one: other for one, other in self.knobs.items() if other != name} | {knob: name}
        self._hands[knob] = _Hand(has_taken=True)
        self.learning = ""
        self._write()

    def _read(self, file: Path) -> None:
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))
            self.knobs = {
                (int(row["channel"]) - 1, int(row["controller"])): str(row["control"])
                for row in rows
                if row["control"] in CONTROLS and 1 <= int(row["channel"]) <= 16 and 0 <= int(row["controller"]) <= 127
            }
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self.trouble = f"{file}: the MIDI mapping cannot be read ({error}); knobs are to be learned again"

    def _write(self) -> None:
        if self._file is None:
            return
        rows = [
            {"channel": knob[0] + 1, "controller": knob[1], "control": name}
            for knob, name in sorted(self.knobs.items())
        ]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
            part.replace(self._file)
        except OSError as error:
            self.trouble = f"{self._file}: the MIDI mapping cannot be kept ({error.strerror})"
