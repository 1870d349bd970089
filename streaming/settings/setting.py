"""The common base of a command-line option, a key of the TOML file and a live control: one table row."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streaming.errors import SettingError, UserError

PLAYING, DEVICES, MACHINE = "what plays", "what is seen and heard", "machine and links"
SOUNDING, LOOKING, PATCHING, RECORDING = "how it sounds", "how it looks", "desks and patches", "recording"
GROUPS = (PLAYING, DEVICES, SOUNDING, LOOKING, PATCHING, RECORDING, MACHINE)
"""The headings under which `--help` and the TOML example list the settings."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row: an option `--name`, and the TOML key `name`.

    Attributes:
        name: as on the command line, without the dashes.
        group: one of `GROUPS`.
        words: one sentence for a performer, without its full stop.
        metavar: stands for the value in `--help`; "" for a flag.
    """

    name: str
    group: str
    words: str
    metavar: str = ""

    @property
    def field(self) -> str:
        """The name as a Python identifier."""
        return self.name.replace("-", "_")

    def read(self, value: object) -> object:
        """Check a value from the command line (text) or from a TOML file (text, number, true or false, list).

        Raises:
            SettingError: when the value is of the wrong type or out of range.
        """
        raise NotImplementedError

    def range_text(self) -> str:
        """The accepted values, for a person; "" if the words describe them."""
        raise NotImplementedError

    def default_text(self) -> str:
        """The default, for a person."""
        raise NotImplementedError

    def toml_example(self) -> str:
        """A line `name = value` that a TOML file may contain."""
        raise NotImplementedError

    def sentence(self) -> str:
        """Words, range and default, for `--help` and the TOML example."""
        default = f"default: {self.default_text()}" if self.default_text() else ""
        values = "; ".join(part for part in (self.range_text(), default) if part)
        return f"{self.words} ({values})" if values else self.words


def read_number(setting: Setting, value: object, *, whole: bool = False) -> float:
    """Read a number, which a TOML file may also have in quotes.

    Raises:
        SettingError: when it is none.
    """
    fix = f"give {setting.range_text()}"
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SettingError(setting.name, value, f"must be {kind}", fix)
    try:
        number = (int(value) if isinstance(value, str) else value) if whole else float(value)
    except (ValueError, OverflowError) as error:
        # A number of too many digits is out of every range.
        what = f"must be {setting.range_text()}" if isinstance(value, int) else f"is not {kind}"
        raise SettingError(setting.name, value, what, fix) from error
    if whole and not isinstance(number, int):
        raise SettingError(setting.name, value, f"is not {kind}", fix)
    if not whole and math.isnan(number):
        raise SettingError(setting.name, value, f"is not {kind}", fix)
    return number


@contextmanager
def attributed_to(name: str, value: object) -> Iterator[None]:
    """Attribute a `UserError` to the setting that caused it, so that the line names its option or its TOML key.

    Raises:
        SettingError: in place of any `UserError`.
    """
    try:
        yield
    except SettingError:
        raise
    except UserError as error:
        raise SettingError(name, value, error.what, error.fix) from error


def nearest(name: str, names: Iterable[str]) -> str:
    """The name of `names` that is most like a misspelt or shortened one, or ""."""
    name, candidates = name.replace("_", "-").lower(), list(names)
    longer = [each for each in candidates if len(name) > 2 and each.lower().startswith(name)]
    matches = longer if len(longer) == 1 else difflib.get_close_matches(name, candidates, n=1, cutoff=0.7)
    return matches[0] if matches else ""


def or_nearest(name: str, known: Iterable[str]) -> str:
    """The fix for an unknown name: the nearest known one, else all of them."""
    names = list(known)
    close = nearest(name, names)
    return f"did you mean {close}?" if close else f"use one of {', '.join(names)}"
