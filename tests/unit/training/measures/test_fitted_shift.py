"""Scores at a fitted shift: known shifts are found, what fits one half only gains nothing, chance scores chance."""

from __future__ import annotations

import numpy as np
import pytest

from training.measures.average_precision import Peaks
from training.measures.fitted_shift import (
    CONTROL_SHIFTS,
    SHIFTS_S,
    choose,
    circular_shifts,
    correlation_by_half,
    f1_by_half,
    fit_shift,
    fitted_average_precision,
    fitted_correlation,
    fitted_f1,
    roll_onsets,
)
from training.measures.onsets import match_onsets

SECONDS = 20.0
ZERO = SHIFTS_S.size // 2


def random_onsets(seed: int, count: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0.3, SECONDS - 0.3, count))


def test_a_known_offset_is_found_and_shift_zero_misses_it() -> None:
    reference = random_onsets(1)
    found = fitted_f1(reference, [reference - 0.12], SECONDS)
    assert found.value == pytest.approx(1.0, abs=0.07)
    assert found.shifts_s == pytest.approx((0.12, 0.12), abs=0.025)
    assert match_onsets(reference, reference - 0.12).f1 < 0.6
    assert found.control < 0.6


def test_an_offset_beyond_the_search_is_not_found() -> None:
    reference = np.arange(1.0, 19.0, 1.0) + np.random.default_rng(0).uniform(-0.1, 0.1, 18)
    assert fitted_f1(reference, [reference - 0.4], SECONDS).value < 0.3


def test_an_offset_that_differs_between_the_halves_is_not_rewarded() -> None:
    reference = random_onsets(2)
    estimated = np.where(reference < SECONDS / 2, reference - 0.15, reference + 0.15)
    found = fitted_f1(reference, [np.sort(estimated)], SECONDS)
    assert found.shifts_s[0] > 0.1 > -0.1 > found.shifts_s[1]
    assert found.value < 0.5


def test_what_has_nothing_to_do_with_the_reference_scores_its_control() -> None:
    scores = [fitted_f1(random_onsets(seed), [random_onsets(seed + 500)], SECONDS, seed) for seed in range(30)]
    value, control = np.mean([s.value for s in scores]), np.mean([s.control for s in scores])
    assert value == pytest.approx(control, abs=0.04)
    draws = np.mean([s.control_draws for s in scores], axis=0)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert low < value < high
    aps = [
        fitted_average_precision(
            random_onsets(seed),
            Peaks(random_onsets(seed + 900), np.random.default_rng(seed).uniform(0, 1, 30)),
            SECONDS,
            seed,
        )
        for seed in range(8)
    ]
    assert np.mean([s.value for s in aps]) == pytest.approx(np.mean([s.control for s in aps]), abs=0.07)


def test_searching_lifts_chance_above_the_score_of_one_random_shift() -> None:
    reference, estimated = random_onsets(3), random_onsets(4)
    table = f1_by_half(reference[None], estimated, SECONDS)[0]
    assert table.max(1).min() > table.mean()


def test_each_half_is_scored_as_matching_scores_it() -> None:
    reference, estimated = random_onsets(5), random_onsets(6, 45)
    table = f1_by_half(np.stack([reference, reference]), estimated, SECONDS)
    assert table.shape == (2, 2, SHIFTS_S.size)
    for column in (0, 7, ZERO, 33):
        moved = estimated + SHIFTS_S[column]
        for half, (start, end) in enumerate(((-1.0, 10.0), (10.0, 21.0))):
            wanted, found = (x[(x >= start) & (x < end)] for x in (reference, moved))
            assert table[1, half, column] == pytest.approx(match_onsets(wanted, found).f1)


def test_a_half_without_onsets_has_no_score() -> None:
    reference = np.array([1.0, 2.0, 3.0])
    table = f1_by_half(reference[None], reference, SECONDS)
    assert np.isnan(table[0, 1]).all()
    assert table[0, 0, ZERO] == 1.0
    found = fitted_f1(reference, [reference], SECONDS)
    assert np.isnan(found.value)
    assert np.isnan(found.control)
    assert np.isnan(fitted_f1(np.zeros(0), [reference], SECONDS).value)


def test_the_threshold_is_chosen_with_the_shift_on_the_other_half() -> None:
    reference = random_onsets(7, 20)
    noisy = np.sort(np.concatenate([reference, random_onsets(8, 60)]))
    found = fitted_f1(reference, [noisy, reference, reference[::4]], SECONDS)
    assert found.thresholds == (1, 1)
    assert found.value == pytest.approx(1.0)


def test_of_equal_scores_the_one_nearest_to_zero_is_chosen() -> None:
    assert choose(np.ones((1, 41))) == (0, 20)
    plateau = np.zeros((1, 41))
    plateau[0, 25:32] = 1.0
    plateau[0, 5] = 1.0
    assert 27 <= choose(plateau)[1] <= 29


def test_a_score_uses_only_the_other_halfs_choice() -> None:
    scores = np.zeros((1, 1, 2, 5))
    scores[0, 0, 0] = [0.1, 0.2, 0.3, 0.9, 0.2]
    scores[0, 0, 1] = [0.8, 0.1, 0.2, 0.4, 0.1]
    found = fit_shift(scores, np.linspace(-0.2, 0.2, 5))
    assert found.value == pytest.approx((0.4 + 0.1) / 2)
    assert found.shifts_s == pytest.approx((0.1, -0.2))


def test_circular_shifts_keep_the_rhythm_and_stay_away_from_zero() -> None:
    shifts = circular_shifts(SECONDS)
    assert shifts.size == CONTROL_SHIFTS
    assert shifts.min() >= 1.0
    assert shifts.max() <= 19.0
    assert np.array_equal(shifts, circular_shifts(SECONDS))
    assert not np.array_equal(shifts, circular_shifts(SECONDS, seed=1))
    rolled = roll_onsets(np.array([1.0, 2.0, 19.0]), np.array([2.0]), SECONDS)
    assert rolled.tolist() == [[1.0, 3.0, 4.0]]
    assert circular_shifts(2.0).min() >= 0.5


def test_a_delayed_series_correlates_at_its_delay() -> None:
    rng = np.random.default_rng(0)
    series = np.convolve(rng.standard_normal(520), np.ones(4), "same")[:500]
    late = np.roll(series, 3) + 0.3 * rng.standard_normal(500)
    found = fitted_correlation(late, series, 0.04, 5)
    assert found.value > 0.9
    assert found.shifts_s == pytest.approx((0.12, 0.12))
    assert abs(found.control) < 0.15
    assert correlation_by_half(late[None], series, 0)[0].max() < 0.5


def test_correlation_with_silence_is_none_and_of_silence_is_zero() -> None:
    series = np.random.default_rng(0).standard_normal(100)
    assert np.isnan(correlation_by_half(np.zeros((1, 100)), series, 2)).all()
    assert (correlation_by_half(series[None], np.zeros(100), 2) == 0).all()
