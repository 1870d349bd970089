"""How many takes a show keeps, and how large they may be together: `--keep-takes 20`, or `50GB`."""

from __future__ import annotations

import re
from typing import NamedTuple

from streaming.errors import SettingError


class TakeLimit(NamedTuple):
    """How many takes are kept, and how large they may be together.

    Attributes:
        takes: their number, 0 for any.
        bytes: of all of them, 0 for any.
        text: as it was given.
    """

    takes: int = 0
    bytes: int = 0
    text: str = ""


def read_limit(text: str) -> TakeLimit:
    """Read `20` (takes) or `50GB`; "" is no limit.

    Raises:
        SettingError: for anything else.
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)( ?GB)?", text)
    if text and (match is None or float(match[1]) <= 0 or (not match[2] and "." in match[1])):
        what = "must be a number of takes, or of GB, more than 0"
        raise SettingError("keep-takes", text, what, "for example 20, or 50GB")
    if match is None:
        return TakeLimit()
    return TakeLimit(0, round(float(match[1]) * 1e9), text) if match[2] else TakeLimit(int(match[1]), 0, text)
