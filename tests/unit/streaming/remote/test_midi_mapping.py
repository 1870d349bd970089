"""Knobs are learned, kept in a file, and take a control over without a jump."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.remote.midi_mapping import MidiMapping, position_of, value_of
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, Value

NUMBERS = [name for name, row in CONTROLS.items() if row.kind == "number"]


def values(**changes: Value) -> dict[str, Value]:
    return {**Show().controls, **changes}


def turn(position: int, controller: int = 21, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, controller, position])


@pytest.mark.parametrize("name", NUMBERS)
def test_a_knob_reaches_both_ends_and_every_value_is_accepted(name: str) -> None:
    row = CONTROLS[name]
    assert (value_of(name, 0), value_of(name, 127)) == (row.low, row.high)
    for position in range(128):
        assert row.read(value_of(name, position)) == value_of(name, position)
    assert position_of(name, row.high) == pytest.approx(127)


def test_a_knob_is_learned_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "midi.json"
    mapping = MidiMapping(file)
    assert mapping.turn(turn(64), values()) is None
    mapping.learn("motion")
    assert mapping.turn(turn(127), values()) == ("motion", 4.0)
    assert mapping.learning == ""
    again = MidiMapping(file)
    assert again.knobs == {(0, 21): "motion"}
    again.learn("volume")
    again.turn(turn(0, 21), values())
    assert again.knobs == {(0, 21): "volume"}
    again.forget("volume")
    assert MidiMapping(file).knobs == {}


def test_a_control_does_not_jump_to_where_a_knob_happens_to_be(tmp_path: Path) -> None:
    file = tmp_path / "midi.json"
    first = MidiMapping(file)
    first.learn("motion")
    first.turn(turn(127), values())
    mapping = MidiMapping(file)
    # Motion is 1: position 32. The knob comes from above.
    assert [mapping.turn(turn(at), values()) for at in (127, 90, 60)] == [None, None, None]
    passed = mapping.turn(turn(20), values())
    assert passed is not None
    assert passed[1] == pytest.approx(20 / 127 * 4)
    assert mapping.turn(turn(70), values(motion=passed[1])) is not None
    # Somebody else turns it: the knob has to come and fetch it.
    mapping.changed("motion", 3.9)
    assert mapping.turn(turn(71), values(motion=3.9)) is None


def test_a_knob_that_is_turned_fast_is_not_stopped_by_its_own_values_that_come_back_late(tmp_path: Path) -> None:
    mapping = MidiMapping(tmp_path / "midi.json")
    mapping.learn("motion")
    asked = [mapping.turn(turn(at), values()) for at in (0, 30, 60)]
    for one in asked[:2]:
        assert one is not None
        mapping.changed("motion", one[1])
    assert mapping.turn(turn(90), values(motion=value_of("motion", 30))) is not None
    mapping.changed("motion", value_of("motion", 60))
    # Another hand: the knob has to take it over again, also from a value that it once asked for.
    mapping.changed("motion", value_of("motion", 30))
    assert mapping.turn(turn(91), values(motion=value_of("motion", 30))) is None


def test_a_switch_switches_in_the_middle() -> None:
    assert {value_of("mute", position) for position in range(128)} == {0.0, 1.0}


@pytest.mark.parametrize("message", [b"", b"\xb0", b"\x90\x40\x40", b"\xf8", b"\xb0\x15", b"\xb0\x15\x40\x00"])
def test_other_messages_turn_nothing(message: bytes) -> None:
    mapping = MidiMapping()
    mapping.learn("motion")
    assert mapping.turn(message, values()) is None
    assert mapping.learning == "motion"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"channel": "x"}]', "[" * 100_000, '[{"control": "gone"}]'])
def test_a_damaged_file_is_said_and_not_fatal(tmp_path: Path, text: str) -> None:
    file = tmp_path / "midi.json"
    file.write_text(text)
    mapping = MidiMapping(file)
    assert mapping.knobs == {}
    # A control that is no more is left out without a word.
    assert (str(file) in mapping.trouble) == (text not in ("{}", '[{"control": "gone"}]'))
