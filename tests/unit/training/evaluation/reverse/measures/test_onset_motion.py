"""Onset-triggered motion: a thing that moves at onsets beats the shifted onsets, one that moves at random does not."""

from __future__ import annotations

import numpy as np

from training.evaluation.reverse.measures.onset_motion import onset_motion

ONSETS_S = np.cumsum(np.random.default_rng(5).uniform(0.35, 0.9, 14))
TICKS = 260


def test_motion_at_the_onsets_is_told_from_motion_at_random() -> None:
    rng = np.random.default_rng(1)
    at_onsets = rng.uniform(0.0, 0.2, TICKS)
    for time in ONSETS_S:
        tick = int(time * 25)
        at_onsets[tick : tick + 5] += [3.0, 2.0, 1.0, 0.5, 0.2]
    struck = onset_motion(at_onsets, ONSETS_S)
    assert struck.ratio > 2.0
    assert struck.p < 0.01
    assert struck.n_onsets == 14
    assert struck.at_onsets > struck.shifted
    assert struck.ratio < struck.reference
    loose = onset_motion(rng.permutation(at_onsets), ONSETS_S)
    assert 0.5 < loose.ratio < 1.5
    assert loose.p > 0.05


def test_motion_before_the_onsets_is_no_answer() -> None:
    early = np.zeros(TICKS)
    for time in ONSETS_S:
        early[int(time * 25) - 3] = 3.0
    assert onset_motion(early, ONSETS_S).ratio < 0.6


def test_what_cannot_be_told_is_not_a_number() -> None:
    assert np.isnan(onset_motion(np.zeros(TICKS), ONSETS_S).ratio)
    nothing = onset_motion(np.ones(TICKS), np.zeros(0))
    assert np.isnan(nothing.ratio)
    assert nothing.n_onsets == 0
    assert onset_motion(np.ones(TICKS), ONSETS_S).p == 1.0
