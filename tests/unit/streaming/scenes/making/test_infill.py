"""What is hidden is filled in from around it; what is known stays to the byte."""

from __future__ import annotations

import numpy as np

from streaming.scenes.making.infill import fill_in
from tests.unit.streaming.scenes.making.pictures import grainy


def test_a_hole_gets_the_colours_around_it_and_nothing_else_changes() -> None:
    image = grainy((90, 120, 150))
    image[:, 240:] = grainy((150, 90, 60))[:, 240:]
    hole = np.zeros(image.shape[:2], bool)
    hole[100:160, 200:300] = True
    broken = image.copy()
    broken[hole] = (0, 255, 0)
    filled = fill_in(broken, hole)
    assert np.array_equal(filled[~hole], image[~hole])
    assert np.abs(filled[110:150, 205:225].reshape(-1, 3).mean(0) - (90, 120, 150)).max() < 8
    assert np.abs(filled[110:150, 275:295].reshape(-1, 3).mean(0) - (150, 90, 60)).max() < 8


def test_detail_runs_on_into_the_hole() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (120, 160, 3), dtype=np.uint8)
    hole = np.zeros(image.shape[:2], bool)
    hole[50:70, 60:100] = True
    filled = fill_in(image, hole)
    assert filled[50:70, 60:100].astype(float).std() > 8


def test_nothing_or_everything_hidden_leaves_the_image() -> None:
    image = grainy((90, 120, 150))
    for value in (False, True):
        assert np.array_equal(fill_in(image, np.full(image.shape[:2], value)), image)
