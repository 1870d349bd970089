"""Whatever moves in a clip of "hits": where each cut-out is at every moment, and how it is drawn during an exposure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.hits.sprites import Sprite
from performers.hits.strokes import value_at

SUBFRAMES = 5
"""Largest number of moments within an exposure that are averaged."""
BLUR_PX = 3.0
"""Moments of an exposure lie about that far apart on the picture."""

Affine = NDArray[np.float64]
"""float64 [3, 3], maps pixels of one plane to those of another."""


def turn_about(angle: float, scale: float, pivot: NDArray[np.float64], place: NDArray[np.float64]) -> Affine:
    """Turns by an angle in radians (clockwise on the picture), scales, and puts `pivot` [2] on `place` [2]."""
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cosine, -sine], [sine, cosine]])
    out = np.eye(3)
    out[:2, :2], out[:2, 2] = linear, place - linear @ pivot
    return out


def apply(matrix: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points [..., 2]."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


@dataclass(frozen=True)
class Mover:
    """A cut-out with its paths, sampled at `strokes.path_times`.

    Attributes:
        sprite: what is drawn.
        place: of its pivot, float64 [N, 2] in pixels of the scene.
        angle: clockwise, float64 [N] in radians.
        scale: float64 [N], 1 for the sprite's own size.
    """

    sprite: Sprite
    place: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]

    def matrix(self, t_s: float) -> Affine:
        """Sprite to scene at a time."""
        angle, scale = float(value_at(self.angle, t_s)), float(value_at(self.scale, t_s))
        return turn_about(angle, scale, self.sprite.pivot, value_at(self.place, t_s))

    def tip(self, t_s: float) -> NDArray[np.float64]:
        """Where its tip is in the scene [2]."""
        return apply(self.matrix(t_s), self.sprite.tip)

    def hand(self, t_s: float) -> NDArray[np.float64] | None:
        """Landmarks of its hand in the scene [21, 2], or None."""
        return None if self.sprite.hand is None else apply(self.matrix(t_s), self.sprite.hand)

    def paint(self, image: NDArray[np.uint8], moments: Sequence[tuple[float, Affine]]) -> None:
        """Draw it into a picture; see `paint`."""
        paint(image, self.sprite, self.matrix, moments)


@dataclass(frozen=True)
class Forearm:
    """A bar from an elbow to the root of a limb; it is stretched as the two move.

    Attributes:
        sprite: a bar from its left to its right edge.
        limb: whose root, the middle of its left edge, it ends at.
        elbow: float64 [N, 2] in pixels of the scene.
    """

    sprite: Sprite
    limb: Mover
    elbow: NDArray[np.float64]

    def matrix(self, t_s: float) -> Affine:
        """Sprite to scene at a time."""
        elbow = value_at(self.elbow, t_s)
        root = apply(self.limb.matrix(t_s), np.array([0.0, self.limb.sprite.image.shape[0] / 2.0]))
        height, width = self.sprite.image.shape[:2]
        along = (root - elbow) / width
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        out = np.eye(3)
        out[:2, 0], out[:2, 1] = along, across
        out[:2, 2] = elbow - across * height / 2.0
        return out

    def paint(self, image: NDArray[np.uint8], moments: Sequence[tuple[float, Affine]]) -> None:
        """Draw it into a picture; see `paint`."""
        paint(image, self.sprite, self.matrix, moments)


def paint(
    image: NDArray[np.uint8],
    sprite: Sprite,
    matrix_at: Callable[[float], Affine],
    moments: Sequence[tuple[float, Affine]],
) -> None:
    """Draw a cut-out into a picture, blurred by its own motion.

    Args:
        image: uint8 [H, W, 3], changed in place.
        sprite: what is drawn.
        matrix_at: sprite to scene at a time.
        moments: of the exposure: time in seconds, and the matrix from scene to picture; the first and the last one
            decide how many between them are drawn.
    """
    matrices = [view @ matrix_at(t_s) for t_s, view in moments]
    height, width = sprite.image.shape[:2]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64)
    swept = np.abs(apply(matrices[0], corners) - apply(matrices[-1], corners)).max()
    wanted = 1 if swept < 0.7 else min(len(matrices), int(swept / BLUR_PX) + 2)
    chosen = np.linspace(0, len(matrices) - 1, wanted).round().astype(int) if wanted > 1 else [len(matrices) // 2]
    drawn = [matrices[index] for index in chosen]
    bounds = np.concatenate([apply(matrix, corners) for matrix in drawn])
    low = np.maximum(np.floor(bounds.min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(bounds.max(0)).astype(int) + 1, (image.shape[1], image.shape[0]))
    if (high <= low).any():
        return
    size = int(high[0] - low[0]), int(high[1] - low[1])
    total = np.zeros((size[1], size[0], 4), np.float32)
    for matrix in drawn:
        local = matrix[:2].copy()
        local[:, 2] -= low
        cv2.accumulate(cv2.warpAffine(sprite.image, local, size), total)
    total *= np.float32(1.0 / len(drawn))
    region = image[low[1] : high[1], low[0] : high[0]]
    region[:] = np.clip(region * (1.0 - total[..., 3:] * np.float32(1.0 / 255.0)) + total[..., :3], 0, 255)


def still(sprite: Sprite, place: NDArray[np.float64], angle: float, samples: int) -> Mover:
    """A cut-out that does not move."""
    return Mover(sprite, np.tile(place, (samples, 1)), np.full(samples, angle), np.ones(samples))
