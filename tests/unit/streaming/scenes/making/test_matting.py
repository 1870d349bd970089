"""Edges: a rough mask comes to lie on the picture's own edge, and an outline says how sharp it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streaming.scenes.making.matting import box_of, cut_in_band, outline_contrast, soften
from tests.unit.streaming.scenes.making.pictures import disc_picture, shared


def test_a_shifted_rough_mask_finds_the_edge() -> None:
    image, truth = disc_picture()
    rough = cv2.GaussianBlur(np.roll(truth, 6, 1).astype(np.float32), (0, 0), 2.0)
    cut = soften(image, cut_in_band(image, rough), 6, 1e-4)
    assert shared(rough > 0.5, truth) < 0.9
    assert shared(cut > 0.5, truth) > 0.96
    assert cut.min() == 0.0
    assert cut.max() == 1.0


def test_an_empty_mask_stays_empty() -> None:
    image, _ = disc_picture()
    assert soften(image, np.zeros(image.shape[:2], np.float32)).max() == 0.0
    assert outline_contrast(image, np.zeros(image.shape[:2], np.float32)) == (0.0, 1.0)


def test_an_outline_on_an_edge_has_a_step_and_one_through_an_even_ground_has_none() -> None:
    image, truth = disc_picture()
    step, faint = outline_contrast(image, truth.astype(np.float32))
    assert step > 40
    assert faint < 0.02
    step, faint = outline_contrast(image, np.roll(truth, 170, 1).astype(np.float32))
    assert step < 8
    assert faint > 0.8


def test_the_box_of_a_mask_stays_in_the_picture() -> None:
    mask = np.zeros((40, 60), bool)
    assert box_of(mask, 5) is None
    mask[2:10, 20:30] = True
    assert box_of(mask, 5) == (15, 0, 35, 15)
    assert box_of(mask, 0) == pytest.approx((20, 2, 30, 10))
