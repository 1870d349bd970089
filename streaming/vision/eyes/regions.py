"""Square regions of a frame, turned with what they hold: cut out at the frame's own resolution, and back again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SHRINK_FROM = 2.0
"""A region this much larger than its picture is averaged before it is sampled: bilinear sampling alone would skip
pixels, and the points would jitter with the noise of those that it meets."""


@dataclass(frozen=True)
class Region:
    """A square of a frame.

    Attributes:
        x: of its middle, in pixels.
        y: of its middle, in pixels.
        size: its side in pixels.
        angle: by which it is turned clockwise, in radians; what it holds is upright in its picture.
    """

    x: float
    y: float
    size: float
    angle: float = 0.0


def whole(frame: NDArray[np.uint8]) -> Region:
    """The square that holds a frame whole."""
    height, width = frame.shape[:2]
    return Region(width / 2, height / 2, max(width, height))


def turned(dx: float, dy: float) -> float:
    """The angle of a region in which a vector of the frame points up."""
    return _wrapped(math.pi / 2 - math.atan2(-dy, dx))


def shifted(region: Region, right: float, down: float) -> Region:
    """A region moved along its own axes, by shares of its side."""
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    dx, dy = right * region.size, down * region.size
    return Region(region.x + cos * dx - sin * dy, region.y + sin * dx + cos * dy, region.size, region.angle)


def cut(frame: NDArray[np.uint8], region: Region, side: int) -> NDArray[np.uint8]:
    """A region's picture, uint8 [side, side, 3]; black where it reaches beyond the frame.

    Args:
        frame: uint8 [H, W, 3].
        region: of the frame.
        side: of the picture in pixels.
    """
    shrink = int(region.size / side)
    left = top = 0
    if shrink >= SHRINK_FROM:
        reach = region.size / 2 * (abs(math.cos(region.angle)) + abs(math.sin(region.angle))) + shrink
        height, width = frame.shape[:2]
        left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
        right, bottom = min(width, int(region.x + reach) + 1), min(height, int(region.y + reach) + 1)
        columns, rows = (right - left) // shrink, (bottom - top) // shrink
        if columns < 1 or rows < 1:
            return np.zeros((side, side, 3), np.uint8)
        part = frame[top : top + rows * shrink, left : left + columns * shrink]
        frame = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    else:
        shrink = 1
    scale = side * shrink / region.size
    cos, sin = math.cos(region.angle) * scale, math.sin(region.angle) * scale
    x, y = (region.x - left + 0.5) / shrink - 0.5, (region.y - top + 0.5) / shrink - 0.5
    matrix = np.array([[cos, sin, side / 2 - cos * x - sin * y], [-sin, cos, side / 2 + sin * x - cos * y]])
    picture: NDArray[np.uint8] = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return picture


def place(points: NDArray[np.float32], region: Region, side: int) -> NDArray[np.float32]:
    """Points of a region's picture in the frame.

    Args:
        points: [N, >= 2], x, y in pixels of the picture.
        region: that was cut out.
        side: of the picture.

    Returns:
        float32 [N, 2], x, y in pixels of the frame.
    """
    x, y = ((points[:, :2] / side - 0.5) * region.size).T
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    return np.stack([region.x + cos * x - sin * y, region.y + sin * x + cos * y], 1).astype(np.float32)


def map_back(picture: NDArray[np.float32], region: Region, size: tuple[int, ...]) -> NDArray[np.float32]:
    """A picture of a region, float32 [side, side], where it is in the frame; 0 elsewhere.

    Args:
        picture: what was found for each pixel of the region's picture.
        region: that was cut out.
        size: height and width of the frame.

    Returns:
        float32 [height, width].
    """
    side = picture.shape[0]
    scale = side / region.size
    cos, sin = math.cos(region.angle) * scale, math.sin(region.angle) * scale
    x, y = region.x, region.y
    matrix = np.array([[cos, sin, side / 2 - cos * x - sin * y], [-sin, cos, side / 2 + sin * x - cos * y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, (size[1], size[0]), flags=flags), np.float32)


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
