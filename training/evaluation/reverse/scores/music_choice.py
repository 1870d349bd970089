"""Does the music decide what moves? Time courses with one thing exchanged at a time, and which piece moved a film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.schema.messages import Hearing
from training.evaluation.reverse.material import Piece
from training.evaluation.reverse.measures.motion_energy import energy_of, series_correlation
from training.evaluation.reverse.measures.sound_envelopes import match_envelope
from training.evaluation.reverse.measures.time_courses import course_correlation, find_pieces, flow_courses
from training.evaluation.reverse.moved_still import (
    MovedStill,
    ReverseStages,
    SceneOfStill,
    other_inputs,
    zero_inputs,
)
from training.evaluation.reverse.scores.figures import Figures, mean_figures, share_figures

SEED, OTHER_SEED = 11, 12
FIRST_TICKS = 5
"""Ticks at a clip's start that are not scored: nothing was heard before."""
LEAST_DB = -60.0


def score_choice(stages: ReverseStages, scenes: Sequence[SceneOfStill], pieces: Sequence[Piece]) -> Figures:
    """Correlations of the springs' time courses with those of the right sound, one thing exchanged at a time.

    `same_sound_other_seed` exchanges the seed; `same_seed_other_sound` the sound, brought to the same loudness
    envelope, `_as_it_is` without that; `input_zero` and `input_other_clip` what the drive hears, while level and seed
    stay.
    `envelope_correlation` is that of the motion's energy with the level, and what it is with the inputs exchanged.

    Args:
        stages: of the bundle.
        scenes: that are moved; each by every piece.
        pieces: equally long, at least two; each one's control is the next.
    """
    values: dict[str, list[float]] = {}
    heard = [stages.hear(piece.sound) for piece in pieces]
    for index, piece in enumerate(pieces):
        after = (index + 1) % len(pieces)
        matched = stages.hear(match_envelope(pieces[after].sound, piece.sound))
        exchanged = {
            "same_sound_other_seed": (heard[index], OTHER_SEED),
            "same_seed_other_sound": (matched, SEED),
            "same_seed_other_sound_as_it_is": (heard[after], SEED),
            "input_zero": (zero_inputs(heard[index]), SEED),
            "input_other_clip": (other_inputs(heard[index], heard[after]), SEED),
        }
        level = np.maximum([hearing.level_db for hearing in heard[index]], LEAST_DB)[FIRST_TICKS:]
        for scene in scenes:
            right = stages.move(scene, heard[index], SEED)
            values.setdefault("envelope_correlation", []).append(_with_level(right, level))
            for name, (inputs, seed) in exchanged.items():
                moved = stages.move(scene, inputs, seed)
                alike = course_correlation(right.amplitudes[FIRST_TICKS:], moved.amplitudes[FIRST_TICKS:])
                values.setdefault(name, []).append(alike)
                if name.startswith("input"):
                    values.setdefault(f"envelope_correlation_{name}", []).append(_with_level(moved, level))
    return mean_figures(values) | {"n_courses": len(pieces) * len(scenes)}


def score_retrieval(stages: ReverseStages, scenes: Sequence[SceneOfStill], pieces: Sequence[Piece]) -> Figures:
    """Which of the pieces, all at one loudness envelope, moved a film; told by the motion with another seed.

    Every other scene is moved at the first piece's own envelope, the others at the middle one's. With the inputs at
    zero all films are the same, so the share must be at chance or below.

    Args:
        stages: of the bundle.
        scenes: one film of each piece is made of each.
        pieces: equally long, eight of them.
    """
    hits = dict.fromkeys(("", "_flow", "_input_zero"), 0)
    patterns = [pieces[0].sound, pieces[len(pieces) // 2].sound][: len(scenes)]
    matched = [[stages.hear(match_envelope(piece.sound, pattern)) for piece in pieces] for pattern in patterns]
    for number, scene in enumerate(scenes):
        heard = matched[number % len(matched)]
        silent = [zero_inputs(one) for one in heard]
        for suffix, inputs in (("", heard), ("_input_zero", silent)):
            films, references = ([stages.move(scene, one, seed) for one in inputs] for seed in (SEED, OTHER_SEED))
            hits[suffix] += _right([film.amplitudes for film in films], [one.amplitudes for one in references])
            if not suffix:
                hits["_flow"] += _right(
                    [flow_courses(film.flow) for film in films], [flow_courses(one.flow) for one in references]
                )
    trials = len(pieces) * len(scenes)
    figures: Figures = {"retrieval_of_8_chance": round(1.0 / len(pieces), 4)}
    for suffix, count in hits.items():
        figures |= share_figures(f"retrieval_of_8{suffix}", count, trials)
    return figures


def _right(films: Sequence[NDArray[np.floating]], references: Sequence[NDArray[np.floating]]) -> int:
    found = find_pieces([film[FIRST_TICKS:] for film in films], [one[FIRST_TICKS:] for one in references])
    return sum(piece == number for number, piece in enumerate(found))


def _with_level(moved: MovedStill, level: NDArray[np.float64]) -> float:
    return series_correlation(energy_of(moved.flow[FIRST_TICKS:]), level)


def levels_of(heard: Sequence[Hearing]) -> NDArray[np.float64]:
    """The level of each tick in dB of full scale, at least `LEAST_DB`: float64 [T]."""
    return np.maximum([hearing.level_db for hearing in heard], LEAST_DB)
