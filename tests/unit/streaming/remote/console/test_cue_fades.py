"""Fades: numbers arrive in time, words and what says how things change come first, switches at the fitting end."""

from __future__ import annotations

import pytest

from streaming.remote.console.cue_fades import MOST_AT_ONCE, CueFades, Wish
from streaming.settings.controls import CONTROLS, Value

SECOND = 1_000_000_000
PRESENT: dict[str, Value] = {name: row.default for name, row in CONTROLS.items()}


def test_a_number_moves_and_arrives() -> None:
    fades = CueFades()
    assert fades.begin(PRESENT, {"volume": -40.0}, 4.0, 0) == []
    assert fades.running
    assert fades.left_s(SECOND) == pytest.approx(3.0)
    (wish,) = fades.step(SECOND)
    assert (wish.name, wish.passing) == ("volume", True)
    assert wish.value == pytest.approx(-10.0)
    assert fades.step(4 * SECOND) == [Wish("volume", -40.0)]
    assert not fades.running
    assert fades.step(5 * SECOND) == []


def test_words_come_at_once_and_the_time_of_fades_first() -> None:
    fades = CueFades()
    wishes = fades.begin(PRESENT, {"voice": "violin", "prior": "/a.png", "fade": 2.0, "motion": 2.0}, 3.0, 0)
    assert [wish.name for wish in wishes] == ["fade", "voice", "prior"]
    assert [wish.name for wish in fades.step(SECOND)] == ["motion"]


def test_without_a_time_all_is_at_once_and_what_is_so_already_is_not_asked_for() -> None:
    fades = CueFades()
    wishes = fades.begin(PRESENT, {"motion": 2.0, "chance": PRESENT["chance"]}, 0.0, 0)
    assert wishes == [Wish("motion", 2.0)]
    assert not fades.running


def test_a_switch_that_goes_on_waits_for_the_end_and_one_that_goes_off_is_first() -> None:
    assert CONTROLS["mute"].is_switch
    assert not CONTROLS["chance"].is_switch
    fades = CueFades()
    assert fades.begin(PRESENT, {"mute": 1.0, "volume": -20.0}, 1.0, 0) == []
    assert [wish.name for wish in fades.step(SECOND // 2)] == ["volume"]
    assert fades.step(SECOND) == [Wish("volume", -20.0), Wish("mute", 1.0)]
    assert not fades.running
    assert fades.begin({**PRESENT, "mute": 1.0}, {"mute": 0.0}, 1.0, 0) == [Wish("mute", 0.0)]


def test_many_controls_take_turns_and_all_arrive() -> None:
    target: dict[str, Value] = {
        name: row.high for name, row in CONTROLS.items() if row.kind == "number" and not row.choices
    }
    moving = [name for name in target if name not in ("fade",) and not CONTROLS[name].is_switch]
    assert len(moving) > MOST_AT_ONCE
    fades = CueFades()
    fades.begin(PRESENT, target, 10.0, 0)
    moved = set()
    for beat in range(1, 10):
        wishes = fades.step(beat * 40_000_000)
        assert len(wishes) <= MOST_AT_ONCE
        moved |= {wish.name for wish in wishes}
    assert moved == set(moving)
    last = {wish.name: wish.value for wish in fades.step(10 * SECOND)}
    assert last == {name: target[name] for name in (*moving, *(n for n in target if CONTROLS[n].is_switch))}


def test_a_hand_takes_over() -> None:
    fades = CueFades()
    fades.begin(PRESENT, {"volume": -40.0, "motion": 2.0}, 4.0, 0)
    fades.stop("volume")
    assert [wish.name for wish in fades.step(SECOND)] == ["motion"]
    fades.stop()
    assert not fades.running
