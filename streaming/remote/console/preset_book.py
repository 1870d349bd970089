"""The user's presets and cues: named sets of controls, and the order in which a show goes through them.

One JSON file in the user's folder for settings. It is written so that a reader sees the whole of it or the old one, and
read again before every change, so that two shows beside each other lose nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streaming.errors import UserError, shorten
from streaming.remote.console.cue_fades import LONGEST_S
from streaming.remote.show_control.timecode.timecode import read_timecode
from streaming.settings.controls import CONTROLS, Value
from streaming.system.files import reason, replace_file

FILE_NAME = "console.json"
VERSION = 1
MOST_PRESETS, MOST_CUES = 100, 200
LONGEST_NAME = 60
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Cue:
    """One step of a show: which preset, and how long the numbers take to reach it.

    Attributes:
        preset: its name.
        fade_s: seconds, 0 for at once.
        at: the timecode at which it goes by itself, as `HH:MM:SS:FF`; "" for none.
    """

    preset: str
    fade_s: float = 0.0
    at: str = ""


@dataclass(frozen=True)
class BookPages:
    """What the file holds.

    Attributes:
        presets: name -> values of controls.
        cues: in the order of the show.
    """

    presets: dict[str, dict[str, Value]] = field(default_factory=dict)
    cues: list[Cue] = field(default_factory=list)


class PresetBook:
    """The presets and cues of a user.

    Args:
        path: of the file; it and its folder are made with the first preset.

    Attributes:
        pages: what the file holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.pages = self._read()

    def preset(self, name: str) -> dict[str, Value]:
        """The values of a preset.

        Raises:
            UserError: when there is none of this name.
        """
        try:
            return self.pages.presets[name]
        except KeyError:
            raise UserError("there is no such preset", f"preset {name[:LONGEST_NAME]}", "save one first") from None

    def save(self, name: str, values: Mapping[str, Value]) -> None:
        """Keep values under a name; a preset that has it is replaced.

        Raises:
            UserError: for a name that is none, for too many presets, or when the file cannot be written.
        """
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise UserError(f"must have 1 to {LONGEST_NAME} letters", "the name of a preset", "give another name")
        pages = self._read()
        if name not in pages.presets and len(pages.presets) >= MOST_PRESETS:
            raise UserError(f"there are {MOST_PRESETS} presets already", f"preset {name}", "delete one first")
        kept = {key: value for key, value in values.items() if _is_kept(key)}
        self._write(BookPages({**pages.presets, name: kept}, pages.cues))

    def delete(self, name: str) -> None:
        """Forget a preset, and the cues that lead to it.

        Raises:
            UserError: when there is none of this name, or the file cannot be written.
        """
        pages = self._read()
        self.preset(name)
        presets = {key: value for key, value in pages.presets.items() if key != name}
        self._write(BookPages(presets, [cue for cue in pages.cues if cue.preset != name]))

    def set_cues(self, cues: list[Cue]) -> None:
        """Keep another list of cues.

        Raises:
            UserError: for too many, for a fade that is too long or a preset that is not there, or when the file cannot
                be written.
        """
        pages = self._read()
        if len(cues) > MOST_CUES:
            raise UserError(f"there are {MOST_CUES} cues already", "the cue list", "remove one first")
        for cue in cues:
            if cue.preset not in pages.presets:
                raise UserError("there is no such preset", f"cue {cue.preset[:LONGEST_NAME]}", "save it first")
            if not (math.isfinite(cue.fade_s) and 0.0 <= cue.fade_s <= LONGEST_S):
                raise UserError(f"must be 0 to {LONGEST_S:g} s", "the fade of a cue", "give another time")
            if cue.at and read_timecode(cue.at) is None:
                raise UserError("is no timecode", f"cue {shorten(cue.at)}", "give HH:MM:SS:FF, or nothing")
        self._write(BookPages(pages.presets, cues))

    def _read(self) -> BookPages:
        try:
            with self._path.open("rb") as file:
                return _pages_of(json.loads(file.read(MAX_BYTES)))
        except (OSError, ValueError):
            return BookPages()

    def _write(self, pages: BookPages) -> None:
        data = json.dumps({"version": VERSION, **asdict(pages)}, indent=1, ensure_ascii=False).encode()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self._path, data, _is_book)
        except OSError as error:
            fix = "make room, or set ANTIPHON_CONFIG to a folder that you may write to"
            raise UserError(f"cannot be written ({reason(error)})", str(self._path), fix) from error
        self.pages = pages


def _is_book(data: bytes) -> bool:
    """Whether a file's content is an earlier book; anything else is moved aside."""
    try:
        _pages_of(json.loads(data))
    except ValueError:
        return False
    return True


def _pages_of(content: Any) -> BookPages:
    """The pages in a file's content; what no control of this version has is left out.

    Raises:
        ValueError: when it is no book.
    """
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError("no book of presets")
    presets: dict[str, dict[str, Value]] = {}
    found = content.get("presets", {})
    for name, values in list(found.items() if isinstance(found, dict) else ())[:MOST_PRESETS]:
        if isinstance(values, dict):
            good = {key: value for key, value in values.items() if _is_kept(key) and _is_value(value)}
            presets[name] = {key: float(value) if isinstance(value, int) else value for key, value in good.items()}
    cues: list[Cue] = []
    listed = content.get("cues", [])
    for cue in (listed if isinstance(listed, list) else [])[:MOST_CUES]:
        name, fade_s = (cue.get("preset"), cue.get("fade_s")) if isinstance(cue, dict) else (None, None)
        if name in presets and isinstance(fade_s, int | float) and 0.0 <= fade_s <= LONGEST_S:
            at = cue.get("at", "")
            cues.append(Cue(str(name), float(fade_s), at if isinstance(at, str) and read_timecode(at) else ""))
    return BookPages(presets, cues)


def _is_kept(name: str) -> bool:
    """Whether a preset has a control of this name."""
    return name in CONTROLS and CONTROLS[name].preset


def _is_value(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
