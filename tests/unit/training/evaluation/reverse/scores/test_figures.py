"""Figures: means and shares with their intervals; what was not measured is None."""

from __future__ import annotations

from training.evaluation.reverse.scores.figures import mean_figures, rounded, share_figures


def test_means_leave_out_what_is_no_number() -> None:
    figures = mean_figures({"a": [1.0, 3.0, float("nan")], "b": [float("nan")]})
    assert figures["a"] == 2.0
    assert figures["a_interval"][0] <= 2.0 <= figures["a_interval"][1]
    assert figures["b"] is figures["b_interval"] is None


def test_shares_say_of_how_many() -> None:
    assert share_figures("found", 3, 4) == {"found": 0.75, "found_interval": [0.3006, 0.9544], "found_of": 4}
    assert share_figures("found", 0, 0) == {"found": None, "found_interval": None, "found_of": 0}
    assert rounded(float("inf")) is rounded(None) is None
    assert rounded(0.123456) == 0.1235
