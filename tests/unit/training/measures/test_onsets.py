"""Onset detection and matching, on sounds whose onsets are known."""

from __future__ import annotations

import numpy as np
import pytest

from performers.kinds import KINDS
from performers.score import draw_score
from training.measures.onsets import correlation, detect_onsets, level_db, match_onsets, stillness_drops
from training.synthesis.instruments import render_sound


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_heard_in_the_true_sound_and_not_in_anothers(kind: str) -> None:
    scores = [draw_score(kind, seed, 6.0) for seed in (1, 2)]
    heard = [detect_onsets(render_sound(score)) for score in scores]
    own = match_onsets(scores[0].onsets_s, heard[0])
    other = match_onsets(scores[0].onsets_s, heard[1])
    assert own.f1 > 0.9
    assert other.f1 < 0.5
    assert abs(float(np.median(own.lags_s))) < 0.01


def test_silence_and_steady_noise_have_no_onsets() -> None:
    rng = np.random.default_rng(0)
    assert detect_onsets(np.zeros(64_000, np.float32)).size == 0
    steady = detect_onsets((0.1 * rng.standard_normal(96_000)).astype(np.float32))
    assert (steady > 0.1).sum() == 0


def test_matching_is_one_to_one_and_signed() -> None:
    found = match_onsets(np.array([1.0, 2.0, 3.0]), np.array([1.02, 1.04, 2.98, 5.0]))
    assert (found.reference, found.estimated) == (3, 4)
    np.testing.assert_allclose(found.lags_s, [0.02, -0.02], atol=1e-9)
    assert found.f1 == pytest.approx(2 * 2 / 7)
    assert match_onsets(np.array([]), np.array([])).f1 == 0.0


def test_levels_correlation_and_stillness() -> None:
    t = np.arange(32_000 * 4) / 32_000
    x = (np.sin(2 * np.pi * 440 * t) * (t < 2)).astype(np.float32)
    assert level_db(x)[5] == pytest.approx(-3.01, abs=0.1)
    assert stillness_drops(x, ((2.0, 4.0),))[0] == pytest.approx(67, abs=0.5)
    assert stillness_drops(np.ones_like(x), ((2.0, 4.0),))[0] == pytest.approx(0.0, abs=0.01)
    a = level_db(x)
    assert correlation(a, a) == pytest.approx(1.0)
    assert correlation(a, np.ones_like(a)) == 0.0
