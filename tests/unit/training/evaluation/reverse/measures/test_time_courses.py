"""Time courses: the same motion is told from another, pieces are found, and what a network explains is a share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.reverse.measures.time_courses import (
    course_correlation,
    explained_share,
    find_pieces,
    flow_courses,
    gained_share,
)

RNG = np.random.default_rng(3)


def courses(seed: int, ticks: int = 200, modes: int = 6) -> NDArray[np.float64]:
    """Slow random time courses, as springs have."""
    raw = np.random.default_rng(seed).normal(size=(ticks + 20, modes))
    return np.stack([np.convolve(raw[:, m], np.hanning(9), "same")[:ticks] for m in range(modes)], 1)


def test_a_course_is_like_itself_at_any_scale_and_unlike_another() -> None:
    one = courses(1)
    assert course_correlation(one, 0.3 * one + 2.0) == pytest.approx(1.0)
    assert course_correlation(one, -one) == pytest.approx(-1.0)
    assert abs(course_correlation(one, courses(2))) < 0.3


def test_a_spring_that_moves_in_one_course_only_counts_as_unlike() -> None:
    one = courses(1)
    half = one.copy()
    half[:, :3] = 0.0
    assert course_correlation(one, half) == pytest.approx(0.5)
    both = np.hstack([one, np.zeros((len(one), 4))])
    assert course_correlation(both, both) == pytest.approx(1.0)
    assert np.isnan(course_correlation(np.zeros((9, 2)), np.zeros((9, 2))))
    with pytest.raises(ValueError, match="different shapes"):
        course_correlation(one, one[:-1])


def test_the_piece_that_moved_a_film_is_found_and_noise_is_at_chance() -> None:
    pieces = [courses(seed) for seed in range(8)]
    noisy = [piece + 0.7 * courses(100 + seed) for seed, piece in enumerate(pieces)]
    assert find_pieces(noisy, pieces) == list(range(8))
    hits = sum(find_pieces([courses(500 + 8 * run + seed) for seed in range(8)], pieces).count(0) for run in range(50))
    assert 25 < hits < 80, "50 is chance: one of eight, 400 films"


def test_films_that_are_all_the_same_tell_no_piece() -> None:
    same = [courses(1)] * 8
    assert find_pieces(same, same) == [-1] * 8
    assert find_pieces([np.zeros((50, 3))] * 2, [courses(1, 50, 3), courses(2, 50, 3)]) == [-1, -1]


def test_flow_fields_become_courses() -> None:
    flow = RNG.normal(size=(30, 2, 4, 4))
    assert flow_courses(flow).shape == (30, 32)
    assert course_correlation(flow_courses(flow), flow_courses(2 * flow)) == pytest.approx(1.0)


def test_what_a_network_explains_beyond_the_baseline_is_told_from_noise() -> None:
    hand = [courses(seed) for seed in range(4)]
    beyond = [courses(20 + seed) for seed in range(4)]
    true = [0.8 * a + 0.6 * b for a, b in zip(hand, beyond, strict=True)]
    right = [a + b for a, b in zip(hand, beyond, strict=True)]
    others = [a + b for a, b in zip(hand, beyond[1:] + beyond[:1], strict=True)]
    assert explained_share(true, hand, true) == pytest.approx(1.0)
    assert explained_share(true, hand, right) == pytest.approx(1.0)
    assert explained_share(true, hand, others) < 0.05
    assert explained_share(true, hand, hand) == pytest.approx(0.0, abs=1e-9)
    assert explained_share(hand, hand, true) == 0.0


def test_a_network_that_is_worse_than_the_baseline_gains_less_than_nothing() -> None:
    hand, true = [courses(1)], [courses(1) + 0.5 * courses(2)]
    assert gained_share(true, hand, true) == pytest.approx(1.0)
    assert gained_share(true, hand, [3.0 * courses(9)]) < -1.0
    with pytest.raises(ValueError, match="the same clips"):
        gained_share(true, hand, [])
