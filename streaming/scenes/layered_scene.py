"""A scene: the layers of a prior image, back to front, and the modes in which they can move.

A layer is a piece of the picture with a soft edge. The first layer is the ground: it covers the whole picture, and what
other layers hide is filled in. All layers drawn at rest are the prior image.

A mode is one way in which a layer can move: a displacement field, a frequency and a damping (image-space modal bases:
Davis, Chen and Durand 2015; Li et al., Generative Image Dynamics, 2024). A layer's displacement is the sum over its
modes of amplitude x reach x field. An amplitude of 1 is a wide but natural movement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CELL = 8
"""Pixels of the picture for each cell of a displacement field, along each side."""
LAYER_KINDS = ("ground", "thing", "person")
MODE_NAMES = (
    "region",
    "stream",
    "swing",
    "stretch",
    "wave",
    "swell",
    "turn",
    "slide",
    "sway",
    "bounce",
    "tilt",
    "nod",
    "arm_left",
    "arm_right",
)
"""What modes are called: of the ground (region, stream), of things (swing to slide), of persons (sway to arm_right)."""
MAX_LAYERS, MAX_MODES = 16, 36
"""A scene has no more, so that a picture is drawn in time; the least modes are left out."""
MODE_NUMBERS = 10
"""Numbers that describe a mode in a message; see `modes_to_table`."""


@dataclass(frozen=True)
class SceneMode:
    """One way in which a layer can move.

    Attributes:
        layer: number of the layer that it moves.
        name: one of `MODE_NAMES`.
        hz: the frequency of its spring, undamped.
        damping: of its spring, as a share of the critical one.
        reach: the longest displacement at an amplitude of 1, in longer sides of the picture.
        place: where it moves most (x right, y down), in longer sides from the middle of the picture.
        way: the direction there at a positive amplitude (x, y), of length 1.
        size: square root of the area that it moves, in longer sides.
    """

    layer: int
    name: str
    hz: float
    damping: float
    reach: float
    place: tuple[float, float]
    way: tuple[float, float]
    size: float


@dataclass(frozen=True)
class SceneLayer:
    """A piece of the picture that moves as one.

    Attributes:
        kind: one of `LAYER_KINDS`.
        box: its place in the picture in pixels: left, top, right, bottom, the last two excluded.
        cover: uint8 [bottom - top, right - left, 4]: blue, green, red multiplied by the opacity, and the opacity.
        fields: float32 [M, rows, columns, 2], for each of its modes in the scene's order the displacement (x, y) at the
            centres of the cells of its box (cell 0 begins at its left upper corner; the last ones may reach beyond),
            longest vector 1.
        root: where it is held (x, y) in pixels of the picture, for a person who looks at the scene.
    """

    kind: str
    box: tuple[int, int, int, int]
    cover: NDArray[np.uint8]
    fields: NDArray[np.float32]
    root: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class LayeredScene:
    """Layers from back to front, the ground first, and all their modes, in the order of the layers.

    Attributes:
        image: uint8 [H, W, 3] BGR, the prior image at the screen's size.
        layers: at most `MAX_LAYERS`.
        modes: at least one and at most `MAX_MODES`.
    """

    image: NDArray[np.uint8]
    layers: tuple[SceneLayer, ...]
    modes: tuple[SceneMode, ...]

    @property
    def longer(self) -> int:
        """The picture's longer side in pixels."""
        return int(max(self.image.shape[:2]))


class PackedScene(NamedTuple):
    """A scene without its image as a few arrays, for a message or a file.

    kinds: list of L words. boxes: int32 [L, 4]. roots: float32 [L, 2]. covers: uint8 [N, 4], all layers' pixels, row by
    row. mode_names: list of M words. mode_table: float32 [M, MODE_NUMBERS]. fields: float32 [K, 2], all modes' cells.
    """

    kinds: list[str]
    boxes: NDArray[np.int32]
    roots: NDArray[np.float32]
    covers: NDArray[np.uint8]
    mode_names: list[str]
    mode_table: NDArray[np.float32]
    fields: NDArray[np.float32]


def grid_of(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Rows and columns of a displacement field over a box."""
    left, top, right, bottom = box
    return -(-(bottom - top) // CELL), -(-(right - left) // CELL)


def modes_to_table(modes: Sequence[SceneMode]) -> NDArray[np.float32]:
    """Float32 [M, MODE_NUMBERS]: layer, hz, damping, reach, place x and y, way x and y, size, number of the name."""
    rows = [(m.layer, m.hz, m.damping, m.reach, *m.place, *m.way, m.size, MODE_NAMES.index(m.name)) for m in modes]
    return np.asarray(rows, np.float32).reshape(len(modes), MODE_NUMBERS)


def table_to_modes(table: NDArray[np.float32]) -> tuple[SceneMode, ...]:
    """The inverse of `modes_to_table`.

    Raises:
        ValueError: for a table of another shape, or with numbers that no mode has.
    """
    if table.ndim != 2 or table.shape[1] != MODE_NUMBERS or not np.isfinite(table).all():
        raise ValueError(f"modes must be finite numbers [M, {MODE_NUMBERS}], not {table.shape}")
    modes = []
    for row in table.tolist():
        layer, hz, damping, reach, x, y, way_x, way_y, size, name = row
        if not (0 <= name < len(MODE_NAMES) and hz > 0.0 and 0.0 <= damping < 1.0):
            raise ValueError(f"no mode is so: {row}")
        modes.append(SceneMode(int(layer), MODE_NAMES[int(name)], hz, damping, reach, (x, y), (way_x, way_y), size))
    return tuple(modes)


def pack_scene(scene: LayeredScene) -> PackedScene:
    """A scene as arrays."""
    return PackedScene(
        [layer.kind for layer in scene.layers],
        np.asarray([layer.box for layer in scene.layers], np.int32),
        np.asarray([layer.root for layer in scene.layers], np.float32),
        np.concatenate([layer.cover.reshape(-1, 4) for layer in scene.layers]),
        [mode.name for mode in scene.modes],
        modes_to_table(scene.modes),
        np.concatenate([layer.fields.reshape(-1, 2) for layer in scene.layers]),
    )


def unpack_scene(image: NDArray[np.uint8], packed: PackedScene) -> LayeredScene:
    """The inverse of `pack_scene`.

    Raises:
        ValueError: when the arrays do not fit each other.
    """
    modes = table_to_modes(packed.mode_table)
    layers, pixel, cell = [], 0, 0
    height, width = image.shape[:2]
    for number, (kind, box, root) in enumerate(zip(packed.kinds, packed.boxes.tolist(), packed.roots, strict=True)):
        left, top, right, bottom = box
        if kind not in LAYER_KINDS or not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(f"layer {number} lies outside the picture: {kind} {box}")
        rows, columns = grid_of((left, top, right, bottom))
        count = sum(mode.layer == number for mode in modes)
        pixels, cells = (bottom - top) * (right - left), count * rows * columns
        cover, fields = packed.covers[pixel : pixel + pixels], packed.fields[cell : cell + cells]
        layers.append(
            SceneLayer(
                kind,
                (left, top, right, bottom),
                np.ascontiguousarray(cover.reshape(bottom - top, right - left, 4)),
                np.ascontiguousarray(fields.reshape(count, rows, columns, 2)),
                (float(root[0]), float(root[1])),
            )
        )
        pixel, cell = pixel + pixels, cell + cells
    if pixel != len(packed.covers) or cell != len(packed.fields):
        raise ValueError("the scene's arrays have pixels or cells that no layer has")
    if [mode.layer for mode in modes] != sorted(mode.layer for mode in modes):
        raise ValueError("the modes do not stand in the order of the layers")
    return LayeredScene(image, tuple(layers), modes)
