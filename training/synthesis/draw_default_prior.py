"""Draws the shipped prior image, `streaming/devices/stills/prior.jpg`: lanterns, reeds, a lake, a moon.

It has edges, textures and things that could move in every part: `python -m training.synthesis.draw_default_prior
FILE.jpg`.
"""

from __future__ import annotations

import math
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (1024, 768)
_SHARP = 2
"""The picture is drawn at this many times its size."""
Colour = tuple[float, float, float]
Canvas = NDArray[np.float32]


def _darker(colour: Colour, by: float) -> Colour:
    """A colour with a share of its brightness."""
    blue, green, red = colour
    return by * blue, by * green, by * red


def _blend(canvas: Canvas, mask: Canvas, colour: Colour, how_much: float = 1.0) -> None:
    """Blend a colour (BGR, 0 to 1) into a canvas [H, W, 3] through a mask [H, W]."""
    canvas += (mask * how_much)[..., None] * (np.array(colour, np.float32) - canvas)


def _noise(rng: np.random.Generator, shape: tuple[int, int], finest: int, coarsest: int) -> Canvas:
    """Fractal noise, about -1 to 1: each octave about half as strong as the next coarser one."""
    total = np.zeros(shape, np.float32)
    size, strength = coarsest, 1.0
    while size >= finest:
        grid = rng.normal(size=(max(2, shape[0] // size), max(2, shape[1] // size))).astype(np.float32)
        total += strength * np.asarray(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC))
        size, strength = size // 2, strength * 0.55
    return total / 2.0


def _glow(shape: tuple[int, int], x: float, y: float, radius: float) -> Canvas:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.asarray(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius * radius)), np.float32)


def _disc(shape: tuple[int, int], x: float, y: float, wide: float, high: float) -> Canvas:
    mask = np.zeros(shape, np.float32)
    cv2.ellipse(mask, (round(x), round(y)), (round(wide), round(high)), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    return mask


def _strand(shape: tuple[int, int], points: NDArray[np.float64], thick: float) -> Canvas:
    """A line that gets thinner along its points [N, 2]."""
    mask = np.zeros(shape, np.float32)
    for index in range(len(points) - 1):
        width = max(1, round(thick * (1.0 - 0.75 * index / len(points))))
        ends = [tuple(int(v * 16) for v in points[index + k]) for k in (0, 1)]
        cv2.line(mask, ends[0], ends[1], 1.0, width, cv2.LINE_AA, 4)
    return mask


def draw_still(seed: int = 5) -> NDArray[np.uint8]:
    """The picture, uint8 [768, 1024, 3] BGR."""
    rng = np.random.default_rng(seed)
    width, height = SIZE[0] * _SHARP, SIZE[1] * _SHARP
    shape = height, width
    y = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    top, low = np.array((0.30, 0.13, 0.09)), np.array((0.55, 0.52, 0.86))
    canvas = np.ascontiguousarray(
        np.broadcast_to(top + (low - top) * np.clip(y / 0.6, 0, 1)[..., None] ** 1.6, (*shape, 3)), np.float32
    )
    clouds = np.clip(_noise(rng, shape, 16, 512) - 0.1, 0.0, 1.0)
    _blend(canvas, clouds * (0.3 + 0.7 * y), (0.75, 0.62, 0.80), 0.35)
    for x, at in rng.uniform((0, 0), (width, 0.42 * height), (160, 2)):
        _blend(canvas, _disc(shape, x, at, *(2 * [float(rng.choice([1, 1, 2, 3]))])), (1.0, 0.97, 0.92), 0.8)
    moon = 0.70 * width, 0.21 * height
    _blend(canvas, _glow(shape, *moon, 0.16 * width), (0.80, 0.88, 1.0), 0.45)
    _blend(canvas, _disc(shape, *moon, 0.052 * width, 0.052 * width), (0.88, 0.96, 1.0))
    craters = np.clip(_noise(rng, shape, 8, 64), 0, 1) * _disc(shape, *moon, 0.050 * width, 0.050 * width)
    _blend(canvas, craters, (0.68, 0.76, 0.82), 0.5)
    shore = 0.60
    for layer, (colour, base, rough) in enumerate(
        (((0.48, 0.33, 0.36), 0.47, 0.07), ((0.36, 0.23, 0.25), 0.53, 0.05), ((0.24, 0.15, 0.14), 0.575, 0.03))
    ):
        ridge = _noise(rng, (2, width), 1, 256)[0] * rough + base + 0.02 * layer
        land = (y > ridge[None]).astype(np.float32)
        _blend(canvas, cv2.GaussianBlur(land, (0, 0), 1.2), colour)
        _blend(canvas, land * np.clip(_noise(rng, shape, 4, 64), 0, 1), (0.5, 0.42, 0.40), 0.10)
    _water(canvas, rng, shore)
    _lanterns(canvas, rng)
    _reeds(canvas, rng)
    canvas += 0.012 * _noise(rng, shape, 2, 8)[..., None]
    small = cv2.resize(np.clip(canvas, 0.0, 1.0), SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(small * 255.0), np.uint8)


def _water(canvas: Canvas, rng: np.random.Generator, shore: float) -> None:
    """The lake: a rippled mirror image of what is above."""
    height, width = canvas.shape[:2]
    line = int(shore * height)
    depth = height - line
    rows, columns = np.mgrid[:depth, :width].astype(np.float32)
    ripple = _noise(rng, (depth * 6, width), 16, 128)[::6][:depth]
    near = rows / depth
    mirror = cv2.remap(
        canvas,
        columns + (6 + 60 * near) * ripple,
        line - 1 - rows * (line - 1) / depth * 0.98 + (4 + 30 * near) * ripple,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    canvas[line:] = 0.72 * mirror + np.array((0.10, 0.05, 0.03), np.float32)
    glints = np.clip(_noise(rng, (depth * 8, width), 8, 64)[::8][:depth] - 0.55, 0.0, 1.0)
    canvas[line:] += (glints * (0.15 + 0.5 * _glow((depth, width), 0.70 * width, 0.3 * depth, 0.12 * width)))[..., None]


def _lanterns(canvas: Canvas, rng: np.random.Generator) -> None:
    """A branch from above with paper lanterns, each lit from inside."""
    height, width = canvas.shape[:2]
    shape = height, width
    t = np.linspace(0.0, 1.0, 60)
    branch = np.stack([width * (-0.02 + 0.66 * t), height * (0.055 + 0.05 * np.sin(3.4 * t) + 0.05 * t)], 1)
    _blend(canvas, _strand(shape, branch, 0.019 * width), (0.07, 0.07, 0.10))
    for start in (12, 22, 34, 45):
        way = -1 if start % 2 else 1
        twig = np.stack(
            [branch[start, 0] + width * 0.09 * t, branch[start, 1] + way * height * (0.05 * t - 0.09 * t**2)], 1
        )
        _blend(canvas, _strand(shape, twig, 0.007 * width), (0.07, 0.07, 0.10))
        for x, at in twig[10::5]:
            leaf = _disc(shape, x + rng.normal(0, 8), at + rng.normal(0, 10), 15, 8)
            _blend(canvas, leaf, (0.10, 0.22 + rng.uniform(0, 0.12), 0.16), 0.95)
    for place, drop, size, colour in (
        (8, 0.20, 0.040, (0.16, 0.42, 1.0)),
        (20, 0.33, 0.050, (0.22, 0.62, 1.0)),
        (33, 0.17, 0.034, (0.30, 0.30, 0.98)),
        (44, 0.27, 0.044, (0.18, 0.52, 1.0)),
        (54, 0.12, 0.030, (0.40, 0.72, 1.0)),
    ):
        x, begin = branch[place]
        at = begin + drop * height
        cord = np.stack([np.full(8, x), np.linspace(begin, at, 8)], 1)
        _blend(canvas, _strand(shape, cord, 5.0), (0.06, 0.06, 0.08))
        wide, high = size * width, 1.15 * size * width
        _blend(canvas, _glow(shape, x, at + high, 2.3 * wide), colour, 0.38)
        body = _disc(shape, x, at + high, wide, high)
        _blend(canvas, body, _darker(colour, 0.62))
        _blend(canvas, body * _glow(shape, x, at + 1.1 * high, 0.62 * wide), (0.72, 0.93, 1.0), 0.95)
        for rib in np.linspace(-0.85, 0.85, 8):
            reach = math.sqrt(1.0 - rib * rib)
            ring = np.zeros(shape, np.float32)
            centre = round(x), round(at + high + rib * high)
            cv2.ellipse(ring, centre, (round(wide * reach), round(0.10 * wide)), 0, 0, 180, 1.0, 3, cv2.LINE_AA)
            _blend(canvas, ring, _darker(colour, 0.35), 0.55)
        for edge in (at, at + 2 * high):
            _blend(canvas, _disc(shape, x, edge, 0.38 * wide, 0.10 * high), (0.05, 0.06, 0.09))
        for thread in np.linspace(-0.15, 0.15, 5):
            hang = np.stack([x + np.linspace(1, 1.6, 6) * thread * wide, at + high * np.linspace(2.0, 2.75, 6)], 1)
            _blend(canvas, _strand(shape, hang, 4.0), _darker(colour, 0.7))


def _reeds(canvas: Canvas, rng: np.random.Generator) -> None:
    """Reeds at the near shore, the nearest darkest, some with heads."""
    height, width = canvas.shape[:2]
    t = np.linspace(0.0, 1.0, 24)
    places = np.concatenate([rng.normal(0.16, 0.13, 46), rng.normal(0.93, 0.09, 34)])
    for index, place in enumerate(places):
        near = index % 46 / 46
        tall, bend = rng.uniform(0.22, 0.50) * height * (0.7 + 0.4 * near), rng.normal(0.0, 0.08) * width
        reed = np.stack([place * width + bend * t**2, height * 1.01 - tall * t], 1)
        shade = 0.55 - 0.45 * near
        colour = (0.10 + 0.12 * shade, 0.15 + 0.38 * shade, 0.12 + 0.30 * shade)
        _blend(canvas, _strand((height, width), reed, rng.uniform(9, 17)), colour)
        if rng.random() < 0.3:
            head = np.stack([reed[-7:, 0], reed[-7:, 1]], 1)
            _blend(canvas, _strand((height, width), head[:5], 26.0), (0.10, 0.17, 0.30 + 0.1 * shade))


def main(argv: list[str]) -> int:
    """Draw the picture into a file; returns the exit status."""
    if len(argv) != 1:
        print("python -m training.synthesis.draw_default_prior FILE.jpg", file=sys.stderr)
        return 2
    return 0 if cv2.imwrite(argv[0], draw_still(), [cv2.IMWRITE_JPEG_QUALITY, 90]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
