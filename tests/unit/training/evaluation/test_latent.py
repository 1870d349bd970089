"""The latent space's scores know a good one from a bad one."""

from __future__ import annotations

import numpy as np

from training.evaluation.latent import LatentPair, match, retrieval_hits, score_pairs, shift_errors
from training.measures.bootstrap import interval


def latents(seed: int, ticks: int = 120, dim: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((ticks, dim))


def test_the_right_sound_is_found_and_the_shift_located() -> None:
    seen = [latents(seed) for seed in range(6)]
    assert retrieval_hits(seen, seen) == [1.0] * 6
    assert shift_errors(seen, seen) == [0] * 6
    others = seen[1:] + seen[:1]
    assert np.mean(retrieval_hits(seen, others)) < 0.5
    assert np.mean([abs(error) <= 1 for error in shift_errors(seen, others)]) < 0.6


def test_match_looks_ahead_by_the_shift() -> None:
    seen = latents(1)
    assert match(seen[:-3], seen[3:]) < 0.3 * match(seen, seen)
    assert match(seen, np.roll(seen, 3, axis=0), 3) > 0.9 * match(seen, seen)


def test_scores_stand_beside_their_controls() -> None:
    rng = np.random.default_rng(5)
    pairs = []
    for seed in range(8):
        shared = latents(seed)
        noise = rng.standard_normal((120, 1))
        pairs.append(
            LatentPair("drums", shared, shared + 0.3 * latents(100 + seed), noise, rng.standard_normal((120, 1)))
        )
    figures = score_pairs(pairs)
    assert figures["found_first"] == 1.0
    assert figures["shift_within_1"] == 1.0
    assert figures["found_first_rule"] < 0.6
    assert figures["shift_within_1_rule"] < 0.6
    assert figures["found_first_chance"] == 0.125


def test_an_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(0).random(400)
    all_of_them = interval(list(values))
    assert all_of_them is not None
    low, high = all_of_them
    assert low < values.mean() < high
    wide = interval(list(values[:20]))
    assert wide is not None
    assert wide[1] - wide[0] > 2 * (high - low)
    assert interval([]) is None
    assert interval([float("nan")]) is None
