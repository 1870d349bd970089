"""Takes the layers off a still from the front to the back, so that all of them drawn at rest are the still again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.infill import fill_in
from streaming.scenes.making.layer_plan import LayerPlan
from streaming.scenes.making.matting import Floats, box_of, outline_contrast

LEAST_STEP = 16.0
"""A cut whose outline has a smaller mean colour step, in Lab, is dropped."""
MOST_FAINT = 0.38
"""A cut is dropped where a larger share of its outline has a step below 8 Lab."""
TOLERANCE = 2.0
"""Levels by which a colour may be wrong at rest before the cover is made denser."""
MARGIN = 70
"""Pixels around a layer that say what is behind it."""


@dataclass(frozen=True)
class TakenLayer:
    """A layer that was taken off.

    Attributes:
        plan: what it is.
        cover: float32 [H, W], 0 to 1, the least cover with which the layers make the still.
        pixels: uint8 [H, W, 4], blue, green, red multiplied by the opacity, and the opacity.
    """

    plan: LayerPlan
    cover: Floats
    pixels: NDArray[np.uint8]


def take_layers(image: NDArray[np.uint8], plans: Sequence[LayerPlan]) -> tuple[NDArray[np.uint8], list[TakenLayer]]:
    """Take layers off, the last one first.

    Args:
        image: uint8 [H, W, 3] BGR.
        plans: from back to front.

    Returns:
        The ground, uint8 [H, W, 3], with all that layers hide filled in, and from back to front the layers whose
        outlines prove themselves.
    """
    taken: list[TakenLayer] = []
    for plan in reversed(plans):
        hole = cv2.dilate((plan.cover > 0.04).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        if not (plan.cover > 0.5).any():
            continue
        behind = _filled(image, hole)
        cover = _least_cover(image, behind, plan.cover, hole)
        if not plan.is_sure:
            step, faint = outline_contrast(image, cover)
            if step < LEAST_STEP or faint > MOST_FAINT:
                continue
        taken.append(TakenLayer(plan, cover, _pixels(image, behind, cover)))
        image = behind
    return image, taken[::-1]


def _filled(image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    box = box_of(hole, MARGIN)
    assert box is not None
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    out = image.copy()
    out[part] = fill_in(np.ascontiguousarray(image[part]), np.ascontiguousarray(hole[part]))
    return out


def _least_cover(image: NDArray[np.uint8], behind: NDArray[np.uint8], cover: Floats, hole: NDArray[np.bool_]) -> Floats:
    """The cover, denser where its colour would have to be darker than black or brighter than white."""
    colours, ground = image[hole].astype(np.float32), behind[hole].astype(np.float32)
    dark = (colours + TOLERANCE) / np.maximum(ground, 1)
    bright = (255 + TOLERANCE - colours) / np.maximum(255 - ground, 1)
    least = 1 - np.minimum(dark, bright).min(-1)
    out = cover.copy()
    out[hole] = np.maximum(out[hole], np.clip(least, 0, 1))
    return out


def _pixels(image: NDArray[np.uint8], behind: NDArray[np.uint8], cover: Floats) -> NDArray[np.uint8]:
    """Premultiplied colours and opacity: what must be added to the ground behind, as far as it shows through."""
    opacity = np.rint(255 * cover).astype(np.int32)
    through = (behind.astype(np.int32) * (255 - opacity)[..., None] + 127) // 255
    colours = np.clip(image.astype(np.int32) - through, 0, 255)
    return np.concatenate([colours, opacity[..., None]], -1).astype(np.uint8)
