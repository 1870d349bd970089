"""The reverse loop's scores: a perfect answer and a wrong one are told apart, and every control is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.reverse.measures.motion_energy import energy_of, series_correlation
from training.evaluation.reverse_loop import ReverseClip, first_sounding_tick, summarize_clips

TICKS = 100


def clip(seed: int, *, right: bool = True) -> ReverseClip:
    """Everything goes right as fast as it is loud; the answer does so too, or not at all."""
    rng = np.random.default_rng(seed)
    loud_db = -40.0 + 15.0 * np.sin(np.arange(TICKS) / rng.uniform(3, 9)) + rng.normal(size=TICKS)
    true = np.zeros((TICKS, 2, 16, 16), np.float32)
    true[:, 0] = (10.0 ** (loud_db / 20.0))[:, None, None]
    true += rng.normal(0, 1e-4, true.shape).astype(np.float32)
    said = true.copy() if right else rng.normal(0, 0.05, true.shape).astype(np.float32)
    return ReverseClip("keys", str(seed), true, said, said, loud_db, 25.0, 24.0, 22.0)


def test_a_right_answer_beats_its_controls_and_a_wrong_one_does_not() -> None:
    good, bad = (summarize_clips([clip(seed, right=right) for seed in range(6)]) for right in (True, False))
    assert good["flow_error"] == pytest.approx(0.0, abs=1e-6)
    assert good["flow_error"] < good["flow_error_constant"] < good["flow_error_still"]
    assert good["envelope_correlation"] > 0.8
    assert abs(good["envelope_correlation_shuffled"]) < 0.4
    assert bad["flow_error"] > bad["flow_error_still"]
    assert abs(bad["envelope_correlation"]) < 0.2
    assert good["psnr_gain_db"] == 3.0
    assert good["psnr_gain_db_drawn"] == 2.0
    assert good["n_clips"] == 6


def test_waiting_before_a_piece_is_no_likeness_of_two_clips() -> None:
    clips = []
    for seed in range(4):
        loud_db = np.r_[np.full(30, -90.0), np.random.default_rng(seed).normal(-30.0, 5.0, TICKS - 30)]
        drawn = np.zeros((TICKS, 2, 16, 16), np.float32)
        drawn[:, 0] = (10.0 ** (loud_db / 20.0))[:, None, None]
        clips.append(replace(clip(seed), loud_db=loud_db, sampled=drawn))
    assert first_sounding_tick(clips[0].loud_db) == 30
    waiting = series_correlation(energy_of(clips[0].sampled), np.maximum(clips[1].loud_db, -60.0))
    figures = summarize_clips(clips)
    assert abs(figures["envelope_correlation_shuffled"]) < 0.3 < 0.6 < waiting
    assert figures["envelope_correlation"] > 0.8


def test_a_rest_that_all_pieces_have_is_no_likeness_of_two_clips() -> None:
    clips = []
    for seed in range(4):
        loud_db = np.random.default_rng(seed).normal(-30.0, 5.0, TICKS)
        loud_db[40:60] = -55.0
        drawn = np.zeros((TICKS, 2, 16, 16), np.float32)
        drawn[:, 0] = (10.0 ** (loud_db / 20.0))[:, None, None]
        clips.append(replace(clip(seed), loud_db=loud_db, sampled=drawn))
    figures = summarize_clips(clips)
    assert abs(figures["envelope_correlation_shuffled"]) < 0.2
    assert min(figures["envelope_correlation_in_step"], figures["envelope_correlation_of_pieces"]) > 0.5
