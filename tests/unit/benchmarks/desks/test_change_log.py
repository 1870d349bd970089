"""When changes were heard, how near the notes were, and what the desks turn."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.desks.change_log import (
    FaderAt,
    VolumeChange,
    delay_figures,
    heard_after_ms,
    note_figures,
    told_after_ms,
)
from benchmarks.desks.command import describe
from benchmarks.desks.desk_clients import MOTION_AT, REACH, VOLUME_AT, knob_position
from streaming.remote.midi_mapping import value_of

MS = 1_000_000


def gain(volume_db: float) -> float:
    return float(10 ** (volume_db / 20))


def test_a_change_is_heard_with_the_first_tick_that_has_it_or_a_later_one() -> None:
    changes = [VolumeChange(at * MS, db) for at, db in ((0, -1.0), (33, -2.0), (66, -3.0), (100, -4.0))]
    faders = [
        FaderAt(tick, gain(db), dac * MS)
        for tick, db, dac in ((0, 0.0, 10), (1, -1.0, 50), (2, -3.0, 90), (3, -3.0, 130))
    ]
    assert heard_after_ms(changes, faders) == [50.0, 57.0, 24.0, None]


def test_a_fader_cannot_have_what_was_sent_after_its_tick_left() -> None:
    changes = [VolumeChange(0, -1.0), VolumeChange(500 * MS, 0.0)]
    faders = [FaderAt(0, gain(0.0), 20 * MS), FaderAt(1, gain(-1.0), 60 * MS), FaderAt(2, gain(0.0), 540 * MS)]
    assert heard_after_ms(changes, faders) == [60.0, 40.0]


def test_a_value_is_told_before_it_is_sent_again_or_not_at_all() -> None:
    sent = [(at * MS, value) for at, value in ((0, 1.0), (33, 1.1), (66, 1.0), (100, 1.2))]
    told = [(40 * MS, 1.1), (80 * MS, 1.0000001), (1_200 * MS, 1.2)]
    assert told_after_ms(sent, told) == [None, 7.0, 14.0, None]


def test_figures_count_what_was_soon_and_what_was_lost() -> None:
    figures = delay_figures([10.0, 20.0, 79.9, 90.0, None])
    assert figures == {"n": 5, "lost": 1, "p50_ms": 50.0, "p99_ms": 89.7, "max_ms": 90.0, "within_two_ticks": 3}
    assert delay_figures([])["p50_ms"] is None


def test_notes_are_measured_from_their_onsets() -> None:
    onsets = [100 * MS, 500 * MS, 900 * MS]
    figures = note_figures(onsets, [103 * MS, 512 * MS, 2_000 * MS])
    assert (figures["onsets"], figures["without_a_note"], figures["within_10_ms"]) == (3, 1, 1)
    assert (figures["p50_ms"], figures["max_ms"]) == (7.5, 12.0)
    assert note_figures(onsets, [])["without_a_note"] == 3


@pytest.mark.parametrize(("name", "middle"), [("volume", VOLUME_AT), ("motion", MOTION_AT)])
def test_a_knob_goes_up_and_down_by_single_steps_within_its_range(name: str, middle: int) -> None:
    places = [knob_position(step, middle) for step in range(200)]
    assert places[0] == middle
    assert all(abs(after - before) == 1 for before, after in itertools.pairwise(places))
    assert (min(places), max(places)) == (middle - REACH, middle + REACH)
    assert 0 <= min(places) < max(places) <= 127
    assert value_of("volume", VOLUME_AT) == pytest.approx(0.0, abs=0.3)
    assert value_of("motion", MOTION_AT) == pytest.approx(1.0, abs=0.02)


def test_what_the_desks_saw_is_told_in_lines() -> None:
    delays = delay_figures([50.0, 60.0])
    notes = note_figures([100 * MS], [104 * MS])
    web = {"browsers": 2, "messages": 300, "bytes": 4_000_000, "failures": ["after 1.0 s: gone"]}
    lines = describe([{"osc_to_heard": delays, "notes": notes, "web": web, "refusals": ["no"]}])
    assert lines == [
        "a volume by OSC until it is heard: p50 55.0, p99 59.9, max 60.0 ms; 2 of 2 in two ticks, 0 lost",
        "a MIDI note from the onset of its sound: p50 4.0, p99 4.0, max 4.0 ms; 1 of 1 within 10 ms, 0 without one",
        "2 browsers: 300 messages, 4.0 MB",
        "a browser failed after 1.0 s: gone",
        "refused: no",
    ]
