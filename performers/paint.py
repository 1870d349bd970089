"""Anti-aliased shapes at sub-pixel positions; every frame is drawn with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points2 = NDArray[np.float64]
FixedPoints = NDArray[np.int32]
"""Pixels [..., 2] in sixteenths."""
Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

_SHIFT = 4
_ONE = 1 << _SHIFT
_ARC = np.exp(1j * np.linspace(-0.5 * math.pi, 0.5 * math.pi, 7))
_CAPSULE = np.concatenate([_ARC, -_ARC])
_TURN = np.linspace(0.0, 2.0 * math.pi, 24, endpoint=False)
CIRCLE: Points2 = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
"""A unit circle, [24, 2]."""


class Canvas:
    """A picture that is drawn under a light: the light's table is applied to every colour.

    Args:
        image: uint8 [H, W, 3] that is drawn into.
        tone: uint8 [256, 3], the light's output for each value of each channel.
    """

    def __init__(self, image: Image, tone: NDArray[np.uint8]) -> None:
        self.image = image
        self.tone = tone
        self._tables: list[list[int]] = tone.T.tolist()

    def lit(self, colour: Colour) -> Colour:
        """A colour under the light."""
        blue, green, red = self._tables
        return blue[colour[0]], green[colour[1]], red[colour[2]]

    def fill(self, outline: FixedPoints, colour: Colour) -> None:
        """Fill a convex outline."""
        cv2.fillConvexPoly(self.image, outline, self.lit(colour), cv2.LINE_AA, _SHIFT)

    def fill_any(self, outlines: list[FixedPoints], colour: Colour) -> None:
        """Fill outlines of any form."""
        cv2.fillPoly(self.image, outlines, self.lit(colour), cv2.LINE_AA, _SHIFT)

    def circle(self, centre: FixedPoints, radius: int, colour: Colour) -> None:
        """Fill a circle."""
        cv2.circle(self.image, centre.tolist(), radius, self.lit(colour), -1, cv2.LINE_AA, _SHIFT)

    def stroke(self, paths: list[FixedPoints], width: int, colour: Colour, closed: bool) -> None:
        """Draw lines."""
        cv2.polylines(self.image, paths, closed, self.lit(colour), width, cv2.LINE_AA, _SHIFT)


class Recording(Canvas):
    """Stores what is drawn and draws it again in every frame, so that things that stand still are projected once.

    Args:
        like: a canvas with the same light.
    """

    def __init__(self, like: Canvas) -> None:
        super().__init__(like.image, like.tone)
        self._drawn: list[Callable[[Canvas, FixedPoints], None]] = []

    def fill(self, outline: FixedPoints, colour: Colour) -> None:
        """Remember a convex outline."""
        self._drawn.append(lambda canvas, move: canvas.fill(outline + move, colour))

    def fill_any(self, outlines: list[FixedPoints], colour: Colour) -> None:
        """Remember outlines of any form."""
        self._drawn.append(lambda canvas, move: canvas.fill_any([line + move for line in outlines], colour))

    def circle(self, centre: FixedPoints, radius: int, colour: Colour) -> None:
        """Remember a circle."""
        self._drawn.append(lambda canvas, move: canvas.circle(centre + move, radius, colour))

    def stroke(self, paths: list[FixedPoints], width: int, colour: Colour, closed: bool) -> None:
        """Remember lines."""
        self._drawn.append(lambda canvas, move: canvas.stroke([path + move for path in paths], width, colour, closed))

    def replay(self, canvas: Canvas, move: Points2) -> None:
        """Draw everything, moved by [2] pixels."""
        offset = _to_fixed_point(move)
        for draw in self._drawn:
            draw(canvas, offset)


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (factor < 1) or lighter colour."""
    blue, green, red = (min(255, int(channel * factor)) for channel in colour)
    return blue, green, red


def mix(a: Colour, b: Colour, part: float) -> Colour:
    """A colour between two: `a` at 0, `b` at 1."""
    blue, green, red = (int(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return blue, green, red


def random_colour(
    rng: np.random.Generator, saturation: float = 0.6, value: tuple[float, float] = (0.1, 0.95)
) -> Colour:
    """Any hue, saturation up to `saturation`, value within `value`."""
    hsv = np.array([[[rng.integers(0, 180), 255 * rng.uniform(0.0, saturation), 255 * rng.uniform(*value)]]], np.uint8)
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _to_fixed_point(points: Points2) -> NDArray[np.int32]:
    return (points * _ONE + 0.5).astype(np.int32)


def polygon(canvas: Canvas, points: Points2, colour: Colour) -> None:
    """Fill a convex polygon [N, 2] given in pixels."""
    canvas.fill(_to_fixed_point(points), colour)


def shape(canvas: Canvas, outlines: Sequence[Points2], colour: Colour) -> None:
    """Fill any polygons [N, 2]."""
    canvas.fill_any([_to_fixed_point(outline) for outline in outlines], colour)


def hull(canvas: Canvas, points: Points2, colour: Colour) -> None:
    """Fill the convex hull of points [N, 2]."""
    canvas.fill(cv2.convexHull(_to_fixed_point(points)), colour)


def limb(canvas: Canvas, p: Points2, q: Points2, p_radius: float, q_radius: float, colour: Colour) -> None:
    """Fill a capsule from `p` to `q` that tapers from one radius to the other."""
    start, end = complex(*p.tolist()), complex(*q.tolist())
    way = end - start
    way *= _ONE / (abs(way) + 1e-9)
    # Complex numbers turn, scale and move the outline in three operations, a third of the time that pairs take.
    outline = _CAPSULE * way
    outline[:7] *= max(q_radius, 0.4)
    outline[7:] *= max(p_radius, 0.4)
    outline[:7] += end * _ONE + (0.5 + 0.5j)
    outline[7:] += start * _ONE + (0.5 + 0.5j)
    canvas.fill(outline.view(np.float64).reshape(14, 2).astype(np.int32), colour)


def disc(canvas: Canvas, centre: Points2, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    canvas.circle(_to_fixed_point(centre), max(_ONE // 2, int(radius * _ONE)), colour)


def lines(canvas: Canvas, paths: Sequence[Points2], width: float, colour: Colour, closed: bool = False) -> None:
    """Draw open or closed lines [N, 2] of one width in pixels."""
    canvas.stroke([_to_fixed_point(path) for path in paths], max(1, round(width)), colour, closed)
