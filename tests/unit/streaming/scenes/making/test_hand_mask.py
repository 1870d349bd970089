"""An artist's mask: each level or colour a layer, the darker ones further back, soft edges between them no layers."""

from __future__ import annotations

import cv2
import numpy as np

from streaming.scenes.making.hand_mask import MOST_LEVELS, split_mask


def test_levels_are_layers_from_dark_to_bright() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[:40, :40], mask[60:, 60:] = 220, 90
    back, front = split_mask(mask, (100, 100))
    assert back[80, 80] == 1.0
    assert front[20, 20] == 1.0
    assert back.sum() == front.sum() == 1600
    assert back[50, 50] == front[50, 50] == 0.0


def test_colours_are_layers_too_and_the_mask_is_fitted_to_the_picture() -> None:
    mask = np.zeros((50, 50, 3), np.uint8)
    mask[:20, :20], mask[30:, 30:] = (0, 0, 255), (255, 0, 0)
    blue, red = split_mask(mask, (200, 100))
    assert red.shape == (100, 200)
    assert red[10, 10] == 1.0
    assert blue[90, 190] == 1.0


def test_soft_edges_belong_to_one_side_or_the_other() -> None:
    mask = np.zeros((200, 200), np.uint8)
    cv2.circle(mask, (100, 100), 60, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5)
    (layer,) = split_mask(soft, (200, 200))
    assert abs(float(layer.sum()) - float((mask > 0).sum())) < 250


def test_an_empty_mask_has_no_layers_and_a_crowded_one_few() -> None:
    assert split_mask(np.zeros((40, 40), np.uint8), (40, 40)) == []
    crowded = np.arange(40, dtype=np.uint8).repeat(10)[None].repeat(100, 0)
    assert len(split_mask(crowded, (400, 100))) == MOST_LEVELS
