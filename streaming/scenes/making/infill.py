"""Fills in what a layer hides: the colours run in from around it, with some of the detail mirrored at its edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
LOW_SIDE = 256
"""The longer side of the copy in which the colours run in, in pixels."""
DETAIL = 0.35
"""Share of the mirrored detail that is added."""
DETAIL_SIGMA = 5.0
"""What is finer than this, in pixels, is detail."""


def fill_in(image: Image, unknown: NDArray[np.bool_]) -> Image:
    """The image with its unknown pixels filled in; the others as they are.

    Low frequencies come from Telea's inpainting (2004) of a small copy, detail from the mirror image of what lies
    beyond the nearest known pixel; the detail fades where the edge is far.

    Args:
        image: uint8 [H, W, 3].
        unknown: bool [H, W].
    """
    hole = unknown.astype(np.uint8)
    if not unknown.any() or unknown.all():
        return image.copy()
    low = _low(image, hole)
    mirrored = _mirrored(np.where(hole[..., None] > 0, low, image), hole).astype(np.float32)
    detail = mirrored - cv2.GaussianBlur(mirrored, (0, 0), DETAIL_SIGMA)
    depth = cv2.distanceTransform(hole, cv2.DIST_L2, 3)
    gain = DETAIL * smoothstep((40 - depth) / 25)
    filled = np.clip(low.astype(np.float32) + gain[..., None] * detail, 0, 255).astype(np.uint8)
    out = image.copy()
    out[unknown] = filled[unknown]
    return out


def smoothstep(t: NDArray[np.floating]) -> NDArray[np.float32]:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _low(image: Image, hole: Image) -> Image:
    """Telea's filling of a small copy, at full size."""
    height, width = hole.shape
    scale = min(1.0, LOW_SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    known = (1 - hole).astype(np.float32)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(image.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    small = np.clip(total / np.maximum(weight, 1e-3)[..., None], 0, 255).astype(np.uint8)
    filled = cv2.inpaint(small, (weight < 0.5).astype(np.uint8), 4, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _mirrored(image: Image, hole: Image) -> Image:
    """Each hidden pixel from as far beyond the nearest known one."""
    height, width = hole.shape
    _, labels = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    ys, xs = np.nonzero(hole == 0)
    nearest = np.zeros((int(labels.max()) + 1, 2), np.float32)
    nearest[labels[ys, xs]] = np.stack([xs, ys], 1)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    target = 2 * nearest[labels] - np.stack([x, y], -1)
    target[..., 0] = (width - 1) - np.abs((width - 1) - np.abs(target[..., 0]))
    target[..., 1] = (height - 1) - np.abs((height - 1) - np.abs(target[..., 1]))
    mirrored = cv2.remap(image, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
    return np.asarray(mirrored, np.uint8)
