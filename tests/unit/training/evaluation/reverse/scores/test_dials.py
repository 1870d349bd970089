"""Dials: a curve has a row for each setting, and a dial that does nothing shows as flat."""

from __future__ import annotations

from tests.scenes.reverse_stages import HearingStages, beats, picture
from training.evaluation.reverse.scores.dials import IMAGINATION, SETTINGS, score_dials


def test_a_dial_that_acts_is_told_from_one_that_does_not() -> None:
    stages = HearingStages("none")
    curves = score_dials(stages, [stages.scene(picture())], stages.hear(beats(1).sound))["dials"]
    motion = [row["px"] for row in curves["motion"]]
    assert motion[0] == 0.0
    assert motion == sorted(motion)
    assert motion[-1] > 3.0 * motion[2]
    assert len({row["px"] for row in curves["anchoring"]}) == 1
    assert [row["setting"] for row in curves["chance"]] == list(SETTINGS["chance"])
    assert curves["motion"][2]["other_seed"] > 0.9
    assert curves["motion"][0]["other_seed"] is None
    levels = [row["levels"] for row in curves["imagination"]]
    assert [row["setting"] for row in curves["imagination"]] == list(IMAGINATION)
    assert levels == [0.0, 2.0, 4.0, 6.0, 8.0]
