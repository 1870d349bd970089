"""MIDI clock follows the beat of onsets: its tempo, its phase, a change, and the end."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.remote.show_control.tempo.beat_finder import SILENT_S, BeatFinder
from streaming.remote.show_control.tempo.midi_clock import LOST_S, PULSE, PULSES, START, STOP, MidiClock


def onsets(tempo: float, beats: int, *, begin_s: float = 0.13, per_beat: int = 1, jitter_s: float = 0.0) -> list[float]:
    rng = np.random.default_rng(5)
    times = begin_s + np.arange(beats * per_beat) * 60.0 / tempo / per_beat
    return [float(time) for time in times + rng.normal(0.0, jitter_s, len(times)) * bool(jitter_s)]


def play(clock: MidiClock, times: list[float], end_s: float, fixed: float | None = None) -> list[tuple[float, bytes]]:
    """Let time pass in steps of 40 ms; onsets are known 60 ms before they are heard, as in a show."""
    sent, waiting = [], sorted(times)
    for step in range(round(end_s * 25)):
        now_s = step / 25
        while waiting and waiting[0] <= now_s + 0.06:
            clock.hear(waiting.pop(0), 0.8)
        sent += clock.due(now_s + 0.04, fixed)
    return sent


@pytest.mark.parametrize("tempo", [72.0, 97.5, 120.0, 140.0])
@pytest.mark.parametrize("jitter_s", [0.0, 0.012])
def test_pulses_are_on_the_beat(tempo: float, jitter_s: float) -> None:
    sent = play(MidiClock(), onsets(tempo, 40, jitter_s=jitter_s), 40 * 60 / tempo)
    assert [message for _, message in sent].count(START) == 1
    pulses = np.array([at_s for at_s, message in sent if message == PULSE])
    assert np.all(np.diff(pulses) > 0.0)
    steady = pulses[len(pulses) // 2 :]
    assert 60.0 / (np.diff(steady).mean() * PULSES) == pytest.approx(tempo, rel=0.01)
    # The first pulse after the start is a beat, and every 24th from there.
    beats = pulses[::PULSES][8:]
    away = (beats - 0.13 + 30 / tempo) % (60 / tempo) - 30 / tempo
    assert np.abs(away).max() < 0.025, "seconds from the beat"


def test_eighths_are_heard_as_beats_of_a_usual_tempo() -> None:
    finder = BeatFinder()
    for time in onsets(110.0, 16, per_beat=2):
        finder.hear(time, 0.8)
    assert finder.tempo == pytest.approx(110.0, abs=1.0)


def test_chance_has_no_tempo() -> None:
    finder, rng, clear = BeatFinder(), np.random.default_rng(2), 0
    time = 0.0
    for _ in range(200):
        time += float(rng.exponential(0.3)) + 0.08
        finder.hear(time, float(rng.uniform(0.2, 1.0)))
        clear += finder.tempo is not None
    assert clear < 60


def test_a_tempo_that_a_hand_sets_is_sent_at_once() -> None:
    sent = play(MidiClock(), [], 10.0, fixed=100.0)
    assert sent[0][1] == START
    pulses = [at_s for at_s, message in sent if message == PULSE]
    assert len(pulses) == pytest.approx(10.0 * 100 / 60 * PULSES, abs=PULSES)


def test_it_stops_when_the_music_has() -> None:
    clock = MidiClock()
    sent = play(clock, onsets(120.0, 20), 40.0)
    (stop_s,) = [at_s for at_s, message in sent if message == STOP]
    assert stop_s == pytest.approx(9.6 + SILENT_S + LOST_S, abs=0.3)
    assert clock.tempo is None
    assert max(at_s for at_s, message in sent if message == PULSE) <= stop_s
