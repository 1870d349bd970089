"""The errors of a show, drawn as a tree.

AntiphonError
├── UserError          bad arguments or unusable inputs: one line (what, where, how to fix), exit status 2
│   ├── SettingError   the value of an option, of a key of the TOML file, or of a live control
│   ├── SourceError    a camera, file, device or URL that cannot be used
│   └── BundleError    a bundle that cannot be trusted or loaded
├── WireError          a message that is malformed, truncated, oversized or of another version: counted and dropped
└── StageError         a stage failed in a way that is not the user's doing
    └── DeviceLostError     the stage's device has gone; a new process of the stage looks for it until it is back
"""

from __future__ import annotations


def shorten(value: object, limit: int = 200) -> str:
    """A value as one short printable piece of a line."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"(a number of about {round(value.bit_length() * 0.30103)} digits)"
    try:
        whole = str(value)
    except (RecursionError, ValueError):
        return "(a nested value)"
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in whole)
    return text if len(text) <= limit else f"{text[:60]}… ({len(text)} characters)"


class AntiphonError(Exception):
    """Any error this project raises on purpose."""


class UserError(AntiphonError):
    """Something the user can mend; shown as one line and exit status 2.

    Args:
        what: what is wrong.
        where: the file, device, option or address it concerns.
        fix: what to do about it.
    """

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}; {self.fix}" if self.where else f"{self.what}; {self.fix}"
        return " ".join(line.split())


class SettingError(UserError):
    """A value that an option, a key of the TOML file or a live control cannot have.

    Args:
        name: the setting's name, without the dashes.
        value: what was given.
        what: what is wrong.
        fix: what to do about it.
        where: "" for the option with its value.
    """

    def __init__(self, name: str, value: object, what: str, fix: str, where: str = "") -> None:
        self.name, self.value = name, value
        given = shorten(value) if value != "" else '""'
        super().__init__(what, where or f"--{name} {given}", fix)


class SourceError(UserError):
    """A camera, file, device or URL that cannot be used."""


class BundleError(UserError):
    """A bundle that cannot be trusted or loaded."""


class WireError(AntiphonError):
    """A message that cannot be accepted; `reason` is a short key that is counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class StageError(AntiphonError):
    """A stage failed in a way that is not the user's doing."""


class DeviceLostError(StageError):
    """The stage's device has gone: its process is replaced by one that looks for the device until it is back."""
