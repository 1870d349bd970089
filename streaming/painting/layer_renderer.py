"""Draws a scene: each layer moved by its modes' amplitudes, from back to front, at the screen's size.

A displacement field says for each cell of a layer by how much it moves. A picture needs the inverse, the point of the
layer that is shown at a place; two fixed-point steps on the small grid of cells find it. The grid is then enlarged, and
the layer is looked up in a texture of twice its resolution. Covers are multiplied by their opacity, so layers are
composited with one multiplication and one addition.

Only what moves is drawn: the rest of the picture is the prior image itself. A scene at rest is the prior image, bit for
bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.painting.fine_texture import OVERSAMPLING, refine
from streaming.scenes.layered_scene import CELL, LayeredScene

STILL_PIXELS = 0.02
"""A layer that is moved by less than this many pixels is at rest."""
EDGE = 2
"""Transparent pixels around a cover, so that it ends where it is looked up beyond its box."""
INVERSION_STEPS = 2

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture, the last two excluded."""


def _intersection(one: Box, other: Box) -> Box:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _part(image: Image, box: Box, origin: tuple[int, int] = (0, 0)) -> Image:
    """The part of an image, which lies at `origin`, that a box covers."""
    left, top = origin
    return image[box[1] - top : box[3] - top, box[0] - left : box[2] - left]


class _Buffer:
    """Memory that is used again for arrays of different sizes.

    Args:
        dtype: the element type.
    """

    def __init__(self, dtype: type[np.generic]) -> None:
        self._memory = np.empty(0, dtype)

    def take(self, *shape: int) -> NDArray[np.generic]:
        """An array of a shape; the one before it is no longer valid."""
        size = math.prod(shape)
        if self._memory.size < size:
            self._memory = np.empty(size, self._memory.dtype)
        return self._memory[:size].reshape(shape)


@dataclass(frozen=True)
class _LayerShift:
    """How a layer is moved at present.

    Attributes:
        sources: float32 [rows, columns, 2], for the cells of `box` and one more on either side, the point of the fine
            texture that is shown at the cell's centre.
        box: where it is drawn; it may reach beyond the picture.
    """

    sources: NDArray[np.float32]
    box: Box


class _DrawableLayer:
    """A layer that can be drawn.

    Args:
        scene: its scene.
        number: of the layer.
    """

    def __init__(self, scene: LayeredScene, number: int) -> None:
        layer = scene.layers[number]
        height, width = scene.image.shape[:2]
        self.box, self.cover, self.is_ground = layer.box, layer.cover, number == 0
        modes = [index for index, mode in enumerate(scene.modes) if mode.layer == number]
        self._modes = np.array(modes, np.intp)
        reach = np.array([scene.modes[index].reach for index in modes], np.float32) * np.float32(scene.longer)
        self._fields = (reach[:, None] * layer.fields.reshape(len(modes), -1)).astype(np.float32)
        self._rows, self._columns = layer.fields.shape[1:3]
        self.border = cv2.BORDER_REFLECT_101 if self.is_ground else cv2.BORDER_REPLICATE
        self._edge = 0 if self.is_ground else EDGE
        rows, columns = np.nonzero(_cell_opacity(layer.cover, self._rows, self._columns))
        self._cells = rows * self._columns + columns
        self._occupied = np.stack([columns, rows], -1).astype(np.float32)
        self.fine = refine(layer.cover if self.is_ground else _surround(layer.cover, layer.box, (width, height)))

    def move(self, amplitudes: NDArray[np.float32]) -> _LayerShift | None:
        """How all modes' amplitudes [M] move it; None where it is at rest."""
        if not self._modes.size or not self._cells.size:
            return None
        forward = (amplitudes[self._modes] @ self._fields).reshape(self._rows, self._columns, 2)
        if max(float(forward.max()), -float(forward.min())) < STILL_PIXELS:
            return None
        left, top, right, bottom = (0, 0, self._columns, self._rows) if self.is_ground else self._destination(forward)
        # Points are wanted at the centres of these cells and of one more on either side.
        grid = np.empty((bottom - top + 2, right - left + 2, 2), np.float32)
        grid[..., 0] = np.arange(left - 1, right + 1)
        grid[..., 1] = np.arange(top - 1, bottom + 1)[:, None]
        back = cv2.remap(forward, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for _ in range(INVERSION_STEPS):
            places = grid - back * np.float32(1.0 / CELL)
            back = cv2.remap(forward, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # Where a cell's centre lies in the cover with its edge, then in the fine texture.
        centres = grid * np.float32(CELL) + np.float32(0.5 * (CELL - 1) + self._edge)
        sources = np.float32(OVERSAMPLING) * (centres - back) + np.float32(0.5 * (OVERSAMPLING - 1))
        x, y = self.box[:2]
        return _LayerShift(sources, (x + left * CELL, y + top * CELL, x + right * CELL, y + bottom * CELL))

    def _destination(self, forward: NDArray[np.float32]) -> Box:
        """The cells that the layer covers when it is moved: first column and row, last ones plus 1."""
        places = self._occupied + forward.reshape(-1, 2)[self._cells] * np.float32(1.0 / CELL)
        left, top = np.floor(places.min(0)).astype(int) - 1
        right, bottom = np.ceil(places.max(0)).astype(int) + 2
        return int(left), int(top), int(right), int(bottom)


def _cell_opacity(cover: Image, rows: int, columns: int) -> Image:
    """The greatest opacity in each cell of a cover: uint8 [rows, columns]."""
    height, width = cover.shape[:2]
    opacity = np.zeros((rows * CELL, columns * CELL), np.uint8)
    opacity[:height, :width] = cover[..., 3]
    return np.asarray(opacity.reshape(rows, CELL, columns, CELL).max((1, 3)), np.uint8)


def _surround(cover: Image, box: Box, size: tuple[int, int]) -> Image:
    """A cover with `EDGE` pixels around it: transparent inside the picture, the cover's own at the picture's border."""
    left, top, right, bottom = box
    at_border = (top == 0, bottom == size[1], left == 0, right == size[0])
    above, below, before, after = (0 if touches else EDGE for touches in at_border)
    image = cv2.copyMakeBorder(cover, above, below, before, after, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    above, below, before, after = (EDGE if touches else 0 for touches in at_border)
    return np.asarray(cv2.copyMakeBorder(image, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)


class LayerRenderer:
    """Draws one scene at any amplitudes.

    Args:
        scene: its image and layers must not be changed any more.

    Attributes:
        image: uint8 [H, W, 3], the prior image, which is the scene at rest.
    """

    def __init__(self, scene: LayeredScene) -> None:
        self.image = scene.image
        height, width = scene.image.shape[:2]
        self._whole: Box = (0, 0, width, height)
        self._count = len(scene.modes)
        self._sheets = [_DrawableLayer(scene, number) for number in range(len(scene.layers))]
        self._reach = np.array([mode.reach for mode in scene.modes], np.float32)
        self._map, self._fixed, self._fraction = _Buffer(np.float32), _Buffer(np.int16), _Buffer(np.uint16)
        self._canvas, self._moved = _Buffer(np.uint8), _Buffer(np.uint8)
        self._opacity, self._clear = _Buffer(np.uint8), _Buffer(np.uint8)

    def reach(self, amplitudes: NDArray[np.floating]) -> float:
        """How far the mode that moves most moves its layer, in longer sides of the picture."""
        return float(np.abs(np.asarray(amplitudes, np.float32) * self._reach).max())

    def render(self, amplitudes: NDArray[np.floating], *, coarse: bool = False) -> Image:
        """The picture at some amplitudes.

        Args:
            amplitudes: [M], of the scene's modes.
            coarse: what moves is looked up in half as many points each way; what rests is as sharp as ever.

        Returns:
            uint8 [H, W, 3]; the prior image itself where nothing moves.

        Raises:
            ValueError: when there are not as many amplitudes as modes.
        """
        if amplitudes.shape != (self._count,):
            raise ValueError(f"{self._count} amplitudes are needed, not {amplitudes.shape}")
        numbers = np.asarray(amplitudes, np.float32)
        motions = [sheet.move(numbers) for sheet in self._sheets]
        changed = self._changed(motions)
        if changed is None:
            return self.image
        canvas = self._canvas.take(changed[3] - changed[1], changed[2] - changed[0], 4)
        for sheet, motion in zip(self._sheets, motions, strict=True):
            self._compose(canvas, changed, sheet, motion, coarse=coarse)
        if changed == self._whole:
            return np.asarray(cv2.cvtColor(canvas, cv2.COLOR_BGRA2BGR), np.uint8)
        picture = self.image.copy()
        _part(picture, changed)[:] = cv2.cvtColor(canvas, cv2.COLOR_BGRA2BGR)
        return picture

    def _changed(self, motions: list[_LayerShift | None]) -> Box | None:
        """The smallest box around all that moves; None where nothing does."""
        changed: Box | None = None
        for sheet, motion in zip(self._sheets, motions, strict=True):
            if motion is None:
                continue
            box = _intersection(_union(motion.box, sheet.box), self._whole)
            changed = box if changed is None else _union(changed, box)
        return changed

    def _compose(
        self,
        canvas: NDArray[np.generic],
        changed: Box,
        sheet: _DrawableLayer,
        motion: _LayerShift | None,
        *,
        coarse: bool,
    ) -> None:
        """Lay a layer onto the canvas, which is the part `changed` of the picture."""
        box = _intersection(sheet.box if motion is None else motion.box, changed)
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        below = _part(np.asarray(canvas, np.uint8), box, changed[:2])
        if motion is None:
            layer = _part(sheet.cover, box, sheet.box[:2])
        else:
            layer = self._look_up_coarsely(sheet, motion, box) if coarse else self._look_up(sheet, motion, box)
        if sheet.is_ground:
            np.copyto(below, layer)
            return
        height, width = below.shape[:2]
        opacity, clear = self._opacity.take(height, width), self._clear.take(height, width, 4)
        cv2.extractChannel(layer, 3, opacity)
        cv2.bitwise_not(opacity, dst=opacity)
        cv2.cvtColor(opacity, cv2.COLOR_GRAY2BGRA, dst=clear)
        cv2.multiply(below, clear, dst=clear, scale=1.0 / 255.0)
        np.copyto(below, cv2.add(clear, layer, dst=clear))

    def _look_up(self, sheet: _DrawableLayer, motion: _LayerShift, box: Box) -> Image:
        """The part `box` of a moved layer."""
        rows, columns = motion.sources.shape[:2]
        large = self._map.take(rows * CELL, columns * CELL, 2)
        cv2.resize(motion.sources, (columns * CELL, rows * CELL), dst=large, interpolation=cv2.INTER_LINEAR)
        left, top = motion.box[0] - CELL, motion.box[1] - CELL
        return self._sample(sheet, large[box[1] - top : box[3] - top, box[0] - left : box[2] - left])

    def _look_up_coarsely(self, sheet: _DrawableLayer, motion: _LayerShift, box: Box) -> Image:
        """The same from half as many points each way, enlarged."""
        rows, columns = motion.sources.shape[:2]
        half = CELL // 2
        small = self._map.take(rows * half, columns * half, 2)
        cv2.resize(motion.sources, (columns * half, rows * half), dst=small, interpolation=cv2.INTER_LINEAR)
        left, top = motion.box[0] - CELL, motion.box[1] - CELL
        x, y, right, bottom = box[0] - left, box[1] - top, box[2] - left, box[3] - top
        part = self._sample(sheet, small[y // 2 : (bottom + 1) // 2, x // 2 : (right + 1) // 2])
        height, width = part.shape[:2]
        large = cv2.resize(part, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large[y % 2 :, x % 2 :][: bottom - y, : right - x], np.uint8)

    def _sample(self, sheet: _DrawableLayer, part: NDArray[np.generic]) -> Image:
        """What a layer's texture shows at some points [rows, columns, 2]."""
        height, width = part.shape[:2]
        fixed, fraction = self._fixed.take(height, width, 2), self._fraction.take(height, width)
        cv2.convertMaps(part, None, cv2.CV_16SC2, fixed, fraction)
        moved = self._moved.take(height, width, 4)
        cv2.remap(sheet.fine, fixed, fraction, cv2.INTER_LINEAR, dst=moved, borderMode=sheet.border)
        return np.asarray(moved, np.uint8)
