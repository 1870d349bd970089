"""Films: the film's own sound is told from others at the same loudness, and zero inputs from it."""

from __future__ import annotations

import numpy as np

from tests.scenes.reverse_stages import DeafStages, HearingStages, beats, picture
from training.evaluation.reverse.material import ScoredFilm
from training.evaluation.reverse.scores.real_films import score_films


def films(stages: HearingStages) -> list[ScoredFilm]:
    """Films that move as a loop that hears would move them."""
    pieces = [beats(number) for number in range(4)]
    scene = stages.scene(picture())
    return [
        ScoredFilm(piece.name, picture(), piece, stages.move(scene, stages.hear(piece.sound), 99).flow)
        for piece in pieces
    ]


def test_own_sound_is_told_from_others() -> None:
    stages, deaf = HearingStages("none"), DeafStages("none")
    good, bad = score_films(stages, films(stages)), score_films(deaf, films(stages))
    assert good["films_own_sound"] > 0.9 > good["films_other_sound"]
    assert good["films_input_zero"] == 0.0
    assert len(good["films_enough"]) >= 3
    assert set(good["films"]["beats 0"]) == {"own_sound", "other_sound", "input_zero"}
    assert bad["films_gain"] < 0.5 * good["films_gain"]
    assert np.isclose(bad["films_own_sound"], bad["films_input_zero"])
