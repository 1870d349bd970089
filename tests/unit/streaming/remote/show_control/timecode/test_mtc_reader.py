"""MTC's quarter frames and full frames, forward, backward, broken off and damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.remote.show_control.timecode.mtc_reader import MtcReader
from streaming.remote.show_control.timecode.timecode import RATES, Timecode, TimecodeReading, read_timecode

S = 1_000_000_000


def quarters(timecode: Timecode, kind: int) -> list[bytes]:
    """The eight messages of a frame."""
    numbers = (timecode.frames, timecode.seconds, timecode.minutes, timecode.hours | kind << 5)
    values = [value for number in numbers for value in (number & 0xF, number >> 4)]
    return [bytes([0xF1, piece << 4 | value]) for piece, value in enumerate(values)]


def play(reader: MtcReader, messages: list[bytes], rate: float, now_ns: int = S) -> list[TimecodeReading]:
    found = []
    for index, message in enumerate(messages):
        reading = reader.take(message, now_ns + round(index * S / (4 * rate)))
        if reading is not None:
            found.append(reading)
    return found


@pytest.mark.parametrize("kind", range(4))
def test_eight_quarter_frames_are_a_timecode_that_began_with_the_first(kind: int) -> None:
    timecode = Timecode(23, 58, 57, 22)
    (found,) = play(MtcReader(), quarters(timecode, kind), RATES[kind])
    assert (found.timecode, found.rate, found.runs) == (timecode, RATES[kind], 1)
    assert found.at_ns == pytest.approx(S, abs=1_000)


def test_it_goes_on_and_backward() -> None:
    reader = MtcReader()
    first, second = Timecode(1, 0, 0, 0), Timecode(1, 0, 0, 2)
    found = play(reader, [*quarters(first, 1), *quarters(second, 1)], 25.0)
    assert [one.timecode for one in found] == [first, second]
    back = play(reader, [*quarters(second, 1)[::-1], *quarters(first, 1)[::-1]], 25.0, 2 * S)
    assert [one.runs for one in back] == [-1] * len(back)
    assert back[-1].timecode == first


def test_what_begins_in_the_middle_or_has_a_hole_is_no_timecode() -> None:
    messages = quarters(Timecode(1, 2, 3, 4), 1)
    assert play(MtcReader(), messages[3:] + messages[:3], 25.0) == []
    assert play(MtcReader(), messages[:4] + messages[5:], 25.0) == []
    reader = MtcReader()
    play(reader, messages[:5], 25.0)
    assert play(reader, messages[5:], 25.0, 9 * S) == [], "a stop in between"
    assert len(play(reader, messages, 25.0, 20 * S)) == 1


def test_a_full_frame_says_where_it_stands() -> None:
    found = MtcReader().take(bytes([0xF0, 0x7F, 0x7F, 1, 1, 0x21, 2, 3, 4, 0xF7]), S)
    assert found == TimecodeReading(Timecode(1, 2, 3, 4), 25.0, S, 0)


@given(st.lists(st.binary(max_size=12), max_size=30))
def test_any_messages_are_a_timecode_or_nothing(messages: list[bytes]) -> None:
    reader = MtcReader()
    for index, message in enumerate(messages):
        for tried in (message, b"\xf1" + message[:1], b"\xf0\x7f" + message):
            found = reader.take(tried, index * 1_000)
            assert found is None or found.timecode.is_possible


def test_timecodes_as_text() -> None:
    assert read_timecode("01:02:03:04") == Timecode(1, 2, 3, 4)
    assert read_timecode("01:02:03;04") == Timecode(1, 2, 3, 4)
    assert str(Timecode(1, 2, 3, 4)) == "01:02:03:04"
    for wrong in ("", "1:2:3:4", "24:00:00:00", "00:60:00:00", "00:00:00:30", "00:00:00", "aa:bb:cc:dd"):
        assert read_timecode(wrong) is None
    assert Timecode(0, 0, 1, 15).shown_s(29.97) == 1.5
