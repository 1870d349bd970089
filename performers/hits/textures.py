"""Surfaces of the world of "hits": rough colour fields, and the background behind the players."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.float32]
OCTAVES = (4, 8, 16, 32, 64, 128)
"""Blobs across 256 pixels of the layers of a texture."""


def draw_texture(rng: np.random.Generator, height: int, width: int, roughness: float | None = None) -> Texture:
    """A field of blobs of many sizes, mean about 0 and standard deviation 1: float32 [height, width].

    Args:
        rng: random generator.
        height: in pixels.
        width: in pixels.
        roughness: how much weaker small blobs are, 0.3 (grainy) to 1.5 (cloudy); None to draw it.
    """
    falling = float(rng.uniform(0.3, 1.5)) if roughness is None else roughness
    out = np.zeros((height, width), np.float32)
    for octave in OCTAVES:
        cells = rng.standard_normal((height * octave // 256 + 2, width * octave // 256 + 2)).astype(np.float32)
        out += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32((octave / 16) ** -falling)
    return np.asarray(out / (out.std() + 1e-6), np.float32)


def draw_colour(rng: np.random.Generator, low: float = 15.0, high: float = 235.0) -> NDArray[np.float64]:
    """A mostly greyish colour, BGR 0..255: float64 [3]."""
    return np.clip(rng.uniform(low, high) + rng.normal(0.0, 22.0, 3), 5.0, 250.0)


def draw_skin(rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour of skin, or of a glove, BGR 0..255: float64 [3]."""
    if rng.random() < 0.15:
        return draw_colour(rng)
    light = rng.uniform(0.3, 1.05)
    return np.clip(np.array([120.0, 150.0, 205.0]) * light + rng.normal(0.0, 8.0, 3), 5.0, 250.0)


def coloured(
    rng: np.random.Generator, height: int, width: int, colour: NDArray[np.float64], contrast: float
) -> Texture:
    """A textured surface of a colour: float32 [height, width, 3], 0..255."""
    field = draw_texture(rng, height, width)[..., None] * np.float32(contrast)
    return np.asarray(np.clip(colour.astype(np.float32) + field, 0.0, 255.0), np.float32)


def draw_background(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A room without people: a textured field, planes, furniture and edges; uint8 [height, width, 3]."""
    contrast = float(np.exp(rng.uniform(np.log(3.0), np.log(45.0))))
    out = coloured(rng, height, width, draw_colour(rng, 40, 210), contrast)
    for _ in range(int(rng.integers(0, 7))):
        points = rng.uniform(-0.25, 1.25, (int(rng.integers(3, 6)), 2)) * (width, height)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 255, cv2.LINE_AA)
        weight = mask[..., None].astype(np.float32) * np.float32(rng.uniform(0.5, 1.0) / 255.0)
        surface = draw_colour(rng).astype(np.float32) + (
            draw_texture(rng, height, width)[..., None] * np.float32(rng.uniform(0.0, 15.0))
        )
        out = out * (1.0 - weight) + surface * weight
    slope = rng.uniform(-0.35, 0.35, 2)
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.0 + slope[0] * (down / height - 0.5) + slope[1] * (right / width - 0.5)
    return np.asarray(np.clip(out * light[..., None], 0, 255), np.uint8)
