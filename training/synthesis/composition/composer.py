"""Composes what a voice plays: notes for given strikes, or music of its own. It follows from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from performers.kinds import KINDS
from training.synthesis.composition.lines import draw_lines, line_for
from training.synthesis.composition.percussion import dance_of, draw_drums, drums_for
from training.synthesis.composition.piano import chords_for, draw_piano
from training.synthesis.sampled.played_note import PlayedNote

SOFTEST = 0.05
"""A strike of no strength at all still sounds that much."""


def compose_strikes(
    times_s: Sequence[float] | NDArray[np.float64],
    strengths: Sequence[float] | NDArray[np.float64],
    voice: str,
    seed: int,
    corpus: Path | None,
    split: str = "train",
) -> list[PlayedNote]:
    """What sounds when somebody strikes: each strike gets its notes, and its strength is their velocity.

    Args:
        times_s: of the strikes, in order, in seconds [N].
        strengths: 0..1 [N].
        voice: one of `KINDS`.
        seed: draws the piece, its key and its manner.
        corpus: a folder with real scores, see `composition.scores`; None for generated ones.
        split: of the corpus: "train" or "test".

    Returns:
        Notes by onset; the first of each strike is its strongest.

    Raises:
        ValueError: for an unknown voice.
    """
    _check(voice)
    rng = np.random.default_rng([seed, 312])
    times = np.asarray(times_s, np.float64).reshape(-1)
    strong = np.clip(np.asarray(strengths, np.float64).reshape(-1), SOFTEST, 1.0)
    if voice == "keys":
        notes = chords_for(times, strong, rng, corpus, split)
    elif voice in ("strings", "air"):
        notes = line_for(times, strong, voice, rng, corpus, split)
    else:
        notes = drums_for(times, strong, rng, corpus, split)
    if voice == "dance":
        notes = dance_of(notes, rng)
    return sorted(notes, key=lambda note: (note.onset_s, -note.velocity))


def draw_music(voice: str, seconds: float, seed: int, corpus: Path | None, split: str = "train") -> list[PlayedNote]:
    """Music of a voice: a part of a real drummer's or pianist's performance, phrased lines for strings and air.

    Args:
        voice: one of `KINDS`.
        seconds: its length; every note begins before it is over.
        seed: draws the piece, its key, pace and manner.
        corpus: a folder with real scores, see `composition.scores`; None for generated ones.
        split: of the corpus: "train" or "test".

    Returns:
        Notes by onset.

    Raises:
        ValueError: for an unknown voice.
    """
    _check(voice)
    rng = np.random.default_rng([seed, 313])
    if voice == "keys":
        notes = draw_piano(seconds, rng, corpus, split)
    elif voice in ("strings", "air"):
        notes = draw_lines(voice, seconds, rng, corpus, split)
    else:
        notes = draw_drums(seconds, rng, corpus, split)
    if voice == "dance":
        notes = dance_of(notes, rng)
    return sorted(note for note in notes if note.onset_s < seconds)


def _check(voice: str) -> None:
    if voice not in KINDS:
        raise ValueError(f"unknown voice {voice!r}; one of {', '.join(KINDS)}")
