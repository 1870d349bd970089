"""What is behind the player: a random wall, room, stage or blur, and sometimes slowly drifting things."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.paint import CIRCLE, Canvas, Colour, Image, hull, random_colour, shade


def _gradient(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A smooth blend between four corner colours."""
    dull = rng.random() < 0.7
    corners = [random_colour(rng, 0.35 if dull else 0.9, (0.08, 0.95)) for _ in range(2)]
    four = np.array([[corners[0], corners[rng.integers(2)]], [corners[rng.integers(2)], corners[1]]], np.float32)
    return np.asarray(cv2.resize(four, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _blocks(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Shelves, frames, furniture: rectangles of any colour on a wall."""
    image = _gradient(rng, height, width)
    for _ in range(int(rng.integers(4, 16))):
        x, y = int(rng.uniform(-0.1, 1.0) * width), int(rng.uniform(-0.1, 1.0) * height)
        w, h = int(rng.uniform(0.04, 0.35) * width), int(rng.uniform(0.05, 0.5) * height)
        cv2.rectangle(image, (x, y), (x + w, y + h), random_colour(rng, 0.5), -1 if rng.random() < 0.8 else 3)
    return image


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Plaster, foliage or cloth: noise at a few scales."""
    image = _gradient(rng, height, width)
    for cells in (int(rng.integers(3, 9)), int(rng.integers(12, 60))):
        noise = rng.normal(0.0, rng.uniform(4.0, 28.0), (cells, cells, 3 if rng.random() < 0.4 else 1))
        rough = cv2.resize(noise.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        image += rough.reshape(height, width, -1)
    return image


def _room(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A wall and a floor, with windows, pictures or curtains."""
    image = np.empty((height, width, 3), np.float32)
    image[:] = random_colour(rng, 0.3, (0.3, 0.95))
    image *= np.linspace(rng.uniform(0.75, 1.0), 1.0, width, dtype=np.float32)[None, :, None]
    if rng.random() < 0.35:
        period = rng.uniform(0.03, 0.1) * width
        folds = 1.0 + rng.uniform(0.05, 0.25) * np.sin(np.arange(width) * (2.0 * math.pi / period))
        image *= folds.astype(np.float32)[None, :, None]
    edge = int(height * rng.uniform(0.6, 0.88))
    floor = np.array(random_colour(rng, 0.5, (0.15, 0.7)), np.float32)
    image[edge:] = floor * np.linspace(0.8, 1.1, height - edge, dtype=np.float32)[:, None, None]
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.uniform(0.0, 0.9) * width), int(rng.uniform(0.02, 0.35) * height)
        w, h = int(rng.uniform(0.06, 0.25) * width), int(rng.uniform(0.08, 0.3) * height)
        cv2.rectangle(image, (x, y), (x + w, y + h), random_colour(rng, 0.7), -1)
        cv2.rectangle(image, (x, y), (x + w, y + h), random_colour(rng, 0.3, (0.1, 0.4)), max(1, height // 120))
    return image


def _stage(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A dark stage with beams or lamps out of focus."""
    image = np.empty((height, width, 3), np.float32)
    image[:] = random_colour(rng, 0.6, (0.03, 0.2))
    for _ in range(int(rng.integers(2, 9))):
        glow = np.zeros((height, width, 3), np.float32)
        centre = (int(rng.uniform(0.0, 1.0) * width), int(rng.uniform(0.0, 0.8) * height))
        colour = random_colour(rng, 0.9, (0.3, 0.8))
        cv2.circle(glow, centre, int(rng.uniform(0.02, 0.16) * width), colour, -1)
        image += glow * float(rng.uniform(0.3, 0.9))
    return image


def draw_backdrop(rng: np.random.Generator, height: int, width: int) -> Image:
    """A random background, uint8 [height, width, 3] BGR."""
    makers: tuple[Callable[[np.random.Generator, int, int], NDArray[np.float32]], ...]
    makers = (_gradient, _blocks, _texture, _room, _room, _stage)
    image = makers[int(rng.integers(len(makers)))](rng, height, width)
    blur = float(rng.choice([0.0, 0.003, 0.01, 0.025])) * height
    if blur > 0.4:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    result: Image = np.clip(image, 0.0, 255.0).astype(np.uint8)
    return result


class Clutter:
    """Blurred things that drift behind the player, at most a few percent of the frame per second.

    Args:
        rng: all random choices come from it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._things = [
            (
                *rng.uniform([0.0, 0.1], [1.0, 0.9]).tolist(),
                *rng.uniform([0.02, 0.04], [0.1, 0.25]).tolist(),
                float(rng.uniform(0.02, 0.12)),
                float(rng.uniform(6.0, 20.0)),
                float(rng.uniform(0.0, 6.28)),
                random_colour(rng, 0.5),
            )
            for _ in range(int(rng.integers(1, 4)))
        ]

    def draw(self, canvas: Canvas, t_s: float) -> None:
        """Draw the things as they are at a time."""
        height, width = canvas.image.shape[:2]
        for x, y, w, h, swing, period, phase, colour in self._things:
            now = x + swing * math.sin(2.0 * math.pi * t_s / period + phase)
            tint: Colour = shade(colour, 0.8)
            centre = np.array([now * width, y * height])
            hull(canvas, CIRCLE * np.array([w * width, h * height]) + centre, tint)
