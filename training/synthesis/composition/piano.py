"""Music for keys: chords and melodies of real piano pieces within reach of two hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.synthesis.composition.lines import draw_pitches
from training.synthesis.composition.scores import chords_of, excerpt, fold, piano_files, score_of
from training.synthesis.sampled.played_note import PlayedNote

LOWEST, HIGHEST = 36.0, 93.0
"""Pitches of keys."""
HAND_REACH, CHORD_NOTES = 14.0, 5
"""Semitones that one hand spans at most; notes of a chord at most."""
TRIADS = ((0.0, -3.0, -8.0), (0.0, -5.0, -9.0), (0.0, -4.0, -7.0), (0.0, -12.0), (0.0, -5.0))
"""Chords under a melody note where there is no real one."""
NATURAL_S = (0.4, 2.5)


def within_reach(chord: tuple[float, ...]) -> tuple[float, ...]:
    """Those notes of a chord that two hands reach: near its highest note, and near its lowest."""
    top, bottom = chord[-1], chord[0]
    right = [pitch for pitch in chord if top - pitch <= HAND_REACH]
    left = [pitch for pitch in chord if top - pitch > HAND_REACH and pitch - bottom <= HAND_REACH]
    return tuple(left[: CHORD_NOTES - min(len(right), 3)] + right[-3:])


def chords_for(
    times_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
    rng: np.random.Generator,
    corpus: Path | None,
    split: str,
) -> list[PlayedNote]:
    """For each strike a melody note or a chord, as they follow each other in a real piece."""
    chords = _draw_chords(len(times_s), rng, corpus, split)
    chord_share = float(rng.choice([0.0, 0.25, 0.6, 1.0]))
    legato = float(rng.uniform(0.6, 1.2))
    longest_s = float(rng.uniform(*NATURAL_S))
    gaps = np.append(np.diff(times_s), longest_s)[: len(times_s)]
    notes = []
    for time, strength, chord, gap in zip(times_s, strengths, chords, gaps, strict=True):
        length_s = float(np.clip(gap * legato, 0.08, longest_s))
        played = within_reach(chord) if rng.random() < chord_share else chord[-1:]
        for pitch in played:
            velocity = float(strength) * (1.0 if pitch == played[-1] else 0.85)
            notes.append(PlayedNote(float(time), length_s, pitch, velocity))
    return notes


def _draw_chords(count: int, rng: np.random.Generator, corpus: Path | None, split: str) -> list[tuple[float, ...]]:
    """A run of a real piece's chords, moved as a whole; without a corpus, chords under a drawn melody."""
    files = piano_files(corpus, split) if corpus else ()
    if files:
        chords = chords_of(files[int(rng.integers(len(files)))])
        start, shift = int(rng.integers(max(1, len(chords) - count))), float(rng.integers(-6, 7))
        run = [chords[(start + number) % len(chords)] for number in range(count)] if chords else []
        if run:
            return [tuple(sorted({*fold(np.array(chord) + shift, LOWEST, HIGHEST).tolist()})) for chord in run]
    melody = draw_pitches(count, "keys", rng, None, split)
    return [
        tuple(sorted(fold(pitch + np.array(TRIADS[int(rng.integers(len(TRIADS)))]), LOWEST, HIGHEST).tolist()))
        for pitch in melody
    ]


def draw_piano(seconds: float, rng: np.random.Generator, corpus: Path | None, split: str) -> list[PlayedNote]:
    """A part of a real piece, moved and a little faster or slower; without a corpus, a drawn melody with chords."""
    files = piano_files(corpus, split) if corpus else ()
    if files:
        pace, shift = float(np.exp(rng.normal(0.0, 0.1))), float(rng.integers(-5, 7))
        part = excerpt(score_of(files[int(rng.integers(len(files)))]), seconds * pace, rng)
        if len(part):
            pitch = fold(part[:, 2] + shift, LOWEST, HIGHEST)
            louder = float(rng.uniform(0.75, 1.05))
            return [
                PlayedNote(onset / pace, length / pace, float(p), min(1.0, velocity * louder))
                for (onset, length, _, velocity), p in zip(part.tolist(), pitch, strict=True)
            ]
    times, strengths = draw_pulse(seconds, rng)
    return chords_for(times, strengths, rng, None, split)


def draw_pulse(seconds: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and strengths of a drawn rhythm with rests: float64 [N] each."""
    beat_s = float(rng.uniform(0.35, 0.8))
    times, strengths, now = [], [], float(rng.uniform(0.0, 0.5))
    level = float(rng.uniform(0.45, 0.8))
    while now < seconds:
        times.append(now)
        level = float(np.clip(level + rng.normal(0.0, 0.08), 0.3, 0.95))
        strengths.append(level)
        now += beat_s * float(rng.choice([0.5, 0.5, 1.0, 1.0, 2.0]))
        if rng.random() < 0.05:
            now += float(rng.uniform(0.5, 2.0))
    return np.array(times), np.array(strengths)
