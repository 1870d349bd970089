"""Moves a still image: flow is added up to a map of where each point comes from, which is drawn back to rest.

The map is carried with the flow (semi-Lagrangian, Stam 1999), so what has been moved goes on moving, and every pixel
that is shown is a pixel of the prior: nothing is painted over itself, nothing fades, however long it goes on. Anchoring
lets the map decay; without flow the picture is the prior again, exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS = 64
"""Cells of the map along the picture's longer side."""
FARTHEST = 0.22
"""No point comes from farther away than this, in longer sides of the picture."""
TORN = 0.6
"""From this gradient on the map is smoothed; at 1 it would fold over."""
PASSES = 4
STILL = 0.02
"""A map that moves nothing by more than so many pixels shows the prior itself."""

FINER = 2
"""Points of a texture in one pixel of its image, along each side."""

Map = NDArray[np.float32]


def _finer(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image [H, W, 3] with `FINER` points for each pixel along each side."""
    return np.asarray(cv2.resize(image, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LANCZOS4), np.float32)


def _squared(vectors: Map) -> NDArray[np.float32]:
    """The squared lengths of vectors [..., 2]."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(x * x + y * y, np.float32)


class Texture:
    """A still image that can be drawn moved.

    It is kept twice as fine: a linear look-up in that is nearly as crisp as a cubic one in the image, for a third of
    the time. A pixel at rest lies between four of its points; they are set so that their mean is that pixel, or all of
    a picture would lose its edge as soon as a part of it moves.

    Args:
        image: uint8 [height, width, 3].
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        wanted = image.astype(np.float32)
        fine = _finer(wanted)
        # What their means miss of the pixels is given back once (Irani and Peleg 1991); more often is too sharp.
        fine += _finer(wanted - cv2.resize(fine, image.shape[1::-1], interpolation=cv2.INTER_AREA))
        whole = np.asarray(np.clip(np.rint(fine), 0, 255), np.uint8)
        # With a fourth channel a point is one word: a look-up takes half the time.
        self.fine = np.asarray(cv2.cvtColor(whole, cv2.COLOR_BGR2BGRA), np.uint8)


class WarpMap:
    """The map of one screen, from rest.

    Args:
        size: width and height of the screen in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = width, height = size
        longer = max(width, height)
        self.shape = max(4, round(CELLS * height / longer)), max(4, round(CELLS * width / longer))
        self.where: Map = np.zeros((*self.shape, 2), np.float32)
        rows, columns = np.mgrid[0 : self.shape[0], 0 : self.shape[1]].astype(np.float32)
        self._home = np.stack([columns, rows], -1)
        # Cells of the map in one longer side of the picture, along x and y.
        self._cells = np.array([self.shape[1] * longer / width, self.shape[0] * longer / height], np.float32)
        self._pixels: dict[tuple[int, ...], Map] = {}
        self._cells_of: dict[int, Map] = {}

    def move(self, flow: Map, seconds: float, anchoring: float) -> None:
        """Carry the map on.

        Args:
            flow: float32 [2, G, G], velocities (x right, y down) in longer sides per second, of the square in whose
                middle the picture lies.
            seconds: how long.
            anchoring: by which part the map decays in a second (a rate, 1/s).
        """
        back = np.float32(-seconds) * self._of_picture(np.nan_to_num(flow, posinf=0.0, neginf=0.0))
        carried = cv2.remap(
            self.where, self._home + back * self._cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        where = (carried + back) * np.float32(np.exp(-seconds * anchoring))
        reach = np.sqrt(_squared(where))
        if reach.max() > FARTHEST:
            where *= np.minimum(1.0, FARTHEST / np.maximum(reach, 1e-6))[..., None]
        self.where = np.ascontiguousarray(self._mended(where), np.float32)

    def rest(self) -> None:
        """Forget all movement at once."""
        self.where = np.zeros_like(self.where)

    def render(self, prior: Texture) -> NDArray[np.uint8]:
        """The prior as the map has moved it, in the prior's size; its image itself where nothing is moved.

        Args:
            prior: of the screen's shape, and of any size.
        """
        size = prior.image.shape[1::-1]
        scale = np.float32(max(size))
        if float(np.abs(self.where).max()) * scale < STILL:
            return prior.image
        source = cv2.resize(np.float32(FINER) * scale * self.where, size, interpolation=cv2.INTER_CUBIC)
        source += self._middles(size)
        moved = cv2.remap(prior.fine, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(cv2.cvtColor(moved, cv2.COLOR_BGRA2BGR), np.uint8)

    def _middles(self, size: tuple[int, ...]) -> Map:
        """The middle of each pixel of a picture, in the points of its texture."""
        if size not in self._pixels:
            pixels_y, pixels_x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
            points = FINER * np.stack([pixels_x, pixels_y], -1) + 0.5 * (FINER - 1)
            self._pixels[size] = np.ascontiguousarray(points, np.float32)
        return self._pixels[size]

    def stretched(self) -> Map:
        """How much less of the prior a cell [rows, columns] shows than its own size: 0 none, 1 a single point."""
        by_x, by_y = self._gradients(self.where)
        area = (1.0 + by_x[..., 0]) * (1.0 + by_y[..., 1]) - by_x[..., 1] * by_y[..., 0]
        return np.asarray(np.clip(1.0 - area, 0.0, 1.0), np.float32)

    def _of_picture(self, flow: Map) -> Map:
        """The part of a square's flow that lies in the picture, at the map's cells: [rows, columns, 2]."""
        square = np.ascontiguousarray(flow.transpose(1, 2, 0), np.float32)
        # From 16 cells to 64 along a cubic: the edges of large cells must not show in the picture.
        found = cv2.remap(
            square, self._in_square(flow.shape[-1]), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(found, np.float32)

    def _in_square(self, side: int) -> Map:
        """Where each cell of the map lies among the cells of a square of so many along a side."""
        if side not in self._cells_of:
            longer = max(self.size)
            places = (self._home + 0.5) / self.shape[::-1] * self.size
            self._cells_of[side] = ((places + 0.5 * (longer - np.array(self.size))) / longer * side - 0.5).astype(
                np.float32
            )
        return self._cells_of[side]

    def _gradients(self, where: Map) -> tuple[Map, Map]:
        """Change of the map per unit of length along x and y, each [rows, columns, 2]."""
        # As `np.gradient`, which takes several times as long for arrays as small as these.
        by_x, by_y = np.empty_like(where), np.empty_like(where)
        by_x[:, 1:-1] = 0.5 * (where[:, 2:] - where[:, :-2])
        by_y[1:-1] = 0.5 * (where[2:] - where[:-2])
        by_x[:, 0], by_x[:, -1] = where[:, 1] - where[:, 0], where[:, -1] - where[:, -2]
        by_y[0], by_y[-1] = where[1] - where[0], where[-1] - where[-2]
        return by_x * self._cells[0], by_y * self._cells[1]

    def _mended(self, where: Map) -> Map:
        """Smoothed where it would fold over, more than once after a violent flow."""
        for _ in range(PASSES):
            by_x, by_y = self._gradients(where)
            steep = np.sqrt(_squared(by_x) + _squared(by_y))
            if float(steep.max()) < TORN:
                break
            much = cv2.GaussianBlur(np.clip(2.0 * (steep / TORN - 1.0), 0.0, 1.0), (0, 0), 1.0)[..., None]
            where = where + much * (cv2.GaussianBlur(where, (0, 0), 1.5) - where)
        return where
