"""The book of presets: kept in one file that is written as a whole, bounded, and read again before each change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming.errors import UserError
from streaming.remote.console.preset_book import FILE_NAME, MOST_CUES, MOST_PRESETS, Cue, PresetBook
from streaming.settings.controls import CONTROLS, Value

VALUES: dict[str, Value] = {name: row.default for name, row in CONTROLS.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / FILE_NAME


def test_a_preset_is_there_in_the_next_show(path: Path) -> None:
    book = PresetBook(path)
    assert book.pages.presets == {}
    book.save("  quiet   begin ", {**VALUES, "volume": -12.0, "voice": "violin"})
    book.set_cues([Cue("quiet begin", 4.0)])
    again = PresetBook(path)
    assert again.preset("quiet begin")["volume"] == -12.0
    assert again.preset("quiet begin")["voice"] == "violin"
    assert "calibrate" not in again.preset("quiet begin"), "an action is no state"
    assert again.pages.cues == [Cue("quiet begin", 4.0)]
    assert list(path.parent.iterdir()) == [path], "nothing half written is left"


def test_two_shows_lose_nothing_of_each_other(path: Path) -> None:
    one, other = PresetBook(path), PresetBook(path)
    one.save("a", VALUES)
    other.save("b", VALUES)
    assert set(PresetBook(path).pages.presets) == {"a", "b"}
    assert set(other.pages.presets) == {"a", "b"}


def test_a_preset_takes_its_cues_with_it(path: Path) -> None:
    book = PresetBook(path)
    book.save("a", VALUES)
    book.save("b", VALUES)
    book.set_cues([Cue("a"), Cue("b", 1.0), Cue("a", 2.0)])
    book.delete("a")
    assert book.pages.cues == [Cue("b", 1.0)]
    with pytest.raises(UserError, match="no such preset"):
        book.preset("a")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b", "a\x1bb"])
def test_a_name_that_is_none_is_refused(path: Path, name: str) -> None:
    with pytest.raises(UserError, match="1 to 60 letters"):
        PresetBook(path).save(name, VALUES)


def test_the_book_is_bounded(path: Path) -> None:
    book = PresetBook(path)
    book.save("a", VALUES)
    with pytest.raises(UserError, match="cues already"):
        book.set_cues([Cue("a")] * (MOST_CUES + 1))
    for bad in (Cue("a", 601.0), Cue("a", float("nan")), Cue("a", -1.0), Cue("unknown")):
        with pytest.raises(UserError):
            book.set_cues([bad])
    content = json.loads(path.read_text())
    content["presets"] = {str(number): {} for number in range(MOST_PRESETS)}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="presets already"):
        book.save("one more", VALUES)
    book.save("7", VALUES)


def test_a_damaged_file_is_kept_aside_and_no_show_fails_for_it(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "presets": {"a"')
    book = PresetBook(path)
    assert book.pages.presets == {}
    book.save("b", VALUES)
    aside = [one for one in path.parent.iterdir() if one != path]
    assert [one.read_text() for one in aside] == ['{"version": 1, "presets": {"a"']
    assert set(PresetBook(path).pages.presets) == {"b"}


def test_what_no_control_can_be_is_left_out(path: Path) -> None:
    path.parent.mkdir()
    presets = {"a": {"volume": -3, "no such control": 1, "motion": [1], "mute": True}, "b": 5}
    cues = [{"preset": "a", "fade_s": 1}, {"preset": "x", "fade_s": 1}, 7, {"preset": "a", "fade_s": "long"}]
    path.write_text(json.dumps({"version": 1, "presets": presets, "cues": cues}))
    assert PresetBook(path).pages.presets == {"a": {"volume": -3.0}}
    assert PresetBook(path).pages.cues == [Cue("a", 1.0)]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="ANTIPHON_CONFIG"):
        PresetBook(tmp_path / "file" / FILE_NAME).save("a", VALUES)


def test_a_cue_keeps_its_timecode_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    book = PresetBook(tmp_path / "b.json")
    book.save("one", {"motion": 1.0})
    book.set_cues([Cue("one", 2.0, "01:00:00:12"), Cue("one")])
    assert [cue.at for cue in PresetBook(tmp_path / "b.json").pages.cues] == ["01:00:00:12", ""]
    with pytest.raises(UserError, match="is no timecode"):
        book.set_cues([Cue("one", 0.0, "noon")])
    text = (tmp_path / "b.json").read_text(encoding="utf-8").replace("01:00:00:12", "99:00:00:12")
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    assert [cue.at for cue in PresetBook(tmp_path / "b.json").pages.cues] == ["", ""]
