"""Warps a still image: flow is integrated to a map of displacements, which decays, and the map is rendered.

The map is carried along the flow (semi-Lagrangian advection, Stam 1999), so what has been moved keeps moving. Every
pixel that is shown is a pixel of the prior image: nothing is drawn over itself, and nothing fades, however long it
runs. The map decays to zero, and without flow the picture is the prior image again, bit for bit.

So were stills moved when the animator and the painter that ship were trained; a show moves layers.

The map covers a square in whose middle the picture lies, the same square in which the networks see it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID
from streaming.painting.fine_texture import OVERSAMPLING, refine

WARP_CELLS = 64
"""Cells along each side of the map: a square in whose middle the picture lies."""
MAX_REACH = 0.22
"""No point comes from farther away than this, in longer sides of the picture."""
MAX_GRADIENT = 0.6
"""The map is smoothed where its gradient is steeper; at 1 it would fold over."""
SMOOTHING_PASSES = 4
STILL_PIXELS = 0.02
"""A map that moves nothing by as much as this many pixels shows the prior image itself."""

DisplacementMap = NDArray[np.float32]
"""[WARP_CELLS, WARP_CELLS, 2], for each cell the way (x, y) to the point of the prior that is shown there, in longer
sides of the picture."""


def _squared_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The squared lengths of vectors [..., 2]."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(x * x + y * y, np.float32)


def pool_displacement(displacement: DisplacementMap) -> NDArray[np.float32]:
    """A map as the networks see it: float32 [2, 16, 16], the mean of the cells of each grid cell."""
    small = cv2.resize(displacement, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(small, -1, 0))


class Texture:
    """A still image that can be rendered warped.

    It is stored at twice its resolution, see `fine_texture`.

    Args:
        image: uint8 [height, width, 3].
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self._fine = refine(image)
        height, width = image.shape[:2]
        self._longer = max(height, width)
        self._rows, self._top = self._cells_of(height)
        self._columns, self._left = self._cells_of(width)
        pixels_y, pixels_x = np.mgrid[0:height, 0:width].astype(np.float32)
        points = OVERSAMPLING * np.stack([pixels_x, pixels_y], -1) + 0.5 * (OVERSAMPLING - 1)
        self._centres = np.ascontiguousarray(points, np.float32)

    def reach(self, displacement: DisplacementMap) -> float:
        """By how much a map moves the picture at most along one axis, in longer sides of the picture."""
        return float(np.abs(displacement[self._rows, self._columns]).max())

    def render(self, displacement: DisplacementMap) -> NDArray[np.uint8]:
        """The image warped by a map: uint8 [height, width, 3]; the image itself where the map moves nothing."""
        scale = np.float32(self._longer)
        if self.reach(displacement) * scale < STILL_PIXELS:
            return self.image
        part = displacement[self._rows, self._columns]
        size = part.shape[1] * self._longer // WARP_CELLS, part.shape[0] * self._longer // WARP_CELLS
        source = cv2.resize(np.float32(OVERSAMPLING) * scale * part, size, interpolation=cv2.INTER_CUBIC)
        height, width = self.image.shape[:2]
        source = source[self._top : self._top + height, self._left : self._left + width] + self._centres
        moved = cv2.remap(self._fine, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(cv2.cvtColor(moved, cv2.COLOR_BGRA2BGR), np.uint8)

    def _cells_of(self, length: int) -> tuple[slice, int]:
        """The cells along one side that the picture needs, and the pixel of their part at which the picture begins."""
        # A cubic look-up needs two more cells on either side. The part must be a whole number of pixels long.
        step = WARP_CELLS // int(np.gcd(self._longer, WARP_CELLS))
        margin = (self._longer - length) // 2
        first = max(0, int(margin * WARP_CELLS / self._longer) - 3) // step * step
        last = min(WARP_CELLS, -(-(int((margin + length) * WARP_CELLS / self._longer) + 4) // step) * step)
        return slice(first, last), margin - first * self._longer // WARP_CELLS


class WarpMap:
    """Integrates flow to displacements, from rest.

    Attributes:
        displacement: float32 [WARP_CELLS, WARP_CELLS, 2], see `DisplacementMap`; replaced and never changed by `move`.
    """

    def __init__(self) -> None:
        self.displacement: DisplacementMap = np.zeros((WARP_CELLS, WARP_CELLS, 2), np.float32)
        rows, columns = np.mgrid[0:WARP_CELLS, 0:WARP_CELLS].astype(np.float32)
        self._home = np.stack([columns, rows], -1)
        self._grid_places: dict[int, NDArray[np.float32]] = {}

    def move(self, flow: NDArray[np.float32], seconds: float, anchoring: float) -> None:
        """Integrate a flow over a time.

        Args:
            flow: float32 [2, G, G], velocities (x right, y down) in longer sides of the picture per second; what is not
                finite counts as 0.
            seconds: how long.
            anchoring: the rate in 1/s at which the map decays.
        """
        back = np.float32(-seconds) * self._at_cells(np.nan_to_num(flow, posinf=0.0, neginf=0.0))
        carried = cv2.remap(
            self.displacement,
            self._home + back * np.float32(WARP_CELLS),
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        displacement = (carried + back) * np.float32(np.exp(-seconds * anchoring))
        reach = np.sqrt(_squared_length(displacement))
        if reach.max() > MAX_REACH:
            displacement *= np.minimum(1.0, MAX_REACH / np.maximum(reach, 1e-6))[..., None]
        self.displacement = np.ascontiguousarray(self._unfold(displacement), np.float32)

    def rest(self) -> None:
        """Set all displacements to zero at once."""
        self.displacement = np.zeros_like(self.displacement)

    def _at_cells(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        """A flow [2, G, G] at the map's cells: [rows, columns, 2]."""
        square = np.ascontiguousarray(flow.transpose(1, 2, 0), np.float32)
        side = flow.shape[-1]
        if side not in self._grid_places:
            self._grid_places[side] = ((self._home + 0.5) / WARP_CELLS * side - 0.5).astype(np.float32)
        # From 16 cells to 64 with a cubic: the edges of large cells must not show in the picture.
        found = cv2.remap(square, self._grid_places[side], None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def _gradients(self, displacement: DisplacementMap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Change of a map per unit of length along x and y, each [rows, columns, 2]."""
        # As `np.gradient`, which takes several times as long for arrays as small as these.
        by_x, by_y = np.empty_like(displacement), np.empty_like(displacement)
        by_x[:, 1:-1] = 0.5 * (displacement[:, 2:] - displacement[:, :-2])
        by_y[1:-1] = 0.5 * (displacement[2:] - displacement[:-2])
        by_x[:, 0], by_x[:, -1] = displacement[:, 1] - displacement[:, 0], displacement[:, -1] - displacement[:, -2]
        by_y[0], by_y[-1] = displacement[1] - displacement[0], displacement[-1] - displacement[-2]
        return by_x * np.float32(WARP_CELLS), by_y * np.float32(WARP_CELLS)

    def _unfold(self, displacement: DisplacementMap) -> DisplacementMap:
        """A map smoothed where it would fold over, more than once after a violent flow."""
        for _ in range(SMOOTHING_PASSES):
            by_x, by_y = self._gradients(displacement)
            steep = np.sqrt(_squared_length(by_x) + _squared_length(by_y))
            if float(steep.max()) < MAX_GRADIENT:
                break
            share = cv2.GaussianBlur(np.clip(2.0 * (steep / MAX_GRADIENT - 1.0), 0.0, 1.0), (0, 0), 1.0)[..., None]
            displacement = displacement + share * (cv2.GaussianBlur(displacement, (0, 0), 1.5) - displacement)
        return displacement
