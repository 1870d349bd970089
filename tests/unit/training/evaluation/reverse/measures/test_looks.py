"""Looks: blur costs sharpness, what differs more is less alike, and rest is the still to the byte."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.evaluation.reverse.measures.looks import (
    gradient_error,
    psnr,
    seconds_to_still,
    sharpness_ratio,
    structural_similarity,
)

STILL = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


def test_blur_costs_sharpness_and_a_shift_does_not() -> None:
    assert sharpness_ratio(STILL, STILL) == 1.0
    assert sharpness_ratio(np.roll(STILL, 5, 1), STILL) == pytest.approx(1.0, abs=0.05)
    assert sharpness_ratio(cv2.GaussianBlur(STILL, (0, 0), 1.0), STILL) < 0.5
    assert gradient_error(STILL, STILL) == 0.0 < gradient_error(cv2.GaussianBlur(STILL, (0, 0), 1.0), STILL)


def test_pictures_that_differ_more_are_less_alike() -> None:
    rng = np.random.default_rng(1)
    near = np.clip(STILL.astype(int) + rng.integers(-8, 9, STILL.shape), 0, 255).astype(np.uint8)
    far = rng.integers(0, 255, STILL.shape, dtype=np.uint8)
    assert psnr(STILL, STILL) > psnr(near, STILL) > psnr(far, STILL)
    assert structural_similarity(STILL, STILL).min() == pytest.approx(1.0)
    assert structural_similarity(near, STILL).mean() > 0.9 > 0.2 > structural_similarity(far, STILL).mean()


def test_rest_is_the_still_to_the_byte_and_stays_so() -> None:
    almost = STILL.copy()
    almost[0, 0, 0] ^= 1
    assert seconds_to_still([STILL] * 5, STILL, 2) == 0.0
    assert seconds_to_still([almost, STILL, almost, STILL, STILL], STILL, 1) == pytest.approx(0.08)
    assert seconds_to_still([STILL, STILL, almost], STILL, 1) is None
