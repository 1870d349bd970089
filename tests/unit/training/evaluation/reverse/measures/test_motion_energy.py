"""Energies and errors of flows: more motion is more, and every control is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.reverse.measures.motion_energy import (
    best_constant,
    end_point_error,
    energy_of,
    series_correlation,
    shifted_correlation,
)


def test_the_constant_control_fits_a_field_that_follows_the_loudness_exactly() -> None:
    loud_db = np.linspace(-60.0, -6.0, 50)
    true = np.ones((50, 2, 16, 16), np.float32) * (10 ** (loud_db / 20))[:, None, None, None].astype(np.float32)
    assert end_point_error(best_constant(true, loud_db), true) < 1e-6
    assert end_point_error(np.zeros_like(true), true) > 0.1


def test_what_never_changes_goes_together_with_nothing() -> None:
    course = np.sin(np.arange(50.0))
    assert series_correlation(course, np.ones(50)) == 0.0
    assert series_correlation(course, 3.0 * course - 1.0) == pytest.approx(1.0)
    still, moving = np.zeros((5, 2, 16, 16), np.float32), np.ones((5, 2, 16, 16), np.float32)
    assert (energy_of(moving) > energy_of(still)).all()


def test_a_late_series_is_found_within_the_search_and_no_further() -> None:
    course = np.random.default_rng(1).normal(size=200)
    assert shifted_correlation(np.roll(course, 3), course, 3) > 0.95
    assert shifted_correlation(np.roll(course, -2), course, 3) > 0.95
    assert shifted_correlation(np.roll(course, 6), course, 3) < 0.3
