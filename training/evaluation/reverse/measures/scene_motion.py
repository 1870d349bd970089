"""How a scene's springs move its picture: displacements of what is visible, and which part moves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import CELL, LayeredScene

LONGER_PX = 768.0
"""Displacements are in pixels of a screen whose longer side has so many."""
POINT_STEP = 16
"""Pixels between the points at which time courses of displacements are taken."""
_MOVING_SHARE = 0.5


@dataclass(frozen=True)
class SceneField:
    """The modes of a scene at points of its picture.

    Attributes:
        owner: int32 [rows, columns], the number of the topmost layer at each point at rest.
        modes: float32 [M, rows, columns, 2], the displacement (x, y) of what is visible there at an amplitude of 1, in
            pixels of a screen of `LONGER_PX`; 0 where the mode moves another layer.
    """

    owner: NDArray[np.int32]
    modes: NDArray[np.float32]


def scene_field(scene: LayeredScene, step: int = POINT_STEP) -> SceneField:
    """The modes at points of the picture, so many pixels apart."""
    height, width = scene.image.shape[:2]
    y, x = (np.arange(step // 2, size, step) for size in (height, width))
    owner = np.zeros((y.size, x.size), np.int32)
    for number, layer in enumerate(scene.layers):
        left, top, right, bottom = layer.box
        cover = np.zeros((height, width), np.uint8)
        cover[top:bottom, left:right] = layer.cover[..., 3]
        owner[cover[np.ix_(y, x)] > 127] = number
    modes = np.zeros((len(scene.modes), y.size, x.size, 2), np.float32)
    seen: dict[int, int] = {}
    for index, mode in enumerate(scene.modes):
        layer = scene.layers[mode.layer]
        place = seen.get(mode.layer, 0)
        seen[mode.layer] = place + 1
        cells_x, cells_y = (
            (axis + 0.5 - start) / CELL - 0.5 for axis, start in zip((x, y), layer.box[:2], strict=True)
        )
        there = np.meshgrid(cells_x.astype(np.float32), cells_y.astype(np.float32))
        values = cv2.remap(layer.fields[place], *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        modes[index] = values * np.float32(mode.reach * LONGER_PX) * (owner == mode.layer)[..., None]
    return SceneField(owner, modes)


def displacements(field: SceneField, amplitudes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Displacements of what is visible, in pixels: amplitudes [T, M] -> float32 [T, rows, columns, 2]."""
    return np.tensordot(np.asarray(amplitudes, np.float32), field.modes, (1, 0)).astype(np.float32)


def speeds(shift: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean length of the change of displacements [T, rows, columns, 2] in each tick: float64 [T], in pixels a tick."""
    change = np.diff(shift.astype(np.float64), axis=0, prepend=np.zeros_like(shift[:1], np.float64))
    return np.asarray(np.hypot(change[..., 0], change[..., 1]).mean((1, 2)))


def moving_part(shift: NDArray[np.floating]) -> NDArray[np.bool_]:
    """The part of the picture that moves: points with at least half of the largest rms displacement.

    Args:
        shift: displacements [T, rows, columns, 2].

    Returns:
        bool [rows, columns]; none where nothing moves.
    """
    lengths = np.sqrt((shift.astype(np.float64) ** 2).sum(-1).mean(0))
    return np.asarray(lengths >= max(1e-6, _MOVING_SHARE * float(lengths.max())))


def jumps_after(
    shift: NDArray[np.floating], part: NDArray[np.bool_], ticks: list[int], ahead: int
) -> NDArray[np.float64]:
    """How far the moving part has gone since just before each of some ticks.

    Args:
        shift: displacements [T, rows, columns, 2].
        part: the points that are averaged, [rows, columns].
        ticks: whose picture is the first one that can answer.
        ahead: pictures after that one.

    Returns:
        float64 [n, ahead + 1], mean distance in pixels from the place in the picture before; NaN beyond the end.
    """
    out = np.full((len(ticks), ahead + 1), np.nan)
    if not part.any():
        return np.zeros_like(out)
    place = shift[:, part].astype(np.float64)
    for row, tick in enumerate(ticks):
        for k in range(ahead + 1):
            if tick > 0 and tick + k < len(place):
                out[row, k] = np.hypot(*np.moveaxis(place[tick + k] - place[tick - 1], -1, 0)).mean()
    return out
