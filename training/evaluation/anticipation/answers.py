"""Watches a film or a performer once and makes its music for each look-ahead, through the live engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.registry import open_engine
from streaming.conventions import TICKS_PER_SECOND
from training.evaluation.films.footage import film_instrument, film_person, reference_sound
from training.evaluation.films.reference_onsets import reference_onsets
from training.evaluation.forward_loop import ResponseSettings, respond
from training.footage.reader import camera_frames, examine
from training.measures.onsets import detect_onsets
from training.synthesis.recordings import Clip, performer_of, read_motion, watch

ANTICIPATIONS_MS = (0, 40, 80, 120)
"""The look-aheads that the translator is trained with."""

Times = NDArray[np.float64]


@dataclass(frozen=True)
class AnticipatedAnswers:
    """Onsets of one performance, and of the music made for it with each look-ahead.

    Attributes:
        name: of the film, or a performer's seed.
        seconds: length.
        onsets: of what was played, in seconds, sorted; without those that the longest look-ahead cannot meet.
        music: onsets of the music in seconds, sorted, one array for each of `ANTICIPATIONS_MS`.
    """

    name: str
    seconds: float
    onsets: Times
    music: tuple[Times, ...]


def answer_clip(clip: Clip, onsets: Times, name: str, setting: ResponseSettings) -> AnticipatedAnswers:
    """Make a clip's music for each look-ahead; the sampling's seed is the same for all."""
    music = [respond(clip, replace(setting, anticipation_s=ms / 1e3), clip.seed) for ms in ANTICIPATIONS_MS]
    answerable = onsets[onsets >= max(ANTICIPATIONS_MS) / 1e3]
    seconds = clip.age_s.size / TICKS_PER_SECOND
    return AnticipatedAnswers(name, seconds, answerable, tuple(detect_onsets(each) for each in music))


def answer_film(path: Path, setting: ResponseSettings, labels: Path | None = None) -> AnticipatedAnswers:
    """Watch a film once and make its music for each look-ahead.

    Raises:
        FootageError: when the film cannot be used, with the reason.
    """
    footage = examine(path)
    reference = reference_sound(footage)
    person = film_person(setting)
    embedding = open_engine("embedding", bundle=setting.bundle)
    track = read_motion(camera_frames(footage), footage.ticks, embedding, person, film_instrument(setting))
    if person is not None:
        person.close()
    onsets, _ = reference_onsets(path, reference, labels)
    return answer_clip(Clip(0, "footage", *track, reference), onsets, path.name, setting)


def answer_performer(seed: int, setting: ResponseSettings, *, periodic: bool = False) -> AnticipatedAnswers:
    """Watch a synthetic performer once and make its music for each look-ahead."""
    clip = watch(seed, open_engine("embedding", bundle=setting.bundle), steady=True, periodic=periodic)
    score = performer_of(seed, periodic=periodic).score
    return answer_clip(clip, score.onsets_s, str(seed), setting)
