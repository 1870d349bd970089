"""Average precision: by hand, at its ends, and at chance."""

from __future__ import annotations

import numpy as np
import pytest

from training.measures.average_precision import Peaks, average_precision, find_peaks

ONSETS = np.array([1.0, 2.0, 3.0, 4.0])


def test_right_peaks_before_wrong_ones_are_perfect_whatever_follows() -> None:
    times = np.array([1.0, 1.5, 2.03, 2.5, 2.97, 4.0])
    assert average_precision(ONSETS, Peaks(times, np.array([9.0, 1, 8, 1, 7, 6]))) == 1.0
    assert average_precision(ONSETS, Peaks(times, np.array([1.0, 9, 2, 8, 3, 4]))) < 0.6


def test_by_hand() -> None:
    peaks = Peaks(np.array([1.0, 1.5, 2.0, 2.6]), np.array([4.0, 3.0, 2.0, 1.0]))
    assert average_precision(ONSETS, peaks) == pytest.approx((1 / 1 + 2 / 3) / 4)


def test_peaks_of_equal_strength_count_together() -> None:
    forward = Peaks(np.array([1.0, 1.5, 2.0, 2.6]), np.ones(4))
    assert average_precision(ONSETS, forward) == pytest.approx(2 / 4 * 2 / 4)


def test_an_onset_is_met_once_and_only_within_the_tolerance() -> None:
    twice = Peaks(np.array([0.98, 1.02]), np.array([1.0, 2.0]))
    assert average_precision(np.array([1.0]), twice) == 1.0
    assert average_precision(np.array([1.0, 9.0]), twice) == 0.5
    assert average_precision(ONSETS, Peaks(ONSETS + 0.06, np.ones(4))) == 0.0
    assert average_precision(ONSETS, Peaks(ONSETS + 0.05, np.ones(4))) == 1.0


def test_nothing_found_is_zero_and_nothing_to_find_has_no_score() -> None:
    assert average_precision(ONSETS, Peaks(np.zeros(0), np.zeros(0))) == 0.0
    assert np.isnan(average_precision(np.zeros(0), Peaks(ONSETS, np.ones(4))))


def test_random_strengths_score_the_share_of_right_peaks() -> None:
    rng = np.random.default_rng(0)
    onsets = np.arange(1.0, 401.0)
    times = np.sort(np.concatenate([onsets, onsets + 0.3, onsets + 0.6]))
    assert average_precision(onsets, Peaks(times, rng.uniform(0, 1, times.size))) == pytest.approx(1 / 3, abs=0.04)


def test_peaks_of_a_curve() -> None:
    curve = np.array([0.0, 1, 3, 1, 0, 0, 2, 2, 0, 0, 0, 0, 5])
    peaks = find_peaks(curve, 0.04, 0.05)
    assert peaks.times_s == pytest.approx([0.08, 0.24, 0.48])
    assert peaks.strengths.tolist() == [3, 2, 5]
    assert peaks.above(2.0).tolist() == pytest.approx([0.08, 0.48])
    assert find_peaks(np.zeros(9), 0.04).times_s.size == 0
