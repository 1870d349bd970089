"""When something is played in a film: by its own sound, or by labels that were made before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.errors import UserError
from training.measures.onsets import detect_onsets

FOOTAGE_THRESHOLD = 0.05
"""Threshold for finding onsets in a film's own sound.

In a room, with notes that overlap, onsets stand out less than in a rendering: at the usual threshold two of a fast
piano's forty in ten seconds are found. At this one still every second note of a fast piano is missed (39 onsets where a
transcription has 72), and soft notes of winds and bowed strings have hardly any onset at all.
"""
CHORD_S = 0.03
"""Labelled notes that begin within this time are one onset."""
DETECTED, LABELLED = "spectral flux of the film's own sound", "labels"


def reference_onsets(
    film: Path, sound: NDArray[np.float32], labels: Path | None = None
) -> tuple[NDArray[np.float64], str]:
    """The onsets that music is to meet, and where they come from.

    Args:
        film: a file NAME in `labels`, with .txt in place of its ending, holds its onsets: a time in seconds at the
            start of each line, from the film's time 0 on (`training.footage.reader`), in any order.
        sound: of the film, from time 0 on, with an rms of 0.1, float32 [n] at 32 kHz.
        labels: folder with files of labels; None for none.

    Returns:
        Times in seconds, sorted; and `DETECTED` or `LABELLED`.

    Raises:
        UserError: when a file of labels cannot be read.
    """
    path = labels / f"{film.stem}.txt" if labels is not None else None
    if path is None or not path.is_file():
        return detect_onsets(sound, threshold=FOOTAGE_THRESHOLD), DETECTED
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        times = sorted(float(line.split()[0]) for line in lines)
    except (OSError, ValueError) as error:
        raise UserError(
            f"the labels cannot be read ({error})", str(path), "begin each line with a time in seconds"
        ) from error
    kept: list[float] = []
    for time in times:
        if 0.0 <= time < sound.size / SAMPLE_RATE and (not kept or time - kept[-1] > CHORD_S):
            kept.append(time)
    return np.array(kept), LABELLED
