"""Where timecode comes from: `--timecode mtc`, `ltc:DEVICE`, `ltc:DEVICE#CHANNEL` or `ltc:file:PATH`."""

from __future__ import annotations

import re

from streaming.errors import SettingError

MTC = "mtc"
FIX = "give mtc, ltc:DEVICE, ltc:DEVICE#CHANNEL or ltc:file:PATH"
MOST_CHANNELS = 64


def read_timecode_source(text: str) -> tuple[str, int]:
    """The input that LTC comes from, as `--microphone` names it, and its channel, 0 for all of them.

    Raises:
        SettingError: for anything else.
    """
    match = re.fullmatch(r"ltc:(.+?)(?:#(\d{1,2}))?", text)
    if match is None:
        raise SettingError("timecode", text, "is not known", FIX)
    source, channel = match[1], int(match[2] or 0)
    if source in ("self", "none"):
        raise SettingError("timecode", text, "has no timecode", FIX)
    if match[2] and not 1 <= channel <= MOST_CHANNELS:
        raise SettingError("timecode", text, f"has no channel from 1 to {MOST_CHANNELS}", FIX)
    if channel and (source.startswith("file:") or "/" in source):
        raise SettingError("timecode", text, "a file has no channel to choose", "leave #CHANNEL out")
    return source, channel


def check_timecode(text: str, midi: str) -> None:
    """Check the option.

    Args:
        text: as it was written.
        midi: the MIDI port, "" for none.

    Raises:
        SettingError: when it cannot be.
    """
    if text != MTC:
        read_timecode_source(text)
    elif not midi:
        raise SettingError("timecode", text, "comes by MIDI, and there is none", "give --midi PORT too")
