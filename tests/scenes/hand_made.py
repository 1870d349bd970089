"""A scene of two layers, drawn by hand: a bright disc before a soft ground. The disc swings, the ground sways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import LayeredScene, SceneLayer, SceneMode, grid_of

REACH = 0.05
"""Of the disc's modes, in longer sides: at an amplitude of 1 the disc is moved by this much."""


def mode_of(hz: float = 1.5, damping: float = 0.3, **changes: Any) -> SceneMode:
    """A mode of the ground."""
    return replace(SceneMode(0, "region", hz, damping, 0.02, (0.0, 0.0), (1.0, 0.0), 0.4), **changes)


def uniform_field(box: tuple[int, int, int, int], x: float, y: float) -> NDArray[np.float32]:
    """A field [rows, columns, 2] that moves a whole box."""
    return np.broadcast_to(np.array([x, y], np.float32), (*grid_of(box), 2)).copy()


def two_layer_scene(size: tuple[int, int] = (384, 256), level: int = 120, radius: int = 30) -> LayeredScene:
    """The scene: modes 0 (the ground, right), 1 and 2 (the disc, right and down).

    Args:
        size: width and height in pixels.
        level: grey level about which the ground lies.
        radius: of the disc in pixels, in the middle of the picture.
    """
    width, height = size
    noise = np.random.default_rng(0).integers(0, 120, (height, width, 3), dtype=np.uint8)
    behind = np.asarray(cv2.GaussianBlur(noise, (0, 0), 5), np.uint8) // 2 + np.uint8(max(0, level - 30))
    opacity = np.zeros((height, width), np.uint8)
    cv2.circle(opacity, (width // 2, height // 2), radius, 255, -1, cv2.LINE_AA)
    share = opacity[..., None].astype(np.float32) / 255.0
    cover = np.dstack([np.rint(250.0 * np.repeat(share, 3, 2)).astype(np.uint8), opacity])
    image = np.clip(np.rint(behind * (1.0 - share) + cover[..., :3]), 0, 255).astype(np.uint8)
    whole = (0, 0, width, height)
    left, top = width // 2 - radius - 6, height // 2 - radius - 6
    box = (left, top, left + 2 * radius + 12, top + 2 * radius + 12)
    ground = SceneLayer(
        "ground",
        whole,
        np.dstack([behind, np.full((height, width), 255, np.uint8)]),
        uniform_field(whole, 1.0, 0.0)[None],
    )
    part = np.ascontiguousarray(cover[box[1] : box[3], box[0] : box[2]])
    fields = np.stack([uniform_field(box, 1.0, 0.0), uniform_field(box, 0.0, 1.0)])
    disc = SceneLayer("thing", box, part, fields, (width / 2.0, height / 2.0 + radius))
    modes = (
        mode_of(0.9),
        mode_of(1.5, layer=1, name="swing", reach=REACH, size=0.15),
        mode_of(2.4, layer=1, name="stretch", reach=REACH, way=(0.0, 1.0), size=0.15),
    )
    return LayeredScene(image, (ground, disc), modes)
