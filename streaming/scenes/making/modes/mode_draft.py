"""A mode while it is made: its field over a layer's grid, and how that becomes a row of the scene."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import CELL, SceneMode, grid_of

Floats = NDArray[np.float32]
MOVED = 0.35
"""A cell counts as moved from this share of the longest displacement on."""
LEAST_HZ, MOST_HZ = 0.7, 4.0
LEAST_DAMPING, MOST_DAMPING = 0.16, 0.6
STILLER = 1.6
"""Springs are damped that many times as much as their drafts say: what rings on from one hit hides the next one."""


@dataclass(frozen=True)
class Grid:
    """The centres of the cells of a layer's box, in pixels of the picture.

    Attributes:
        x: float32 [rows, columns].
        y: float32 [rows, columns].
    """

    x: Floats
    y: Floats

    def offsets(self, point: NDArray[np.floating] | tuple[float, float]) -> Floats:
        """Float32 [rows, columns, 2], from a point (x, y) to each cell."""
        return np.stack([self.x - float(point[0]), self.y - float(point[1])], -1).astype(np.float32)

    def along(self, point: NDArray[np.floating], way: NDArray[np.floating]) -> Floats:
        """Float32 [rows, columns], how far each cell lies from a point along a way (x, y) of length 1."""
        return np.asarray(self.offsets(point) @ way.astype(np.float32), np.float32)

    def turn(self, point: NDArray[np.floating]) -> Floats:
        """Float32 [rows, columns, 2], the displacement for each radian of a turn about a point, clockwise."""
        away = self.offsets(point)
        return np.stack([-away[..., 1], away[..., 0]], -1)


def make_grid(box: tuple[int, int, int, int]) -> Grid:
    """The grid of a box: left, top, right, bottom in pixels."""
    rows, columns = grid_of(box)
    x, y = np.meshgrid(box[0] + (np.arange(columns) + 0.5) * CELL, box[1] + (np.arange(rows) + 0.5) * CELL)
    return Grid(x.astype(np.float32), y.astype(np.float32))


@dataclass(frozen=True)
class ModeDraft:
    """A mode of one layer.

    Attributes:
        name: one of `layered_scene.MODE_NAMES`.
        hz: its frequency.
        damping: share of the critical one.
        reach: the longest displacement at an amplitude of 1, in longer sides of the picture.
        field: float32 [rows, columns, 2] over the layer's grid, of any length.
    """

    name: str
    hz: float
    damping: float
    reach: float
    field: Floats


def cell_cover(cover: Floats, box: tuple[int, int, int, int]) -> Floats:
    """How far a cover, float32 [H, W], fills each cell of a box: float32 [rows, columns], 0 to 1."""
    left, top, right, bottom = box
    rows, columns = grid_of(box)
    part = np.zeros((rows * CELL, columns * CELL), np.float32)
    part[: bottom - top, : right - left] = cover[top:bottom, left:right]
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def finish_mode(
    draft: ModeDraft, layer: int, cells: Floats, grid: Grid, size: tuple[int, int]
) -> tuple[SceneMode, Floats] | None:
    """A row of the scene and its field with a longest vector of 1; None for a mode that moves nothing.

    Args:
        draft: the mode.
        layer: the number of its layer.
        cells: float32 [rows, columns], see `cell_cover`: only what is covered says how far a mode moves.
        grid: of the layer.
        size: width and height of the picture.
    """
    lengths = np.linalg.norm(draft.field, axis=-1)
    seen = lengths * (cells > 0.3)
    longest = float(seen.max())
    if not np.isfinite(longest) or longest < 1e-6 or draft.reach < 1e-4:
        return None
    field = draft.field / longest
    field /= np.maximum(1.0, np.linalg.norm(field, axis=-1))[..., None]
    row, column = np.unravel_index(int(np.argmax(seen)), seen.shape)
    longer = max(size)
    place = (float(grid.x[row, column]) - size[0] / 2) / longer, (float(grid.y[row, column]) - size[1] / 2) / longer
    way = field[row, column] / max(float(np.linalg.norm(field[row, column])), 1e-6)
    moved = float((cells * (seen > MOVED * longest)).sum()) * CELL * CELL
    hz = float(np.clip(draft.hz, LEAST_HZ, MOST_HZ))
    damping = float(np.clip(STILLER * draft.damping, LEAST_DAMPING, MOST_DAMPING))
    mode = SceneMode(
        layer, draft.name, hz, damping, draft.reach, place, (float(way[0]), float(way[1])), moved**0.5 / longer
    )
    return mode, field.astype(np.float32)
