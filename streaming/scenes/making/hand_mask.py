"""An artist's mask: each grey level or colour is a layer, black is the ground, darker layers lie further back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_SHARE = 0.0005
THICK = 5
"""A colour with a smaller share of the picture, or nowhere so thick in pixels, is the soft edge between two others."""
MOST_LEVELS = 15


def split_mask(labels: NDArray[np.uint8], size: tuple[int, int]) -> list[NDArray[np.float32]]:
    """The layers of a mask, from back to front.

    Args:
        labels: uint8 [h, w] or [h, w, 3], of any size.
        size: width and height of the picture.

    Returns:
        float32 [H, W] each, 0 or 1; at most `MOST_LEVELS`, those with the largest share.
    """
    colours = labels[..., None].repeat(3, -1) if labels.ndim == 2 else labels[..., :3]
    colours = cv2.resize(np.ascontiguousarray(colours), size, interpolation=cv2.INTER_NEAREST)
    keys = colours.astype(np.int64) @ np.array([1, 256, 65_536])
    values, counts = np.unique(keys, return_counts=True)
    large = values[counts >= LEAST_SHARE * keys.size]
    order = np.argsort(-counts[counts >= LEAST_SHARE * keys.size], kind="stable")
    layers = [int(key) for key in large[order][: 4 * MOST_LEVELS] if key != 0 and _is_thick(keys == key)][:MOST_LEVELS]
    palette = np.array([_channels(key) for key in (0, *layers)], np.float64)
    distances = np.stack([((colours - colour) ** 2).sum(-1) for colour in palette])
    nearest = distances.argmin(0)
    brightness = palette @ np.array([0.114, 0.587, 0.299])
    order_in_depth = sorted(range(1, len(palette)), key=lambda one: (brightness[one], layers[one - 1]))
    return [(nearest == number).astype(np.float32) for number in order_in_depth]


def _is_thick(mask: NDArray[np.bool_]) -> bool:
    return bool(cv2.erode(mask.astype(np.uint8), np.ones((THICK, THICK), np.uint8)).any())


def _channels(key: int) -> tuple[int, int, int]:
    return key & 255, key >> 8 & 255, key >> 16
