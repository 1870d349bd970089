"""Modes as the flow grid sees them: by how much each moves what is visible in each cell of the square."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID
from streaming.scenes.layered_scene import CELL, LayeredScene, SceneLayer

POINTS = 8
"""Points of the square for each cell, along each side."""

PooledModes = NDArray[np.float32]
"""[M, 2, FLOW_GRID, FLOW_GRID], for each mode at an amplitude of 1 the mean displacement (x right, y down) of what is
visible in a cell of the square in whose middle the picture lies, in longer sides of the picture."""


def pool_modes(scene: LayeredScene) -> PooledModes:
    """The modes of a scene on the flow grid; takes some ms."""
    side = FLOW_GRID * POINTS
    visible = _visible_shares(scene, side)
    height, width = scene.image.shape[:2]
    # Where the square's points lie in the picture.
    line = ((np.arange(side) + 0.5) / side - 0.5) * scene.longer
    x, y = np.meshgrid(line + 0.5 * width, line + 0.5 * height)
    pooled = np.zeros((len(scene.modes), FLOW_GRID, FLOW_GRID, 2), np.float32)
    number = 0
    for share, layer in zip(visible, scene.layers, strict=True):
        columns = ((x - layer.box[0]) / CELL - 0.5).astype(np.float32)
        rows = ((y - layer.box[1]) / CELL - 0.5).astype(np.float32)
        for field in layer.fields:
            moved = cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            cells = (share[..., None] * moved).reshape(FLOW_GRID, POINTS, FLOW_GRID, POINTS, 2).mean((1, 3))
            pooled[number] = np.float32(scene.modes[number].reach) * cells
            number += 1
    return np.ascontiguousarray(pooled.transpose(0, 3, 1, 2))


def weigh_modes(weights: NDArray[np.floating], pooled: PooledModes) -> NDArray[np.float32]:
    """The sum of pooled modes, each times its weight of [M]: float32 [2, FLOW_GRID, FLOW_GRID]."""
    return np.asarray(np.einsum("m,mcyx->cyx", weights, pooled), np.float32)


def _visible_shares(scene: LayeredScene, side: int) -> list[NDArray[np.float32]]:
    """For each layer how much of it is seen at each point of the square: float32 [side, side], 0 to 1."""
    free = np.ones((side, side), np.float32)
    shares = []
    for layer in scene.layers[::-1]:
        opacity = _opacity(layer, scene, side)
        shares.append(free * opacity)
        free = free * (1.0 - opacity)
    return shares[::-1]


def _opacity(layer: SceneLayer, scene: LayeredScene, side: int) -> NDArray[np.float32]:
    height, width = scene.image.shape[:2]
    left, top, right, bottom = layer.box
    whole = np.zeros((height, width), np.uint8)
    whole[top:bottom, left:right] = layer.cover[..., 3]
    above, before = (scene.longer - height) // 2, (scene.longer - width) // 2
    square = cv2.copyMakeBorder(
        whole,
        above,
        scene.longer - height - above,
        before,
        scene.longer - width - before,
        cv2.BORDER_CONSTANT,
        value=(0,),
    )
    small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255.0)
