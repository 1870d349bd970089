"""A performer's score sounds in every voice, with its own onsets, lengths and strengths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from performers.kinds import KINDS, MELODIC, PITCH_RANGE
from performers.score import FOOT, LEFT, RIGHT, Note, Score, draw_score
from training.synthesis.composition.performed_score import DRUM_KEYS, played_notes


@pytest.mark.parametrize(("kind", "voice"), list(itertools.product(KINDS, KINDS)))
def test_the_events_are_the_players(kind: str, voice: str) -> None:
    score = draw_score(kind, 11, 8.0)
    notes = played_notes(score, voice)
    assert sorted({note.onset_s for note in notes}) == sorted({note.onset_s for note in score.notes})
    for note in score.notes:
        here = [one for one in notes if one.onset_s == note.onset_s]
        assert max(one.velocity for one in here) >= 0.99 * note.velocity
    if voice in MELODIC and kind in MELODIC:
        low, high = PITCH_RANGE[voice]
        assert all(low <= note.pitch <= high for note in notes)
        assert all((a.pitch - b.pitch) % 12 == 0 for a, b in zip(notes, score.notes, strict=True))


def test_a_drummers_pieces_are_those_of_general_midi() -> None:
    score = draw_score("drums", 4, 8.0)
    assert {round(note.pitch) for note in played_notes(score, "drums")} <= set(DRUM_KEYS.values())
    one = Score("drums", 0, 1.0, 0.5, (Note(0.1, 0.1, 1.0, 0.5, LEFT),), ())
    assert played_notes(one, "drums")[0].pitch == 38.0


def test_a_dancers_limbs_have_their_registers() -> None:
    notes = tuple(Note(0.1 * k, 0.1, 57.0, 0.5, limb) for k, limb in enumerate((FOOT, LEFT, RIGHT)))
    pitches = [note.pitch for note in played_notes(Score("dance", 0, 1.0, 0.5, notes, ()), "dance")]
    assert pitches[0] < 48 <= pitches[1] < 60 <= pitches[2]


@pytest.mark.parametrize("voice", ["drums", "dance"])
def test_height_chooses_what_is_struck(voice: str) -> None:
    notes = tuple(Note(0.1 * k, 0.1, 48.0 + k, 0.5, RIGHT) for k in range(37))
    played = np.array([note.pitch for note in played_notes(Score("keys", 0, 4.0, 0.5, notes, ()), voice)])
    assert len(set(played.tolist())) >= 6
    assert set(played[:6].tolist()).isdisjoint(played[-6:].tolist())
