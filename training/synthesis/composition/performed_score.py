"""A synthetic performer's score as played notes, in its own voice or in any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from performers.kinds import DRUM_PIECES, MELODIC, PITCH_RANGE
from performers.score import FOOT, LEFT, Score
from training.synthesis.composition.composer import compose_strikes
from training.synthesis.composition.scores import fold
from training.synthesis.sampled.played_note import PlayedNote

DRUM_KEYS = {"kick": 36, "snare": 38, "hihat": 42, "tom_high": 48, "tom_low": 45, "cymbal": 49}
"""Piece of a synthetic drummer's kit -> General MIDI percussion key."""
LOW_TO_HIGH = ("kick", "tom_low", "tom_high", "snare", "hihat", "cymbal")
"""Pieces in the order in which pitches fall on them."""
STEP, HAND = 36.0, 48.0
"""Lowest pitches of a dancer's steps and hands, see `PlayedNote`."""
BELL_SHIFT = 12.0


def played_notes(score: Score, voice: str, corpus: Path | None = None) -> list[PlayedNote]:
    """A score's notes in a voice; onsets, lengths and strengths are always the score's.

    Melodic voices play each other's notes, moved by octaves. What is only struck (drums, dance) gets its pitches from
    `compose_strikes`. In drums and dance a note's height chooses what is struck.

    Args:
        score: what the performer plays.
        voice: one of `performers.kinds.KINDS`.
        corpus: real scores for `compose_strikes`; None for none.
    """
    if score.kind == voice == "drums":
        return [_note(score, n, float(DRUM_KEYS[DRUM_PIECES[int(score.notes[n].pitch)]])) for n in _indices(score)]
    if score.kind == voice == "dance":
        return [_note(score, n, _danced(score, n)) for n in _indices(score)]
    if voice in MELODIC and score.kind not in MELODIC:
        times = [note.onset_s for note in score.notes]
        return compose_strikes(times, [note.velocity for note in score.notes], voice, score.seed, corpus)
    pitch = np.array([note.pitch for note in score.notes], np.float64)
    if voice in MELODIC:
        low, high = PITCH_RANGE[voice]
        moved: NDArray[np.float64] = fold(pitch, low, high)
    elif voice == "drums":
        keys = [DRUM_KEYS[piece] for piece in LOW_TO_HIGH]
        moved = np.array([keys[min(5, int(6 * height))] for height in _heights(score, pitch)], np.float64)
    else:
        heights = _heights(score, pitch)
        bells = fold(pitch, 60.0, 84.0)
        moved = np.where(heights < 0.35, STEP + pitch % 12, np.where(heights < 0.65, HAND + pitch % 12, bells))
    return [_note(score, n, float(moved[n])) for n in _indices(score)]


def _indices(score: Score) -> range:
    return range(len(score.notes))


def _note(score: Score, number: int, pitch: float) -> PlayedNote:
    note = score.notes[number]
    return PlayedNote(note.onset_s, note.duration_s, pitch, note.velocity)


def _danced(score: Score, number: int) -> float:
    note = score.notes[number]
    if note.effector == FOOT:
        return STEP
    return HAND if note.effector == LEFT else note.pitch + BELL_SHIFT


def _heights(score: Score, pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where pitches lie in what the score's kind can play, 0..1; of drums, by the piece."""
    if score.kind == "drums":
        order = [LOW_TO_HIGH.index(piece) for piece in DRUM_PIECES]
        return np.array([order[int(one)] / 5.0 for one in pitch], np.float64)
    low, high = PITCH_RANGE[score.kind]
    return np.asarray((pitch - low) / (high - low))
