"""Where timecode comes from, as it is written."""

from __future__ import annotations

import pytest

from streaming.errors import SettingError, UserError
from streaming.settings.options import parse
from streaming.settings.values.timecode_source import read_timecode_source


def test_sources() -> None:
    assert read_timecode_source("ltc:auto") == ("auto", 0)
    assert read_timecode_source("ltc:Scarlett 18i8#3") == ("Scarlett 18i8", 3)
    assert read_timecode_source("ltc:file:a#b.wav") == ("file:a#b.wav", 0)
    show = parse(["--timecode", "mtc", "--midi", "virtual"]).show
    assert (show.timecode, show.ltc) == ("mtc", False)
    assert parse(["--timecode", "ltc:auto"]).show.ltc
    assert parse(["--timecode", "off"]).show.timecode == ""


@pytest.mark.parametrize(
    "text", ["ltc", "ltc:", "smpte", "ltc:self", "ltc:none", "ltc:x#0", "ltc:x#65", "ltc:file:x.wav#1"]
)
def test_sources_that_there_are_not(text: str) -> None:
    with pytest.raises(SettingError, match="--timecode"):
        read_timecode_source(text)


def test_midi_timecode_needs_midi() -> None:
    with pytest.raises(UserError, match="--midi PORT"):
        parse(["--timecode", "mtc"])
