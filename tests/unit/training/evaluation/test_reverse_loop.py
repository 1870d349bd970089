"""The reverse loop's scores: a perfect answer and a wrong one are told apart, and every control is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.reverse_loop import (
    ReverseClip,
    best_constant,
    end_point_error,
    energy_of,
    first_sounding_tick,
    psnr,
    series_correlation,
    structural_similarity,
    summarize_clips,
)

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


def test_the_constant_control_fits_a_field_that_follows_the_loudness_exactly() -> None:
    loud_db = np.linspace(-60.0, -6.0, 50)
    true = np.ones((50, 2, 16, 16), np.float32) * (10 ** (loud_db / 20))[:, None, None, None].astype(np.float32)
    assert end_point_error(best_constant(true, loud_db), true) < 1e-6
    assert end_point_error(np.zeros_like(true), true) > 0.1


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


def test_what_never_changes_goes_together_with_nothing() -> None:
    course = np.sin(np.arange(50.0))
    assert series_correlation(course, np.ones(50)) == 0.0
    assert series_correlation(course, 3.0 * course - 1.0) == pytest.approx(1.0)
    still, moving = np.zeros((5, 2, 16, 16), np.float32), np.ones((5, 2, 16, 16), np.float32)
    assert (energy_of(moving) > energy_of(still)).all()


def test_pictures_that_differ_more_are_less_alike() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    near = np.clip(image.astype(int) + rng.integers(-8, 9, image.shape), 0, 255).astype(np.uint8)
    far = rng.integers(0, 255, image.shape, dtype=np.uint8)
    assert psnr(image, image) > psnr(near, image) > psnr(far, image)
    assert structural_similarity(image, image).min() == pytest.approx(1.0)
    assert structural_similarity(near, image).mean() > 0.9 > 0.2 > structural_similarity(far, image).mean()
