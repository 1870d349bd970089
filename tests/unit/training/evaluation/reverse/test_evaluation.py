"""The whole evaluation with a loop that hears: every group's keys are there, in JSON, and a page shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming.errors import UserError
from tests.scenes.reverse_stages import HearingStages
from training.evaluation.reverse import evaluation
from training.evaluation.reverse.evaluation import ReverseMaterial, evaluate_reverse
from training.evaluation.reverse.page import reverse_page

KEYS = (
    *("same_sound_other_seed", "same_seed_other_sound", "input_zero", "input_other_clip", "retrieval_of_8"),
    *("click_displacement_px", "onset_motion_ratio", "sustained_px_per_tick"),
    *("edge_jump", "affine_residual", "sharpness", "silence_returns_s", "films", "dials"),
)


def test_every_figure_of_the_groups_is_given_and_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evaluation, "ReverseStages", HearingStages)
    monkeypatch.setattr(evaluation, "open_finders", dict)
    groups = ("choice", "rhythm", "edges", "looks", "films", "dials")
    figures = evaluate_reverse("none", ReverseMaterial(quick=True, groups=groups))
    json.dumps(figures)
    assert set(KEYS) <= set(figures)
    assert figures["films"] is None, "no films were given"
    assert figures["retrieval_of_8"] > 0.5
    assert set(figures["seconds"]) == {"load", *groups}
    page = reverse_page(tmp_path, figures | {"command": "python -m training.evaluate reverse"}).read_text("utf-8")
    assert "retrieval of 8" in page
    assert "Motion at the onsets" in page
    assert "Dials" in page


def test_a_group_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match="colours: there is no such group"):
        evaluate_reverse("none", ReverseMaterial(groups=("colours",)))
