"""Edges: a thing before its ground is told from a rubber sheet, on own layers and on masks from elsewhere."""

from __future__ import annotations

import numpy as np

from tests.scenes.reverse_stages import BOX, HearingStages, SheetStages, beats, picture
from training.evaluation.reverse.material import ScoredStill
from training.evaluation.reverse.scores.edges import score_edges, strong_ticks


def still() -> ScoredStill:
    mask = np.zeros((128, 192), bool)
    mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    return ScoredStill("a thing", picture(), (mask,))


def test_a_thing_jumps_at_its_edge_and_a_sheet_does_not() -> None:
    stages, rubber = HearingStages("none"), SheetStages("none")
    heard = stages.hear(beats(1).sound)
    thing = score_edges(stages, [(still(), stages.scene(still().image))], heard)
    sheet = score_edges(rubber, [(still(), rubber.scene(still().image))], heard)
    assert thing["edge_jump"] > 0.95
    assert thing["edge_jump_things"] == thing["edge_jump"]
    assert thing["edge_jump_independent"] > 0.9 > 0.5 > sheet["edge_jump_independent"]
    assert thing["edge_jump_control"] < 0.8 * thing["edge_jump"]
    assert thing["affine_residual"] < 1e-3 < 0.03 < sheet["affine_residual_independent"]
    assert thing["edge_jump_n"] == 1
    assert thing["edges_by_still"]["a thing"]["layers"] == ["thing"]
    assert thing["edges_by_still"]["a thing"]["modes"] == 4


def test_moments_are_strong_and_apart() -> None:
    course = np.zeros((60, 2))
    course[10], course[12], course[40] = 3.0, 2.0, 1.0
    assert strong_ticks(course, 2) == [10, 40]
    assert strong_ticks(np.zeros((60, 2)), 2) == []
