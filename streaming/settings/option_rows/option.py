"""One row of the option table: an option that does not change while a show runs, and how its value is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from streaming.errors import SettingError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Links, Show
from streaming.settings.network_place import read_place
from streaming.settings.setting import Setting, nearest, read_number
from streaming.settings.values.take_limit import read_limit
from streaming.settings.values.timecode_source import MOST_CHANNELS

OFF = "off"
MAX_SEED = 2**63 - 1
LONGEST_DURATION = 1e8
"""Seconds or minutes of a show or a benchmark: in nanoseconds they fit into 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Option(Setting):
    """One row of `option_table.OPTIONS`.

    Attributes:
        kind: of its value: "seconds" is a number above 0, "seed" a whole number, "flag" true or false, "pairs" a list
            of NAME=ADDRESS, "place" a port, maybe with a host, or off, "channels" one or two numbers of channels,
            "patch" a list of NAME=CHANNEL, "limit" a number of takes or of GB.
        choices: the words that are accepted; empty for any.
        range: the values that are accepted, in words, where the metavar does not say it.
        none: the word by which there is none of it, which is "" in `Show`; "" where there always is one.
        unset: what holds when nothing is given, in words, where the default itself does not say it.
        example: a value for the TOML example, where the default is none.
        in_file: whether a TOML file may have it.
    """

    kind: Literal["text", "seconds", "seed", "flag", "pairs", "place", "channels", "patch", "limit"] = "text"
    choices: tuple[str, ...] = ()
    range: str = ""
    none: str = ""
    unset: str = ""
    example: str = ""
    in_file: bool = True

    @property
    def show_field(self) -> str:
        """Its field in `Show` or `Links`, with its unit."""
        return f"{self.field}_s" if self.kind == "seconds" else self.field

    @property
    def default(self) -> Any:
        """What `Show` or `Links` has when nothing is given; None for what is not in them."""
        fields = {entry.name: entry for kind in (Links, Show) for entry in msgspec.structs.fields(kind)}
        entry = fields.get(self.show_field)
        return None if entry is None or entry.default is msgspec.NODEFAULT else entry.default

    def read(self, value: object) -> object:
        """Check a value, see `Setting.read`; whether files and devices are there is checked later."""
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise SettingError(self.name, value, "must be true or false", "write it without quotes")
            return value
        if self.kind in ("pairs", "patch"):
            return _pairs(self, value) if self.kind == "pairs" else _patch(self, value)
        if self.kind == "seconds":
            number = read_number(self, value)
            if not 0.0 < number <= LONGEST_DURATION:
                what = f"must be {self.range_text()}, and at most {LONGEST_DURATION:,.0f}"
                raise SettingError(self.name, value, what, "for example 60")
            return float(number)
        if self.kind == "seed":
            number = read_number(self, value, whole=True)
            if not 0 <= number <= MAX_SEED:
                raise SettingError(self.name, value, f"must be {self.range_text()}", "give another number")
            return number
        # The number of a webcam or of a sound device is written without quotes by many.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and (self.name in DEVICE_OPTIONS or self.kind in READERS):
            value = str(value)
        if not isinstance(value, str):
            raise SettingError(
                self.name, value, "must be text, written in quotes", f"for example {self.toml_example()}"
            )
        if self.kind in READERS:
            return READERS[self.kind](self, value)
        if self.choices and value not in self.choices:
            close = nearest(value, self.choices)
            fix = f"did you mean {close}?" if close else f"use one of {', '.join(self.choices)}"
            raise SettingError(self.name, value, "is not known", fix)
        return value

    def range_text(self) -> str:
        """The values that are accepted, for a person."""
        return self.range or ", ".join(self.choices)

    def default_text(self) -> str:
        """What holds when nothing is given, for a person."""
        if self.unset or self.kind == "flag":
            return self.unset
        return str(self.default)

    def toml_example(self) -> str:
        """A line that a TOML file may contain."""
        if self.kind == "flag":
            return f"{self.name} = true"
        text = self.example or str(self.default)
        return (
            f"{self.name} = {text}" if self.kind in ("seconds", "seed", "pairs", "patch") else f'{self.name} = "{text}"'
        )


def _place_of(option: Option, value: str) -> str:
    """Check `off`, `PORT` or `HOST:PORT`."""
    if value != option.none:
        try:
            read_place(value)
        except ValueError as error:
            fix = f"for example {option.default}, or {option.none}"
            raise SettingError(option.name, value, str(error), fix) from error
    return value


def _channels_of(option: Option, value: str) -> str:
    """Check `3` or `3,4`."""
    numbers = [part.strip() for part in value.split(",")]
    good = len(numbers) == len(set(numbers)) <= 2 and all(re.fullmatch("[1-9][0-9]?", part) for part in numbers)
    if not good or max(map(int, numbers)) > MOST_CHANNELS:
        raise SettingError(option.name, value, f"must be {option.range}", "for example 3,4")
    return ",".join(numbers)


def _pairs(option: Option, value: object) -> dict[str, str]:
    """Read `["motion=tcp://10.0.0.2:5001"]`."""
    fix = "for example motion=tcp://10.0.0.2:5001"
    if not isinstance(value, list):
        raise SettingError(option.name, value, "must be a list of STAGE=tcp://HOST:PORT", fix)
    addresses: dict[str, str] = {}
    for pair in value:
        stage, _, address = pair.partition("=") if isinstance(pair, str) else ("", "", "")
        if not stage or not address.startswith(("tcp://", "ipc://")):
            raise SettingError(option.name, pair, "is not STAGE=tcp://HOST:PORT", fix)
        addresses[stage] = address
    return addresses


def _patch(option: Option, value: object) -> dict[str, str]:
    """Read `["volume=1", "motion=2/16"]`; the names and channels are checked with the whole show."""
    if not isinstance(value, list):
        raise SettingError(option.name, value, "must be a list of NAME=CHANNEL", "for example volume=1")
    patch: dict[str, str] = {}
    for pair in value:
        name, _, channel = pair.partition("=") if isinstance(pair, str) else ("", "", "")
        if not name or not channel:
            raise SettingError(option.name, pair, "is not NAME=CHANNEL", "for example volume=1")
        patch[name.strip()] = channel.strip()
    return patch


READERS: dict[str, Callable[[Option, str], str]] = {
    "place": _place_of,
    "channels": _channels_of,
    "limit": lambda option, value: read_limit(value).text,
}
"""Kind of an option -> what checks its text."""
