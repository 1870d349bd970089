"""Music of sampled instruments as clips: real or drawn scores in any voice, alone or two together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from performers.kinds import KINDS
from performers.score import draw_score
from training.synthesis.composition.composer import draw_music
from training.synthesis.composition.performed_score import played_notes
from training.synthesis.recordings import kind_of
from training.synthesis.sampled.render import render_notes

TOGETHER_SHARE = 0.15
"""Share of the clips in which two voices play."""
PERFORMED_SHARE = 0.25
"""Share of the parts that are a synthetic performer's score."""


def render_music(
    seed: int, seconds: float, soundfont: Path | None, corpus: Path | None, split: str = "train"
) -> NDArray[np.float64]:
    """A clip of music: float64 [seconds * 32000], at the level at which it was played.

    Args:
        seed: draws voices, scores, instruments and rooms.
        seconds: its length.
        soundfont: a General MIDI soundfont; None for the one that Debian installs.
        corpus: a folder with real scores; None for drawn ones.
        split: of the corpus: "train" or "test".

    Raises:
        SoundfontError: when the soundfont cannot be used.
    """
    rng = np.random.default_rng([seed, 315])
    sound = np.zeros(0)
    for part in range(2 if rng.random() < TOGETHER_SHARE else 1):
        voice, own = KINDS[int(rng.integers(len(KINDS)))], 2 * seed + part
        if rng.random() < PERFORMED_SHARE:
            notes = played_notes(draw_score(kind_of(own), own, seconds), voice, corpus)
        else:
            notes = draw_music(voice, seconds, own, corpus, split)
        level = float(10.0 ** (rng.uniform(-9.0, 0.0) / 20.0)) if part else 1.0
        played = level * render_notes(notes, voice, seconds, own, soundfont).astype(np.float64)
        sound = sound + played if sound.size else played
    return sound
