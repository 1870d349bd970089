"""Real scores from a corpus: drummers of Groove MIDI and piano pieces of GiantMIDI.

A corpus is a folder with `motion/groove_midi` (see `training.synthesis.hits_corpus`) and `motion/giantmidi_eval`
(GiantMIDI-Piano, CC BY 4.0; Kong, Li, Chen and Wang, "GiantMIDI-Piano: A large-scale MIDI dataset for classical piano
music", 2020, ByteDance). Whatever is missing is generated instead.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.synthesis.hits_corpus import GROOVE, groove_files

GIANTMIDI = Path("motion/giantmidi_eval")
TOGETHER_S = 0.04
"""Notes of a piano that begin within so many seconds are one chord."""
LONGEST_NOTE_S = 4.0
PEDAL = 64
ROLAND_KEYS = {22: 42, 26: 46, 58: 43, 40: 38, 50: 48, 47: 45, 55: 49, 52: 57, 59: 51}
"""Percussion keys of Groove's electronic kit that General MIDI gives to another drum -> that drum's key."""


@cache
def piano_files(corpus: Path, split: str = "train") -> tuple[Path, ...]:
    """The piano pieces of a corpus; every fifth is for tests ("test"), the others for training ("train")."""
    files = sorted((corpus / GIANTMIDI).glob("*.mid"))
    return tuple(path for number, path in enumerate(files) if (number % 5 == 4) == (split != "train"))


@cache
def drum_files(corpus: Path, split: str = "train") -> tuple[Path, ...]:
    """The drummers' performances of a corpus, by the data set's own split."""
    return groove_files(corpus / GROOVE, split) if (corpus / GROOVE / "info.csv").is_file() else ()


@cache
def score_of(path: Path) -> NDArray[np.float64]:
    """The notes of a MIDI file by onset: float64 [N, 4] of onset and duration in seconds, pitch and velocity 0..1.

    A note that the pedal holds lasts until the pedal is lifted or `LONGEST_NOTE_S` are over.
    """
    import mido

    now, is_down = 0.0, False
    held: dict[int, tuple[float, float]] = {}
    waiting: list[tuple[float, int, float]] = []
    notes: list[tuple[float, float, float, float]] = []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "control_change" and message.control == PEDAL:
            is_down = message.value >= 64
            if not is_down:
                notes += [(onset, now - onset, pitch, velocity) for onset, pitch, velocity in waiting]
                waiting = []
        elif message.type in ("note_on", "note_off"):
            if message.note in held:
                onset, velocity = held.pop(message.note)
                if is_down:
                    waiting.append((onset, message.note, velocity))
                else:
                    notes.append((onset, now - onset, message.note, velocity))
            if message.type == "note_on" and message.velocity:
                held[message.note] = (now, message.velocity / 127.0)
    notes += [(onset, now - onset, pitch, velocity) for onset, pitch, velocity in waiting]
    table = np.array(sorted(notes), np.float64).reshape(-1, 4)
    table[:, 1] = np.clip(table[:, 1], 0.03, LONGEST_NOTE_S)
    return table


@cache
def chords_of(path: Path) -> tuple[tuple[float, ...], ...]:
    """The pitches of a piano piece, chord after chord, each from low to high."""
    chords: list[list[float]] = []
    start = -np.inf
    for onset, _, pitch, _ in score_of(path):
        if onset - start > TOGETHER_S:
            chords.append([])
            start = onset
        chords[-1].append(float(pitch))
    return tuple(tuple(sorted(set(chord))) for chord in chords)


def melody_of(path: Path, low: float, high: float) -> NDArray[np.float64]:
    """The highest notes of a piano piece, moved by octaves into a range of pitches: float64 [N]."""
    top = np.array([chord[-1] for chord in chords_of(path)], np.float64)
    return fold(top, low, high)


def fold(pitch: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Pitches [N] moved by octaves into low..high, which are at least an octave apart."""
    up = np.ceil(np.maximum(0.0, low - pitch) / 12.0)
    down = np.ceil(np.maximum(0.0, pitch - high) / 12.0)
    return np.asarray(pitch + 12.0 * (up - down))


def excerpt(score: NDArray[np.float64], seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A part of a score that begins with a note: float64 [N, 4], its times from the start of the part."""
    if not len(score):
        return score
    last = max(0.0, float(score[-1, 0]) - seconds)
    starts = score[score[:, 0] <= last, 0]
    start = float(starts[int(rng.integers(len(starts)))]) if starts.size else float(score[0, 0])
    start -= float(rng.uniform(0.02, 0.3))
    part = score[(score[:, 0] >= start) & (score[:, 0] < start + seconds)].copy()
    part[:, 0] -= start
    return np.asarray(part)
