"""Things that move as things are told from a rubber sheet, and an outline from the same outline elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.reverse.measures.edge_motion import affine_residual, edge_jump, motion_inside, shifted_masks

HEIGHT, WIDTH = 120, 180
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
MASK = (X - 60) ** 2 + (Y - 60) ** 2 < 25**2
TURN = np.stack([-(Y - 90), X - 60], -1) * 0.1
RESTS = np.zeros((HEIGHT, WIDTH, 2), np.float32)


def test_a_thing_before_a_still_ground_jumps_and_a_sheet_does_not() -> None:
    cut = np.where(MASK[..., None], TURN, RESTS)
    sheet = np.stack([np.exp(-((X - 60) ** 2 + (Y - 60) ** 2) / 60**2)] * 2, -1) * 5.0
    assert edge_jump(cut, MASK) == pytest.approx(1.0, abs=0.1)
    assert edge_jump(sheet, MASK) < 0.35
    assert edge_jump(np.where(MASK[..., None], TURN, -TURN), MASK) > 1.5
    assert np.isnan(edge_jump(RESTS, MASK))


def test_an_outline_elsewhere_meets_no_jump() -> None:
    cut = np.where(MASK[..., None], TURN, 0.3 * TURN[:1, :1])
    elsewhere = [edge_jump(cut, mask) for mask in shifted_masks(MASK, 6)]
    assert np.nanmean(elsewhere) < 0.6 * edge_jump(cut, MASK)
    assert all(mask.sum() == MASK.sum() and (mask != MASK).any() for mask in shifted_masks(MASK, 6))


def test_a_thing_whose_ground_moves_more_gains_nothing_by_it() -> None:
    slow = np.where(MASK[..., None], 1.0, 10.0) * np.ones((HEIGHT, WIDTH, 2), np.float32)
    assert edge_jump(slow, MASK) < 1.0


def test_rigid_motion_is_affine_and_ripples_are_not() -> None:
    ripples = np.stack([np.sin(X / 4.0), np.sin(Y / 5.0)], -1) * 3.0
    assert affine_residual(TURN + 2.0, MASK) == pytest.approx(0.0, abs=1e-5)
    assert affine_residual(ripples, MASK) > 0.7
    assert 0.1 < affine_residual(TURN + 0.3 * ripples, MASK) < 0.6
    assert np.isnan(affine_residual(RESTS, MASK))


def test_motion_inside_is_a_mean_length() -> None:
    assert motion_inside(np.full((HEIGHT, WIDTH, 2), [3.0, 4.0]), MASK) == pytest.approx(5.0)
    assert motion_inside(TURN, np.zeros_like(MASK)) == 0.0
