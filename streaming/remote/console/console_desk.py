"""The console's own state and what a browser may do: controls, presets, cues, panic, taps, the shelf.

It knows no socket and no clock: it is told what happens, and says what the supervisor is to be asked.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from engines.bundles import shipped_bundles
from streaming.errors import SettingError, UserError, shorten
from streaming.remote.console.cue_fades import CueFades, Wish
from streaming.remote.console.preset_book import Cue, PresetBook
from streaming.remote.console.prior_shelf import PriorShelf
from streaming.settings.controls import CONTROLS, Value
from streaming.settings.setting import or_nearest
from streaming.timing.tap_tempo import TapTempo

MOST_NOTES = 60
Do = dict[str, Any]


class ConsoleDesk:
    """What all browsers share.

    Args:
        values: what every control is.
        book: presets and cues.
        shelf: prior images.
        tell: called with the kind of state that has changed: "values", "book", "shelf" or "status".
    """

    def __init__(
        self, values: Mapping[str, Value], book: PresetBook, shelf: PriorShelf, tell: Callable[[str], object]
    ) -> None:
        self._values: dict[str, Value] = dict(values)
        self.book, self.shelf, self._tell = book, shelf, tell
        self._fades = CueFades()
        self._wanted: dict[str, Wish] = {}
        self._asked: dict[str, Value] = {}
        """Control -> what the supervisor was asked for, until it says what the control is."""
        self._next = 0
        self._gone: dict[str, int] = {}
        """Stage -> how many cues it is known to have gone to."""
        self._taps = TapTempo()
        self._loading = ""
        self._status: dict[str, Any] = {}
        self._notes: deque[str] = deque(maxlen=MOST_NOTES)
        self._now_ns = 0
        self._actions: dict[str, Callable[[Do], None]] = {
            "set": self._set,
            "prior": self._set_prior,
            "panic": lambda _: self._panic(),
            "tap": lambda _: self._tap(),
            "save": lambda one: self.book.save(_text(one, "name"), self._values),
            "load": lambda one: self._go_to(_text(one, "name"), _number(one, "fade")),
            "delete": lambda one: self.book.delete(_text(one, "name")),
            "cue-add": self._add_cue,
            "cue-time": self._time_cue,
            "cue-remove": self._remove_cue,
            "cue-move": self._move_cue,
            "cue-go": lambda one: self._go_cue(self._place(one)),
            "next": lambda _: self._go_cue(self._next),
            "rewind": self._rewind,
            "stop": lambda _: self._fades.stop(),
        }

    # What happens.

    def change(self, name: str, value: Value) -> None:
        """A control has another value, whoever set it."""
        self._values[name] = value
        self._asked.pop(name, None)
        if name == "prior":
            self._loading = ""
            self._tell("shelf")
        self._tell("values")

    def refuse(self, lines: list[str]) -> str:
        """The supervisor refuses something; gives it as one line."""
        what, where, fix = (*lines, "", "", "")[:3]
        self._asked.clear()
        if "prior" in where:
            self._loading = ""
            self._tell("shelf")
        return str(UserError(what, where, fix))

    def take_status(self, status: dict[str, Any]) -> None:
        """The supervisor says how the show is."""
        self._notes.extend(status.pop("notes", []))
        self._status = status
        self._follow(status.get("cues", {}))
        self._tell("status")

    def _follow(self, cues: Mapping[str, Sequence[int]]) -> None:
        """The next cue is the one after that to which timecode or MIDI has gone since."""
        for stage, (gone, place) in cues.items():
            if gone > self._gone.get(stage, 0):
                self._gone[stage], self._next = gone, place
                self._tell("book")

    @property
    def status(self) -> Mapping[str, Any]:
        """How the show is, as it was told last."""
        return self._status

    @property
    def notes_had(self) -> int:
        """How many of the show's lines were told."""
        return int(self._status.get("notes_count", 0))

    @property
    def busy(self) -> bool:
        """Whether a beat has something to do."""
        return self._fades.running or bool(self._wanted)

    def beat(self, now_ns: int) -> list[Wish]:
        """Every 40 ms: what the supervisor is to be asked for, the newest wish for each control."""
        self._now_ns = now_ns
        ran = self._fades.running
        for wish in self._fades.step(now_ns):
            self._wish(wish)
        if ran and not self._fades.running:
            self._tell("book")
        wishes, self._wanted = list(self._wanted.values()), {}
        self._asked |= {wish.name: wish.value for wish in wishes}
        return wishes

    # What a page is told.

    def payload(self, kind: str) -> Do:
        """The present state of one kind."""
        if kind == "values":
            return {"type": kind, "values": self._shown_values()}
        if kind == "book":
            return {
                "type": kind,
                "presets": sorted(self.book.pages.presets, key=str.lower),
                "cues": [asdict(cue) for cue in self.book.pages.cues],
                "next": min(self._next, len(self.book.pages.cues)),
                "fading": round(self._fades.left_s(self._now_ns), 1),
            }
        if kind == "shelf":
            prior = str(self._values.get("prior", ""))
            return {
                "type": kind,
                "images": self.shelf.names(),
                "present": self.shelf.name_of(prior),
                "loading": self._loading,
            }
        return {"type": "status", "notes": list(self._notes), **self._status}

    def _shown_values(self) -> dict[str, Value]:
        """The controls; of a prior image only the file's name."""
        return {**self._values, "prior": str(self._values.get("prior", "")).replace("\\", "/").rpartition("/")[2]}

    # What a browser may do.

    def do(self, message: object, now_ns: int) -> None:
        """Do what a browser asks for.

        Raises:
            UserError: for what is unknown or refused.
        """
        self._now_ns = now_ns
        name = message.get("do") if isinstance(message, dict) else None
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None or not isinstance(message, dict):
            raise UserError("is nothing that the console does", shorten(name), "reload the page")
        action(message)
        if name != "set":
            self._tell("book")

    def _set(self, message: Do) -> None:
        name = _text(message, "name")
        row = CONTROLS.get(name)
        if row is None or not row.live:
            raise SettingError("console", name, "is no live control", or_nearest(name, CONTROLS))
        if row.kind == "image":
            raise SettingError(name, "", "is chosen by its name on the shelf", "choose one there", f"set {name}")
        value = message.get("value")
        if row.kind == "bundle" and value not in shipped_bundles():
            fix = or_nearest(shorten(value), shipped_bundles())
            raise SettingError(name, shorten(value), "is no bundle that the program comes with", fix)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SettingError(name, shorten(value), "must be a number or a word", f"give {row.range_text()}")
        checked = row.read(value)
        self._fades.stop(name)
        self._wish(Wish(name, checked, passing=message.get("passing") is True))

    def _set_prior(self, message: Do) -> None:
        name = _text(message, "name")
        path = self.shelf.path_of(name)
        self._loading = name or "the shipped image"
        self._wish(Wish("prior", path))
        self._tell("shelf")

    def _panic(self) -> None:
        """Silence at once, and nothing moves on by itself."""
        self._fades.stop()
        self._wanted.clear()
        self._wish(Wish("panic", 1.0))

    def _tap(self) -> None:
        """Somebody taps the beat; one that no control can have is passed over."""
        row, tempo = CONTROLS["tempo"], self._taps.tap(self._now_ns)
        if tempo is not None and row.low <= tempo <= row.high:
            self._wish(Wish("tempo", tempo))

    def _go_to(self, name: str, seconds: float) -> None:
        preset = self.book.preset(name)
        if not (math.isfinite(seconds) and 0.0 <= seconds <= 600.0):
            raise UserError("must be 0 to 600 s", "the fade", "give another time")
        # What was asked for is on its way, though nobody has said so yet.
        present = {**self._values, **self._asked, **{wish.name: wish.value for wish in self._wanted.values()}}
        if present.get("freeze"):
            # A picture that is held would not show the preset.
            self._wish(Wish("freeze", 0.0))
        for wish in self._fades.begin(present, preset, seconds, self._now_ns):
            self._wish(wish)
            if wish.name == "prior":
                self._loading = str(wish.value).rpartition("/")[2] or "the shipped image"
                self._tell("shelf")

    def _go_cue(self, at: int) -> None:
        cues = self.book.pages.cues
        if at >= len(cues):
            raise UserError("has no further cue", "the cue list", "go back to its begin, or add one")
        self._go_to(cues[at].preset, cues[at].fade_s)
        self._next = at + 1

    def _add_cue(self, message: Do) -> None:
        cues = [*self.book.pages.cues, Cue(_text(message, "preset"), _number(message, "fade"))]
        self.book.set_cues(cues)

    def _time_cue(self, message: Do) -> None:
        at, cues = self._place(message), list(self.book.pages.cues)
        cues[at] = replace(cues[at], at=_text(message, "time").strip())
        self.book.set_cues(cues)

    def _remove_cue(self, message: Do) -> None:
        at, cues = self._place(message), list(self.book.pages.cues)
        del cues[at]
        self.book.set_cues(cues)
        self._next -= at < self._next

    def _move_cue(self, message: Do) -> None:
        at, cues = self._place(message), list(self.book.pages.cues)
        to = min(max(0, at + round(_number(message, "by"))), len(cues) - 1)
        cues.insert(to, cues.pop(at))
        self.book.set_cues(cues)

    def _rewind(self, message: Do) -> None:
        self._next = 0

    def _place(self, message: Do) -> int:
        at = message.get("at")
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(self.book.pages.cues):
            raise UserError("there is no such cue", f"cue {shorten(at)}", "reload the page")
        return at

    def _wish(self, wish: Wish) -> None:
        self._wanted.pop(wish.name, None)
        self._wanted[wish.name] = wish


def _text(message: Do, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or len(value) > 300:
        raise UserError("must be a word", name, "reload the page")
    return value


def _number(message: Do, name: str) -> float:
    value = message.get(name, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError("must be a number", name, "give a number")
    return float(value)
