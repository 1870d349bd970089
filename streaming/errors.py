"""The errors of a show, drawn as a tree.

AntiphonError
├── UserError          bad arguments or unusable inputs: one line (what, where, how to fix), exit status 2
│   ├── SourceError    a camera, file, device or URL that cannot be used
│   └── BundleError    a bundle that cannot be trusted or loaded
├── WireError          a message that is malformed, truncated, oversized or of another version: counted and dropped
└── StageError         a stage failed in a way that is not the user's doing
"""

from __future__ import annotations


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
