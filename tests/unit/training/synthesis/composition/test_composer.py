"""Strikes get notes when they fall and as strong as they are; music has its voice's range, chords, slurs and rests."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from performers.kinds import KINDS, PITCH_RANGE
from tests.unit.training.synthesis.composition.small_corpus import write_corpus
from training.synthesis.composition.composer import compose_strikes, draw_music
from training.synthesis.composition.piano import CHORD_NOTES, HAND_REACH, HIGHEST, LOWEST, within_reach

TIMES = np.array([0.2, 0.5, 0.9, 1.4, 2.6, 3.0])
STRENGTHS = np.array([0.3, 0.9, 0.5, 1.0, 0.2, 0.7])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("voice", KINDS)
@pytest.mark.parametrize("real", [True, False])
def test_each_strike_sounds_when_and_as_strong_as_it_is(voice: str, real: bool, corpus: Path) -> None:
    for seed in range(8):
        notes = compose_strikes(TIMES, STRENGTHS, voice, seed, corpus if real else None)
        assert sorted({note.onset_s for note in notes}) == TIMES.tolist()
        for time, strength in zip(TIMES, STRENGTHS, strict=True):
            here = [note for note in notes if note.onset_s == time]
            assert here[0].velocity == pytest.approx(strength)
            assert all(0.6 * strength < note.velocity <= strength for note in here)
            assert all(0.03 < note.duration_s < 4.0 for note in here)


@pytest.mark.parametrize("voice", KINDS)
def test_a_seed_is_a_piece(voice: str, corpus: Path) -> None:
    assert compose_strikes(TIMES, STRENGTHS, voice, 3, corpus) == compose_strikes(TIMES, STRENGTHS, voice, 3, corpus)
    assert draw_music(voice, 6.0, 3, corpus) == draw_music(voice, 6.0, 3, corpus)
    assert len({tuple(draw_music(voice, 6.0, seed, corpus)) for seed in range(6)}) == 6


def test_no_strikes_are_no_notes() -> None:
    for voice in KINDS:
        assert compose_strikes([], [], voice, 0, None) == []


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown voice 'brass'; one of strings"):
        compose_strikes(TIMES, STRENGTHS, "brass", 0, None)
    with pytest.raises(ValueError, match="unknown voice 'brass'"):
        draw_music("brass", 1.0, 0, None)


def test_keys_play_real_chords_within_reach(corpus: Path) -> None:
    sizes = set()
    for seed in range(12):
        notes = compose_strikes(TIMES, STRENGTHS, "keys", seed, corpus)
        assert all(LOWEST <= note.pitch <= HIGHEST for note in notes)
        for time in TIMES:
            chord = sorted(note.pitch for note in notes if note.onset_s == time)
            sizes.add(len(chord))
            if len(chord) == 3:
                assert np.diff(chord).tolist() in ([4.0, 3.0], [3.0, 5.0], [5.0, 4.0]), "a triad of the piece"
    assert sizes == {1, 3}
    wide = within_reach((36.0, 40.0, 43.0, 48.0, 60.0, 72.0, 74.0, 76.0, 79.0))
    assert len(wide) <= CHORD_NOTES
    assert wide[-1] == 79.0
    assert all(79.0 - pitch <= HAND_REACH or pitch - 36.0 <= HAND_REACH for pitch in wide)


@pytest.mark.parametrize("voice", ["strings", "air"])
def test_lines_lie_in_the_voice_and_have_phrases_slurs_and_rests(voice: str, corpus: Path) -> None:
    low, high = PITCH_RANGE[voice]
    rests, slurs, graces, total = 0, 0, 0, 0
    for seed in range(12):
        notes = draw_music(voice, 20.0, seed, corpus)
        total += len(notes)
        assert all(low - 1.0 <= note.pitch <= high + 2.0 for note in notes)
        gaps = [b.onset_s - a.onset_s - a.duration_s for a, b in itertools.pairwise(notes)]
        rests += sum(0.5 <= gap <= 3.6 for gap in gaps)
        slurs += sum(abs(gap) < 0.02 for gap in gaps)
        graces += sum(note.duration_s <= 0.1 for note in notes)
        assert max(gaps) < 3.6
        assert max(note.velocity for note in notes) > 1.2 * min(note.velocity for note in notes)
    assert rests > 12
    assert 0.2 < slurs / total < 0.95
    assert graces > 5


def test_drums_are_real_grooves_in_general_midi(corpus: Path) -> None:
    keys = {note.pitch for seed in range(6) for note in draw_music("drums", 5.0, seed, corpus)}
    assert keys == {36.0, 38.0}
    keys = {note.pitch for seed in range(6) for note in draw_music("drums", 5.0, seed, corpus, "test")}
    assert keys == {38.0, 42.0}, "the kit's own key of a closed hi-hat is that of General MIDI"


def test_dance_has_all_its_registers(corpus: Path) -> None:
    pitches = np.array([note.pitch for seed in range(12) for note in draw_music("dance", 8.0, seed, corpus)])
    assert (pitches < 48).any()
    assert ((pitches >= 48) & (pitches < 60)).any()
    assert (pitches >= 60).any()


def test_music_plays_all_along(corpus: Path) -> None:
    for voice in KINDS:
        for source in (corpus, None):
            notes = draw_music(voice, 10.0, 5, source)
            assert notes[0].onset_s < 2.0
            assert 6.0 < notes[-1].onset_s < 10.0
