"""What a browser may do at the desk: controls, presets, cues, panic, the shelf; all else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streaming.errors import UserError
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.cue_fades import Wish
from streaming.remote.console.preset_book import PresetBook
from streaming.remote.console.prior_shelf import PriorShelf
from streaming.settings.controls import CONTROLS, Value

SECOND = 1_000_000_000


class Table:
    """A desk, and a show that does what it is asked for."""

    def __init__(self, folder: Path) -> None:
        values: dict[str, Value] = {name: row.default for name, row in CONTROLS.items()}
        (folder / "priors").mkdir()
        cv2.imwrite(str(folder / "priors" / "sea.png"), np.full((60, 80, 3), 90, np.uint8))
        self.told: list[str] = []
        self.desk = ConsoleDesk(values, PresetBook(folder / "b.json"), PriorShelf(folder / "priors"), self.told.append)
        self.now_ns = SECOND

    def do(self, action: str, **values: Any) -> list[Wish]:
        self.desk.do({"do": action, **values}, self.now_ns)
        return self.beat()

    def beat(self, seconds: float = 0.0) -> list[Wish]:
        self.now_ns += round(1e9 * seconds)
        wishes = self.desk.beat(self.now_ns)
        for wish in wishes:
            self.desk.change(wish.name, wish.value)
        return wishes

    def values(self) -> dict[str, Any]:
        return dict(self.desk.payload("values")["values"])


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_control_is_set_and_a_slider_asks_once_a_beat(table: Table) -> None:
    assert table.do("set", name="volume", value=-6) == [Wish("volume", -6.0)]
    for number in range(20):
        table.desk.do({"do": "set", "name": "motion", "value": number / 10, "passing": True}, 0)
    assert table.beat() == [Wish("motion", 1.9, passing=True)]
    assert table.beat() == []
    assert table.values()["motion"] == 1.9
    assert "values" in table.told


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "set", "name": "volume", "value": 99}, "-60 to 6"),
        ({"do": "set", "name": "volume", "value": True}, "a number or a word"),
        ({"do": "set", "name": "volume", "value": [1]}, "a number or a word"),
        ({"do": "set", "name": "volume", "value": float("nan")}, "is not a number"),
        ({"do": "set", "name": "volum", "value": 0}, "did you mean volume"),
        ({"do": "set", "name": 5, "value": 0}, "must be a word"),
        ({"do": "set", "name": "prior", "value": "/etc/passwd"}, "on the shelf"),
        ({"do": "prior", "name": "../b.json"}, "is not on the shelf"),
        ({"do": "load", "name": "unknown"}, "no such preset"),
        ({"do": "cue-go", "at": 0}, "no such cue"),
        ({"do": "cue-move", "at": True, "by": 1}, "no such cue"),
        ({"do": "next"}, "no further cue"),
        ({"do": "shutdown"}, "nothing that the console does"),
        ({"do": ["set"]}, "nothing that the console does"),
        (["set"], "nothing that the console does"),
        (None, "nothing that the console does"),
    ],
)
def test_what_is_wrong_is_refused(table: Table, message: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        table.desk.do(message, 0)
    assert table.beat() == []


def test_presets_and_cues_go_through_a_show(table: Table) -> None:
    table.do("set", name="volume", value=-40)
    table.do("save", name="begin")
    table.do("set", name="volume", value=0)
    table.do("set", name="voice", value="violin")
    table.do("save", name="loud")
    table.do("cue-add", preset="begin", fade=0)
    table.do("cue-add", preset="loud", fade=2)
    assert table.desk.payload("book")["next"] == 0
    wishes = table.do("next")
    assert {wish.name: wish.value for wish in wishes} == {"volume": -40.0, "voice": "auto"}
    assert table.do("next")[0] == Wish("voice", "violin")
    assert table.desk.payload("book")["fading"] == 2.0
    (wish,) = table.beat(1.0)
    assert (wish.name, wish.passing) == ("volume", True)
    assert wish.value == pytest.approx(-20.0)
    assert table.beat(1.0) == [Wish("volume", 0.0)]
    assert not table.desk.busy
    with pytest.raises(UserError, match="no further cue"):
        table.do("next")
    table.do("rewind")
    table.do("cue-move", at=1, by=-1)
    assert [cue["preset"] for cue in table.desk.payload("book")["cues"]] == ["loud", "begin"]
    table.do("cue-remove", at=0)
    table.do("delete", name="begin")
    assert table.desk.payload("book")["cues"] == []


def test_the_next_cue_is_the_one_after_that_to_which_timecode_went(table: Table) -> None:
    table.do("save", name="a")
    for _ in range(4):
        table.do("cue-add", preset="a", fade=0)
    told = len(table.told)
    table.desk.take_status({"cues": {"timecode": [1, 2]}})
    assert table.told[told:] == ["book", "status"]
    assert table.desk.payload("book")["next"] == 2
    assert table.beat() == [], "the cue itself is gone to where it was reached"
    table.do("next")
    table.desk.take_status({"cues": {"timecode": [1, 2]}})
    assert table.desk.payload("book")["next"] == 3, "a hand's cue stays until another one is reached"
    table.desk.take_status({"cues": {"timecode": [1, 2], "midi": [1, 1]}})
    assert table.desk.payload("book")["next"] == 1
    table.do("rewind")
    table.desk.take_status({})
    assert table.desk.payload("book")["next"] == 0
    table.desk.take_status({"cues": {"timecode": [3, 4], "midi": [1, 1]}})
    with pytest.raises(UserError, match="no further cue"):
        table.do("next")


def test_a_preset_that_is_loaded_before_the_last_change_is_confirmed_is_loaded_whole(table: Table) -> None:
    table.do("save", name="bright")
    table.desk.do({"do": "set", "name": "mute", "value": 1}, table.now_ns)
    assert table.desk.beat(table.now_ns) == [Wish("mute", 1.0)], "the supervisor is slow to say so"
    table.desk.do({"do": "set", "name": "blackout", "value": 1}, table.now_ns)
    wishes = table.do("load", name="bright")
    assert wishes == [Wish("mute", 0.0), Wish("blackout", 0.0)]
    assert table.do("load", name="bright") == []


def test_taps_set_the_tempo(table: Table) -> None:
    assert table.do("tap") == []
    table.now_ns += SECOND // 2
    assert table.do("tap") == [Wish("tempo", 120.0)]
    table.now_ns += 3 * SECOND
    assert table.do("tap") == [], "it begins anew"
    table.now_ns += SECOND // 10
    assert table.do("tap") == [], "600 beats a minute are none"


def test_panic_is_silence_at_once_and_ends_fades(table: Table) -> None:
    table.do("set", name="fade", value=30)
    table.do("save", name="a")
    table.do("set", name="motion", value=4)
    table.desk.do({"do": "load", "name": "a", "fade": 10}, table.now_ns)
    assert table.do("panic") == [Wish("panic", 1.0)]
    assert table.beat(1.0) == []
    assert table.values()["fade"] == 30.0, "what was set stays"


def test_a_preset_has_a_blackout_and_ends_a_freeze(table: Table) -> None:
    for name in ("freeze", "blackout", "panic"):
        table.do("set", name=name, value=1)
    table.do("save", name="dark")
    saved = table.desk.book.preset("dark")
    assert saved["blackout"] == 1.0
    assert not {"freeze", "panic", "calibrate", "learn"} & saved.keys(), "what is done is no state"
    table.do("set", name="blackout", value=0)
    wishes = table.do("load", name="dark", fade=2)
    assert wishes == [Wish("freeze", 0.0)], "the blackout waits for the end of the fade"
    assert table.beat(2.0) == [Wish("blackout", 1.0)]
    assert table.values()["panic"] == 1.0, "panic is ended by hand alone"


def test_a_prior_is_chosen_by_name_and_loading_is_said(table: Table) -> None:
    (wish,) = [wish for wish in _wishes_of(table, {"do": "prior", "name": "sea.png"}) if wish.name == "prior"]
    assert str(wish.value).endswith("/priors/sea.png")
    assert table.desk.payload("shelf")["loading"] == "sea.png"
    assert "not be read" in table.desk.refuse(["could not be read", "set prior x", "give another"])
    assert table.desk.payload("shelf")["loading"] == ""
    table.desk.change("prior", wish.value)
    assert table.desk.payload("shelf") == {"type": "shelf", "images": ["sea.png"], "present": "sea.png", "loading": ""}
    assert table.values()["prior"] == "sea.png", "of a path nothing is told but the name"
    table.desk.change("prior", "/home/somebody/secret/face.png")
    assert table.values()["prior"] == "face.png"
    assert table.desk.payload("shelf")["present"] is None


def test_notes_are_kept_and_bounded(table: Table) -> None:
    for number in range(100):
        table.desk.take_status({"notes": [f"note {number}"], "notes_count": number + 1, "rows": []})
    assert table.desk.notes_had == 100
    notes = table.desk.payload("status")["notes"]
    assert (len(notes), notes[-1]) == (60, "note 99")


def _wishes_of(table: Table, message: dict[str, Any]) -> list[Wish]:
    table.desk.do(message, 0)
    return table.desk.beat(0)
