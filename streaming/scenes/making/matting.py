"""Soft edges: from a hard or rough mask to a cover that follows the picture's own edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.cuts.candidates import run_grabcut

Floats = NDArray[np.float32]
BAND = 0.018
"""Half the width of the band about a rough mask's outline that GrabCut decides, in longer sides."""
LEAST_PART = 0.06
"""A part of a mask that is apart from the rest and has a smaller share of it is another thing's."""
BAND_SIDE = 400
"""The longer side of the copy in which it does, in pixels."""


def guided_filter(image: Floats, mask: Floats, radius: int, smoothness: float) -> Floats:
    """The mask, smoothed along the image's edges (He et al. 2013), computed at half the size.

    Args:
        image: float32 [H, W, 3], 0 to 1.
        mask: float32 [H, W], 0 to 1.
        radius: of the windows, in pixels.
        smoothness: the variance of colours from which on an edge is one.

    Returns:
        float32 [H, W], 0 to 1.
    """
    height, width = mask.shape
    half = max(1, width // 2), max(1, height // 2)
    colours = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.float32)
    values = cv2.resize(mask, half, interpolation=cv2.INTER_AREA)
    window = 2 * max(1, radius // 2) + 1

    def mean(array: Floats) -> Floats:
        return np.asarray(cv2.blur(array, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)

    means, value = mean(colours), mean(values)
    shared = mean(colours * values[..., None]) - means * value[..., None]
    spread = np.empty((*values.shape, 3, 3), np.float32)
    for a in range(3):
        for b in range(a, 3):
            spread[..., a, b] = mean(colours[..., a] * colours[..., b]) - means[..., a] * means[..., b]
            spread[..., b, a] = spread[..., a, b]
    spread += smoothness * np.eye(3, dtype=np.float32)
    slopes = np.asarray(np.linalg.solve(spread, shared[..., None])[..., 0], np.float32)
    offset = mean(value - (slopes * means).sum(-1))
    slopes = cv2.resize(mean(slopes), (width, height))
    offset = cv2.resize(offset, (width, height))
    return np.asarray(np.clip((slopes * image).sum(-1) + offset, 0, 1), np.float32)


def soften(image: NDArray[np.uint8], mask: Floats, radius: int = 10, smoothness: float = 3e-4) -> Floats:
    """The cover of a thing: float32 [H, W], 0 to 1, with the edges of the image; see `guided_filter`."""
    found = np.zeros(mask.shape, np.float32)
    box = box_of(mask > 0.02, 2 * radius + 4)
    if box is None:
        return found
    left, top, right, bottom = box
    colours = np.asarray(image[top:bottom, left:right] / np.float32(255), np.float32)
    soft = guided_filter(colours, np.ascontiguousarray(mask[top:bottom, left:right]), radius, smoothness)
    found[top:bottom, left:right] = np.clip((soft - 0.12) / 0.76, 0, 1)
    return found


def cut_in_band(image: NDArray[np.uint8], mask: Floats) -> Floats:
    """A rough mask, decided anew by colour in a narrow band about its outline.

    Args:
        image: uint8 [H, W, 3] BGR.
        mask: float32 [H, W], 0 to 1.
    """
    height, width = mask.shape
    scale = BAND_SIDE / max(height, width)
    size = round(width * scale), round(height * scale)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    rough = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    reach = max(3, round(BAND * BAND_SIDE))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    hard = (rough > 0.5).astype(np.uint8)
    inside, outside = cv2.erode(hard, disc, borderValue=1) > 0, cv2.dilate(hard, disc) == 0
    labels = np.where(hard > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[inside], labels[outside] = cv2.GC_FGD, cv2.GC_BGD
    # The colours of the far ground say nothing about the outline.
    box = box_of(cv2.dilate(hard, disc, iterations=5) > 0, 0)
    if box is None:
        return mask
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    decided = run_grabcut(np.ascontiguousarray(small[part]), np.ascontiguousarray(labels[part]))
    if decided is None:
        return np.asarray(np.clip((mask - 0.3) / 0.4, 0, 1), np.float32)
    found = hard.copy()
    found[part] = decided
    found[rough > 0.6] = 1
    found = _without_specks(found)
    out = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 1.2), np.float32)


def _without_specks(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask without hairs, small parts and small holes."""
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    total = int(mask.sum())
    for value, least in ((1, LEAST_PART * total), (0, 0.01 * total)):
        number, labels, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
        for label in range(1, number):
            if stats[label, cv2.CC_STAT_AREA] < least:
                mask[labels == label] = 1 - value
    return mask


def box_of(mask: NDArray[np.bool_], margin: int) -> tuple[int, int, int, int] | None:
    """The box of a mask's pixels with a margin, inside the picture: left, top, right, bottom; None for an empty one."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) == 0:
        return None
    height, width = mask.shape
    left, right = max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + 1 + margin)
    top, bottom = max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + 1 + margin)
    return left, top, right, bottom


def outline_contrast(image: NDArray[np.uint8], cover: Floats) -> tuple[float, float]:
    """The colour step across a cover's outline.

    Args:
        image: uint8 [H, W, 3] BGR.
        cover: float32 [H, W], 0 to 1.

    Returns:
        Its mean in Lab, from means over 5 pixels to either side, and the share of the outline with a step below 8.
    """
    box = box_of(cover > 0.3, 14)
    if box is None:
        return 0.0, 1.0
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    inside = (cover[part] > 0.5).astype(np.uint8)
    soft = cv2.GaussianBlur(image[part], (0, 0), 1.2).astype(np.float32) / 255
    lab = cv2.cvtColor(soft, cv2.COLOR_BGR2LAB)

    def mean(mask: Floats) -> Floats:
        weighted = cv2.blur(lab * mask[..., None], (11, 11))
        return np.asarray(weighted / np.maximum(cv2.blur(mask, (11, 11)), 1e-3)[..., None], np.float32)

    step = np.linalg.norm(mean(inside.astype(np.float32)) - mean(1 - inside.astype(np.float32)), axis=-1)
    rim = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    rim[[0, -1]] = rim[:, [0, -1]] = False
    if not rim.any():
        return 0.0, 1.0
    return float(step[rim].mean()), float((step[rim] < 8).mean())
