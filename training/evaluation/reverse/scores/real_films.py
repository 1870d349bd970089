"""Are real films re-enacted? The motion of a film's first frame under its own sound against that of the film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from training.evaluation.reverse.material import ScoredFilm
from training.evaluation.reverse.measures.motion_energy import energy_of, shifted_correlation
from training.evaluation.reverse.measures.sound_envelopes import match_envelope
from training.evaluation.reverse.moved_still import ReverseStages, zero_inputs
from training.evaluation.reverse.scores.figures import Figures, mean_figures, rounded

SEED = 51
FIRST_TICKS = 5
MOST_SHIFT = 3
"""Ticks by which a film's sound may be late or early; every sound is allowed the same search."""
SMOOTH_TICKS = 1.5
"""Standard deviation of the smoothing of energies."""
ENOUGH = 0.2
"""A film counts as re-enacted when its own sound is above 0 and that much above the mean of the others."""


def score_films(stages: ReverseStages, films: Sequence[ScoredFilm], others: int = 2) -> Figures:
    """Correlation of the motion's energy with the film's own, for its sound and for other films' sounds.

    The others' sounds are brought to the film's own loudness envelope, so loudness alone gives both the same. With the
    drive's inputs at zero only the level is left.

    Args:
        stages: of the bundle.
        films: at least two.
        others: how many other films' sounds are tried on each.
    """
    values: dict[str, list[float]] = {}
    by_film: dict[str, Figures] = {}
    for number, film in enumerate(films):
        scene = stages.scene(film.first)
        true = _energy(film.flow)
        own = stages.hear(film.piece.sound)
        sounds = [films[(number + k) % len(films)].piece.sound for k in range(1, min(others, len(films) - 1) + 1)]
        heard = {"own": own, "zero": zero_inputs(own)}
        heard |= {f"other{k}": stages.hear(match_envelope(one, film.piece.sound)) for k, one in enumerate(sounds)}
        scores = {
            name: shifted_correlation(_energy(stages.move(scene, one, SEED).flow), true, MOST_SHIFT)
            for name, one in heard.items()
        }
        other = float(np.mean([score for name, score in scores.items() if name.startswith("other")]))
        row = {"films_own_sound": scores["own"], "films_other_sound": other, "films_input_zero": scores["zero"]}
        for name, value in row.items():
            values.setdefault(name, []).append(value)
        values.setdefault("films_gain", []).append(scores["own"] - other)
        by_film[film.name] = {name.removeprefix("films_"): rounded(value) for name, value in row.items()}
    gains = zip(by_film, values["films_gain"], values["films_own_sound"], strict=True)
    enough = [name for name, gain, own_sound in gains if gain >= ENOUGH and own_sound > 0.0]
    return mean_figures(values) | {"films_enough": enough, "films": by_film}


def _energy(flow: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(gaussian_filter1d(energy_of(flow)[FIRST_TICKS:], SMOOTH_TICKS))
