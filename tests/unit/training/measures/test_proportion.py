"""Wilson intervals: they hold the share, narrow with the number of trials, and stay within 0 and 1."""

from __future__ import annotations

import pytest

from training.measures.proportion import proportion_interval


def test_more_trials_narrow_the_interval_and_the_share_lies_inside() -> None:
    few, many = proportion_interval(5, 8), proportion_interval(500, 800)
    assert few is not None
    assert many is not None
    assert few == pytest.approx([0.3057, 0.8632], abs=2e-4)
    assert few[0] < many[0] < 0.625 < many[1] < few[1]


def test_all_and_none_stay_within_the_range() -> None:
    assert proportion_interval(8, 8) == pytest.approx([0.6756, 1.0], abs=2e-4)
    assert proportion_interval(0, 8) == pytest.approx([0.0, 0.3244], abs=2e-4)
    assert proportion_interval(0, 0) is None
