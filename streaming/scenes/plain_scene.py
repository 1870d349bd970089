"""The scene of a still of which nothing is known: its ground alone, in four parts that sway slowly."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import CELL, LayeredScene, SceneLayer, SceneMode, grid_of

HZ, DAMPING, REACH = (0.7, 1.1, 1.7, 2.6), 0.4, 0.015
"""Of the parts: their frequencies from left to right, above then below; damping; and reach in longer sides."""
WAYS = ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0))
PLACES = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
"""Middles of the parts, in shares of the picture's sides."""
SPREAD = 0.22
"""How far a part reaches, in shares of the sides: the standard deviation."""


def make_plain_scene(image: NDArray[np.uint8]) -> LayeredScene:
    """The scene of an image, uint8 [H, W, 3]."""
    height, width = image.shape[:2]
    box = (0, 0, width, height)
    rows, columns = grid_of(box)
    x = (np.arange(columns) + 0.5) * CELL / width
    y = (np.arange(rows)[:, None] + 0.5) * CELL / height
    # Nothing moves at the border, so that nothing comes in from beyond it.
    held = np.clip(np.minimum(np.minimum(x, 1.0 - x), np.minimum(y, 1.0 - y)) / 0.08, 0.0, 1.0)
    modes, fields = [], []
    for hz, way, place in zip(HZ, WAYS, PLACES, strict=True):
        weight = held * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2.0 * SPREAD**2))
        fields.append((weight / weight.max())[..., None] * np.array(way))
        longer = max(height, width)
        middle = ((place[0] - 0.5) * width / longer, (place[1] - 0.5) * height / longer)
        modes.append(SceneMode(0, "region", hz, DAMPING, REACH, middle, way, 2.0 * SPREAD))
    cover = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), np.uint8)
    layer = SceneLayer("ground", box, cover, np.stack(fields).astype(np.float32))
    return LayeredScene(image, (layer,), tuple(modes))
