"""The modes of a thing: it swings, stretches and waves about its root, or it swells, turns and slides.

Swing, stretch, swell, turn and slide are affine, so that a thing stays itself. A thing is held where the picture's side
cuts it off, else at its foot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.infill import smoothstep
from streaming.scenes.making.modes.mode_draft import Floats, Grid, ModeDraft

REACH = 0.0336
"""The longest displacement of any thing at an amplitude of 1, in longer sides."""
SIDES = {"left": (1.0, 0.0), "right": (-1.0, 0.0), "top": (0.0, 1.0), "bottom": (0.0, -1.0)}
"""The sides of the picture and the way inwards from each."""
LONG = 1.6
"""From this relation of its axes on, a thing is held at its foot."""


UPRIGHT = 0.7
"""The least upward part of a long thing's axis along which it stands."""


@dataclass(frozen=True)
class ThingShape:
    """How a thing stands in the picture.

    Attributes:
        middle: [2], x, y in pixels, of its area.
        root: [2], where it is held.
        way: [2], length 1, from the root along the thing.
        extent: how far it reaches along that, in pixels.
        size: square root of its area, in pixels.
        elongation: its longer axis over its shorter one.
        solidity: its area over its bounding box' along its axes; a plant has little, a tower much.
        sides: of the picture that cut it off.
    """

    middle: NDArray[np.float64]
    root: NDArray[np.float64]
    way: NDArray[np.float64]
    extent: float
    size: float
    elongation: float
    solidity: float
    sides: tuple[str, ...]

    @property
    def is_held(self) -> bool:
        """Whether it has a root; else it moves about its middle."""
        return bool(self.sides) or self.elongation > LONG


def measure_thing(cover: Floats) -> ThingShape:
    """The shape of a cover, float32 [H, W], 0 to 1, of which some pixel is above a half."""
    height, width = cover.shape
    ys, xs = np.nonzero(cover > 0.5)
    middle, size = np.array([xs.mean(), ys.mean()]), float(np.sqrt(len(xs)))
    touched = {
        "left": (cover[:, :2].max(1) > 0.5).sum(),
        "right": (cover[:, -2:].max(1) > 0.5).sum(),
        "top": (cover[:2].max(0) > 0.5).sum(),
        "bottom": (cover[-2:].max(0) > 0.5).sum(),
    }
    sides = tuple(side for side, count in touched.items() if count > max(6, 0.12 * size))
    values, axes = np.linalg.eigh(np.cov(np.stack([xs, ys])) + 1e-3 * np.eye(2))
    elongation = float(np.sqrt(values[1] / max(values[0], 1.0)))
    axis = axes[:, 1] if axes[1, 1] < 0 else -axes[:, 1]
    way = np.sum([SIDES[side] for side in sides], 0) if sides else np.zeros(2)
    if np.linalg.norm(way) < 0.5:
        # What lies or stands on four legs is held from below as well.
        way = axis if elongation > LONG and axis[1] < -UPRIGHT else np.array([0.0, -1.0])
    way = way / np.linalg.norm(way)
    places = (xs - middle[0]) * way[0] + (ys - middle[1]) * way[1]
    across = (xs - middle[0]) * way[1] - (ys - middle[1]) * way[0]
    low, high = np.percentile(places, [1, 99])
    left, right = np.percentile(across, [1, 99])
    solidity = len(xs) / max((high - low) * (right - left), 1.0)
    root = middle + low * way
    root = np.clip(root, 0, (width - 1, height - 1))
    return ThingShape(middle, root, way, max(float(high - low), 4.0), size, elongation, float(solidity), sides)


def make_thing_modes(shape: ThingShape, grid: Grid, longer: int, most: int) -> list[ModeDraft]:
    """The modes of a thing, the most important first.

    Args:
        shape: of the thing.
        grid: of its layer.
        longer: the picture's longer side in pixels.
        most: how many.
    """
    hz = float(np.clip(3.6 * np.sqrt(0.07 * longer / max(shape.size, 1.0)), 0.8, 3.6))
    modes = _held(shape, grid, longer, hz) if shape.is_held else _free(shape, grid, longer, hz)
    return modes[:most]


def _held(shape: ThingShape, grid: Grid, longer: int, hz: float) -> list[ModeDraft]:
    """Modes about a root, which stays."""
    way = shape.way.astype(np.float32)
    across = np.array([-way[1], way[0]], np.float32)
    height = np.clip(grid.along(shape.root, shape.way) / shape.extent, 0, 1.3) * _pinned(shape, grid, longer)
    side = grid.along(shape.root, across.astype(np.float64)) / shape.extent
    sign = 1.0 if shape.middle[0] < float(grid.x.mean()) else -1.0
    swing = sign * height[..., None] * across
    narrowing = -0.35 * side * np.clip(3 * height, 0, 1)
    stretch = height[..., None] * way + narrowing[..., None] * across
    reach = shape.extent / longer
    found = [
        ModeDraft("swing", hz, 0.32, min(REACH, 0.19 * reach), swing),
        ModeDraft("stretch", 1.6 * hz, 0.42, min(0.6 * REACH, 0.09 * reach), stretch),
    ]
    if shape.elongation > 1.8 and shape.solidity < 0.6:
        wave = np.sin(1.5 * np.pi * np.clip(height, 0, 1.1)) * np.sqrt(height)
        found.append(
            ModeDraft("wave", 2.4 * hz, 0.38, min(0.35 * REACH, 0.045 * reach), -sign * wave[..., None] * across)
        )
    return found


def _free(shape: ThingShape, grid: Grid, longer: int, hz: float) -> list[ModeDraft]:
    """Modes of what lies or hovers: about its middle."""
    reach = shape.size / longer
    sign = 1.0 if shape.middle[0] < float(grid.x.mean()) else -1.0
    # The way of the slide follows the place, so that neighbours do not all go one way.
    angle = 2.4 * (shape.middle[0] + 1.7 * shape.middle[1]) / longer * np.pi
    slide = np.broadcast_to(np.array([np.cos(angle), np.sin(angle)], np.float32), (*grid.x.shape, 2))
    return [
        ModeDraft("turn", hz, 0.32, min(0.8 * REACH, 0.1 * reach), sign * grid.turn(shape.middle)),
        ModeDraft("slide", 0.8 * hz, 0.32, min(0.7 * REACH, 0.12 * reach), np.array(slide)),
        ModeDraft("swell", 1.4 * hz, 0.44, min(0.5 * REACH, 0.06 * reach), grid.offsets(shape.middle)),
    ]


def _pinned(shape: ThingShape, grid: Grid, longer: int) -> Floats:
    """1 inside the picture, 0 at its sides, for what two of them cut off: one root does not hold both."""
    weight = np.ones(grid.x.shape, np.float32)
    if len(shape.sides) < 2:
        return weight
    right, bottom = float(grid.x.max()), float(grid.y.max())
    distances = {"left": grid.x, "right": right - grid.x, "top": grid.y, "bottom": bottom - grid.y}
    for side in shape.sides:
        weight *= smoothstep(distances[side] / (0.12 * longer))
    return weight
