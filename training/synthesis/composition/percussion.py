"""Music for drums and for dance: what drummers do with a kit, and steps, claps and bells after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.synthesis.composition.lines import SCALES
from training.synthesis.composition.piano import draw_pulse
from training.synthesis.composition.scores import ROLAND_KEYS, drum_files, excerpt
from training.synthesis.hits_corpus import notes_of
from training.synthesis.sampled.played_note import PlayedNote

KICK, SNARE, STICK, CLOSED, OPEN, CRASH, RIDE = 36, 38, 37, 42, 46, 49, 51
TOMS = (48, 45, 43)
PATTERNS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((KICK, CLOSED), (CLOSED,), (SNARE, CLOSED), (CLOSED,)),
    ((KICK, RIDE), (RIDE,), (SNARE, RIDE), (KICK, RIDE)),
    ((KICK,), (SNARE,), (KICK, OPEN), (SNARE,)),
    ((48,), (45,), (43,), (KICK,)),
)
"""What follows each other where there is no real drummer."""
DRUM_S = 0.2
"""Nominal length of a drum's note; it rings on by itself."""
ONE_PIECE_SHARE = 0.35
"""Share of the performances in which strikes fall on one or two drums only."""
PERFORMANCES_TRIED = 12
BELL_SPAN = (60.0, 84.0)


def _events_of(path: Path) -> list[tuple[int, ...]]:
    """What a drummer strikes at once, one after the other, as General MIDI keys."""
    events: list[list[int]] = []
    start = -np.inf
    for onset, pitch, _ in notes_of(path):
        if onset - start > 0.03:
            events.append([])
            start = onset
        events[-1].append(ROLAND_KEYS.get(int(pitch), int(pitch)))
    return [tuple(sorted(set(event))) for event in events]


def draw_events(count: int, rng: np.random.Generator, corpus: Path | None, split: str) -> list[tuple[int, ...]]:
    """What is struck at each of `count` strikes: at most two drums."""
    if rng.random() < ONE_PIECE_SHARE:
        pieces = rng.choice([KICK, SNARE, SNARE, STICK, CLOSED, RIDE, *TOMS], int(rng.integers(1, 3)))
        return [(int(rng.choice(pieces)),) for _ in range(count)]
    files = drum_files(corpus, split) if corpus else ()
    events: list[tuple[int, ...]] = _events_of(files[int(rng.integers(len(files)))]) if files else []
    if not events:
        events = list(PATTERNS[int(rng.integers(len(PATTERNS)))])
    start = int(rng.integers(len(events)))
    return [events[(start + number) % len(events)][:2] for number in range(count)]


def drums_for(
    times_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
    rng: np.random.Generator,
    corpus: Path | None,
    split: str,
) -> list[PlayedNote]:
    """For each strike one or two drums, as they follow each other in real grooves."""
    return [
        PlayedNote(float(time), DRUM_S, float(key), float(strength) * (1.0 if number == 0 else 0.85))
        for time, strength, event in zip(times_s, strengths, draw_events(len(times_s), rng, corpus, split), strict=True)
        for number, key in enumerate(event)
    ]


def _draw_performance(files: tuple[Path, ...], seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A drummer's performance of at least some length, or the longest of a few: most files are fills of 2 s."""
    longest = np.zeros((0, 3))
    for number in rng.integers(len(files), size=PERFORMANCES_TRIED):
        notes = notes_of(files[int(number)])
        if len(notes) and (not len(longest) or notes[-1, 0] > longest[-1, 0]):
            longest = notes
        if len(longest) and longest[-1, 0] >= seconds:
            break
    return longest


def draw_drums(seconds: float, rng: np.random.Generator, corpus: Path | None, split: str) -> list[PlayedNote]:
    """A part of a real drummer's performance, a little faster or slower; without a corpus, a drawn rhythm."""
    files = drum_files(corpus, split) if corpus else ()
    if files:
        pace = float(np.exp(rng.normal(0.0, 0.08)))
        notes = _draw_performance(files, seconds * pace, rng)
        score = np.column_stack([notes[:, 0], np.full(len(notes), DRUM_S), notes[:, 1], notes[:, 2] / 127.0])
        part = excerpt(score, seconds * pace, rng)
        if len(part):
            return [
                PlayedNote(onset / pace, length, float(ROLAND_KEYS.get(int(pitch), int(pitch))), velocity)
                for onset, length, pitch, velocity in part.tolist()
            ]
    times, strengths = draw_pulse(seconds, rng)
    return drums_for(times, strengths, rng, None, split)


def dance_of(drums: list[PlayedNote], rng: np.random.Generator) -> list[PlayedNote]:
    """Steps for the low drums, hands for snare and hi-hat, bells for cymbals and some of the others."""
    root, scale = int(rng.integers(12)), SCALES[int(rng.integers(3, len(SCALES)))]
    low, high = BELL_SPAN
    ladder = [float(pitch) for pitch in range(int(low), int(high)) if (pitch - root) % 12 in scale]
    bell_share = float(rng.uniform(0.05, 0.5))
    place = int(rng.integers(len(ladder)))
    out = []
    for note in drums:
        key = round(note.pitch)
        if key in (CRASH, RIDE, 53, 57) or rng.random() < bell_share:
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(ladder) - 1))
            out.append(note._replace(pitch=ladder[place], duration_s=float(rng.uniform(0.3, 1.0))))
        elif key in (35, KICK, *TOMS, 41):
            out.append(note._replace(pitch=float(36 + key % 12)))
        else:
            out.append(note._replace(pitch=float(48 + key % 12)))
    return out
