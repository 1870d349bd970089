"""A device that is changed while a show runs: what is checked at once, and how it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import UserError
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from streaming.settings.option_table import control_value
from streaming.settings.validation import with_control


def test_the_settings_have_the_new_speaker_and_so_has_a_stage_that_is_started_later() -> None:
    show = with_control(Show(speaker="auto"), "speaker", "USB Audio")
    assert show.speaker == show.controls["speaker"] == "USB Audio"
    assert CONTROLS["speaker"].confirmed, "its stage answers, when the new one plays"
    assert not CONTROLS["speaker"].preset


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "names no device"),
        ("file:sound.mp3", "has the wrong form"),
        ("file:/no/such/folder/sound.wav", "its folder does not exist"),
        ("browser", "a browser is chosen before the show"),
    ],
)
def test_a_speaker_that_cannot_be_is_refused_before_anything_is_opened(value: str, what: str) -> None:
    with pytest.raises(UserError) as refused:
        with_control(Show(speaker="none"), "speaker", value)
    assert what in refused.value.what
    assert refused.value.where.startswith("set speaker")


def test_a_file_that_the_show_writes_already_is_refused(tmp_path: Path) -> None:
    film = str(tmp_path / "report.wav")
    with pytest.raises(UserError, match="same file"):
        with_control(Show(speaker="none", report=film), "speaker", f"file:{film}")


def test_the_file_is_that_of_the_folder_where_set_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert control_value("speaker", "file:sound.wav") == f"file:{tmp_path / 'sound.wav'}"
    assert control_value("speaker", "USB Audio") == "USB Audio"
