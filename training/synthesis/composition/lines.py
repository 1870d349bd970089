"""Melodic lines for voices that sing: pitches, slurs, ornaments, dynamics, and rests between phrases."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from performers.kinds import PITCH_RANGE
from training.synthesis.composition.scores import melody_of, piano_files
from training.synthesis.sampled.played_note import PlayedNote

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))
STEPS, STEP_SHARES = (-4, -3, -2, -1, 0, 1, 2, 3, 4), (0.02, 0.05, 0.15, 0.26, 0.04, 0.26, 0.15, 0.05, 0.02)
"""Steps along the scale of a drawn melody, and how often each is made."""
REAL_SHARE = 0.5
"""Share of the lines whose pitches are those of a real melody, where there are any."""
LONGEST_NOTE_S = 2.5


class LineStyle(NamedTuple):
    """How lines of a style go.

    Attributes:
        beat_s: shortest and longest beat in seconds.
        lengths: lengths of notes in beats, each as likely.
        slurred: share of the notes that are slurred to the one before.
        grace: share of the notes with a grace note.
        phrase_s: shortest and longest phrase in seconds.
        loudest: lowest and highest velocity of the middle of a phrase.
    """

    beat_s: tuple[float, float]
    lengths: tuple[float, ...]
    slurred: float
    grace: float
    phrase_s: tuple[float, float]
    loudest: tuple[float, float]


STYLES: dict[str, LineStyle] = {
    "slow": LineStyle((0.6, 1.1), (0.5, 1.0, 1.0, 2.0), 0.8, 0.08, (4.0, 9.0), (0.4, 0.8)),
    "song": LineStyle((0.45, 0.7), (0.5, 0.5, 1.0, 1.0, 1.5), 0.6, 0.12, (3.0, 7.0), (0.45, 0.85)),
    "dance": LineStyle((0.28, 0.45), (0.5, 0.5, 1.0), 0.25, 0.15, (2.5, 6.0), (0.5, 0.95)),
    "fast": LineStyle((0.36, 0.55), (0.25, 0.25, 0.25, 0.5, 1.0), 0.5, 0.05, (2.0, 5.0), (0.4, 0.9)),
}
"""Name -> how its lines go."""


def draw_pitches(
    count: int, voice: str, rng: np.random.Generator, corpus: Path | None, split: str
) -> NDArray[np.float64]:
    """The pitches of a melody within a voice's range: float64 [count].

    Args:
        count: their number.
        voice: "strings", "air", or another with a range of pitches.
        rng: random generator.
        corpus: a folder with real scores; None for none.
        split: of the corpus: "train" or "test".
    """
    low, high = PITCH_RANGE.get(voice, (55.0, 84.0))
    files = piano_files(corpus, split) if corpus else ()
    if files and rng.random() < REAL_SHARE:
        pitches = melody_of(files[int(rng.integers(len(files)))], low, high) if count else np.zeros(0)
        if pitches.size >= count:
            start = int(rng.integers(pitches.size - count + 1))
            shift = float(rng.integers(-5, 7))
            part = pitches[start : start + count] + shift
            part = np.where(part < low, part + 12.0, part)
            return np.asarray(np.where(part > high, part - 12.0, part))
    root, scale = int(rng.integers(12)), SCALES[int(rng.integers(len(SCALES)))]
    ladder = [pitch for pitch in range(int(low), int(high) + 1) if (pitch - root) % 12 in scale]
    place = int(rng.integers(len(ladder) // 4, 3 * len(ladder) // 4))
    out = []
    for _ in range(count):
        out.append(float(ladder[place]))
        place = abs(place + int(rng.choice(STEPS, p=STEP_SHARES)))
        place = min(place, 2 * (len(ladder) - 1) - place)
    return np.array(out)


def line_for(
    times_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
    voice: str,
    rng: np.random.Generator,
    corpus: Path | None,
    split: str,
) -> list[PlayedNote]:
    """One note for each strike, legato or detached; all as strong as their strikes."""
    pitches = draw_pitches(len(times_s), voice, rng, corpus, split)
    legato = float(rng.choice([0.0, 0.5, 0.9]))
    longest_s = float(rng.uniform(0.5, LONGEST_NOTE_S))
    gaps = np.append(np.diff(times_s), longest_s)[: len(times_s)]
    notes = []
    for time, strength, pitch, gap in zip(times_s, strengths, pitches, gaps, strict=True):
        if rng.random() < legato and gap <= longest_s:
            length = gap
        else:
            length = min(gap * float(rng.uniform(0.5, 0.9)), longest_s * float(rng.uniform(0.5, 1.0)))
        notes.append(PlayedNote(float(time), max(0.05, float(length)), float(pitch), float(strength)))
    return notes


def draw_lines(
    voice: str, seconds: float, rng: np.random.Generator, corpus: Path | None, split: str
) -> list[PlayedNote]:
    """Phrases of one style, with rests of 0.5 to 3 s between them."""
    style = STYLES[str(rng.choice(list(STYLES)))]
    beat_s = float(rng.uniform(*style.beat_s))
    notes: list[PlayedNote] = []
    now = float(rng.uniform(0.0, 0.6))
    while now < seconds - 0.5:
        length_s = float(rng.uniform(*style.phrase_s))
        phrase = _phrase(style, beat_s, length_s, voice, rng, corpus, split)
        notes += [note._replace(onset_s=note.onset_s + now) for note in phrase]
        now = notes[-1].onset_s + notes[-1].duration_s + float(rng.uniform(0.5, 3.0))
    return [note for note in notes if note.onset_s < seconds]


def _phrase(
    style: LineStyle,
    beat_s: float,
    length_s: float,
    voice: str,
    rng: np.random.Generator,
    corpus: Path | None,
    split: str,
) -> list[PlayedNote]:
    """A phrase from time 0: it swells to its middle and ends on a longer note."""
    lengths: list[float] = []
    while sum(lengths) < length_s:
        lengths.append(float(rng.choice(style.lengths)) * beat_s)
    lengths[-1] = max(lengths[-1], float(rng.uniform(1.0, 2.0)) * beat_s)
    pitches = draw_pitches(len(lengths), voice, rng, corpus, split)
    loudest, total = float(rng.uniform(*style.loudest)), sum(lengths)
    notes: list[PlayedNote] = []
    now = 0.0
    for number, (length, pitch) in enumerate(zip(lengths, pitches, strict=True)):
        is_last = number == len(lengths) - 1
        arch = 0.65 + 0.35 * np.sin(np.pi * min(1.0, (now + 0.5 * length) / total))
        velocity = float(np.clip(loudest * arch * np.exp(rng.normal(0.0, 0.08)), 0.1, 1.0))
        slurred = is_last or rng.random() < style.slurred
        held_s = length if slurred else length * float(rng.uniform(0.45, 0.85))
        late_s = max(-now, float(rng.normal(0.0, 0.006)))
        grace_s = float(rng.uniform(0.05, 0.1))
        if rng.random() < style.grace and length > 3.0 * grace_s:
            above = float(rng.choice([-1.0, 1.0, 2.0]))
            notes.append(PlayedNote(now, grace_s, float(pitch) + above, 0.8 * velocity))
            notes.append(PlayedNote(now + grace_s, held_s - grace_s, float(pitch), velocity))
        else:
            notes.append(
                PlayedNote(max(0.0, now + late_s), held_s - (late_s if slurred else 0.0), float(pitch), velocity)
            )
        now += length
    return notes
