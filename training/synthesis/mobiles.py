"""Procedural pictures whose things are moved by sound: what the reverse loop learns from, beside the performers.

A picture has a ground and things on it, in depth: random shapes with textures, edges and shadows, painted or
photographed.
Each thing hangs on a spring and is pushed by one part of the spectrum: large things slowly by low sounds, small ones
fast by high sounds, like loudspeaker cones, strings and leaves. Sound and motion therefore belong together, every
motion comes to rest where the still was taken, and what moves as one looks like one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.backdrop import draw_backdrop
from performers.paint import random_colour
from streaming.conventions import TICKS_PER_SECOND
from training.synthesis.conventions import FRAME_SIZE

BANDS = 4
"""Parts of the spectrum that push."""
RATE_HZ = 200
"""Simulation steps of the springs per second."""

Image = NDArray[np.uint8]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class Thing:
    """One thing and its spring.

    Attributes:
        patch: float32 [h, w, 4], premultiplied BGR 0..255 and cover 0..1.
        place: its centre, in longer sides of the picture from the upper left corner.
        band: the part of the spectrum that pushes it, 0 (low) to `BANDS` - 1.
        hz: the spring's frequency; damping: as a share of the critical one.
        push: displacement under a full push: longer sides right and down, radians, relative size.
    """

    patch: NDArray[np.float32]
    place: tuple[float, float]
    band: int
    hz: float
    damping: float
    push: tuple[float, float, float, float]


class Mobile:
    """A picture and what moves in it; everything follows from the seed.

    Args:
        seed: which one.
        size: width and height in pixels.
    """

    def __init__(self, seed: int, size: tuple[int, int] = FRAME_SIZE) -> None:
        rng = np.random.default_rng([seed, 707])
        self.size = width, height = size
        self.longer = max(size)
        ground = draw_backdrop(rng, height, width)
        if rng.random() < 0.5:
            ground = _brush_strokes(rng, ground)
        self._ground = ground.astype(np.float32)
        count = int(rng.integers(2, 13))
        sizes = np.sort(np.exp(rng.uniform(math.log(0.07), math.log(0.42), count)))[::-1]
        self.things = [_thing(rng, float(share), size) for share in sizes]
        self._finish = _finish(rng, size)

    def sway(self, push: Field) -> Field:
        """How the things move under sound.

        Args:
            push: float32 [T, BANDS], the force of each part of the spectrum at each tick, about -1 to 1.

        Returns:
            float32 [T, K, 4], poses for `frame`.
        """
        ticks, per = push.shape[0], RATE_HZ // TICKS_PER_SECOND
        state = np.zeros((2, len(self.things), 4))
        stiff = np.array([2.0 * math.pi * thing.hz for thing in self.things])[:, None]
        damp = np.array([thing.damping for thing in self.things])[:, None]
        reach = np.array([thing.push for thing in self.things])
        bands = [thing.band for thing in self.things]
        out = np.zeros((ticks, len(self.things), 4), np.float32)
        before = push[0]
        for tick in range(ticks):
            for step in range(per):
                share = (step + 1) / per
                held = ((1.0 - share) * before + share * push[tick])[bands][:, None] * reach
                state[1] += (stiff**2 * (held - state[0]) - 2.0 * damp * stiff * state[1]) / RATE_HZ
                state[0] += state[1] / RATE_HZ
            before = push[tick]
            out[tick] = state[0]
        return out

    def frame(self, pose: Field, glow: Field | None = None) -> Image:
        """The picture [H, W, 3] with its things displaced.

        Args:
            pose: displacement of each thing [K, 4], all zeros for the still.
            glow: how much brighter each thing is than it was painted [K]; None for not at all.
        """
        canvas = self._ground.copy()
        for index, (thing, how) in enumerate(zip(self.things, pose, strict=True)):
            layer = self._place_thing(thing, how)
            canvas *= 1.0 - layer[..., 3:]
            canvas += layer[..., :3] * np.float32(1.0 if glow is None else 1.0 + glow[index])
        picture: Image = np.clip(canvas * self._finish[0] + self._finish[1], 0, 255).astype(np.uint8)
        return picture

    def owners(self, pose: Field) -> NDArray[np.int32]:
        """The thing at each pixel, counted from 0; -1 for the ground: [H, W]."""
        width, height = self.size
        owner = np.full((height, width), -1, np.int32)
        for index, (thing, how) in enumerate(zip(self.things, pose, strict=True)):
            owner[self._place_thing(thing, how)[..., 3] > 0.5] = index
        return owner

    def flow(self, pose: Field, after: Field) -> Field:
        """The flow between two poses one tick apart: float32 [2, H, W], longer sides per second."""
        width, height = self.size
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        field = np.zeros((height, width, 2), np.float32)
        for thing, old, new in zip(self.things, pose, after, strict=True):
            cover = self._place_thing(thing, old)[..., 3] > 0.5
            way = self._matrix(thing, new) @ np.linalg.inv(np.vstack([self._matrix(thing, old), [0.0, 0.0, 1.0]]))
            there = np.stack([x, y, np.ones_like(x)], -1)[cover] @ way.T.astype(np.float32)
            field[cover] = there - np.stack([x, y], -1)[cover]
        return np.ascontiguousarray(np.moveaxis(field, -1, 0)) * np.float32(TICKS_PER_SECOND / self.longer)

    def _matrix(self, thing: Thing, how: NDArray[np.floating]) -> NDArray[np.float64]:
        """The transform from a patch's pixels to the picture's, [2, 3]."""
        right, down, turn, swell = (float(value) for value in how)
        rows, columns = thing.patch.shape[:2]
        scale = math.exp(swell)
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        x = (thing.place[0] + right) * self.longer
        y = (thing.place[1] + down) * self.longer
        middle = (columns - 1) / 2, (rows - 1) / 2
        return np.array(
            [
                [cos, -sin, x - cos * middle[0] + sin * middle[1]],
                [sin, cos, y - sin * middle[0] - cos * middle[1]],
            ]
        )

    def _place_thing(self, thing: Thing, how: NDArray[np.floating]) -> NDArray[np.float32]:
        patch = cv2.warpAffine(thing.patch, self._matrix(thing, how), self.size, flags=cv2.INTER_LINEAR)
        return np.asarray(patch, np.float32)


def _thing(rng: np.random.Generator, share: float, size: tuple[int, int]) -> Thing:
    """A random thing of about this size, in longer sides."""
    width, height = size
    longer = max(size)
    side = max(10, round(share * longer * 1.3))
    cover = cv2.GaussianBlur(_shape(rng, side), (0, 0), float(rng.choice([0.5, 0.7, 1.2])))
    colours = _surface(rng, side)
    if rng.random() < 0.4:
        colours = _brush_strokes(rng, np.clip(colours, 0, 255).astype(np.uint8)).astype(np.float32)
    if rng.random() < 0.5:
        edge = cv2.morphologyEx(cover, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[..., None]
        colours = colours * (1.0 - edge) + edge * np.array(random_colour(rng, 0.6, (0.0, 1.0)), np.float32)
    if rng.random() < 0.6:
        # Lit from one side.
        angle = rng.uniform(0.0, 2.0 * math.pi)
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        colours = colours * (1.0 + rng.uniform(0.1, 0.45) * (math.cos(angle) * x + math.sin(angle) * y))[..., None]
    patch = np.concatenate([np.clip(colours, 0, 255) * cover[..., None], cover[..., None]], -1)
    if rng.random() < 0.5:
        patch = _with_shadow(rng, patch)
    low = max(0.0, min(1.0, math.log(share / 0.07) / math.log(6.0)))
    band = min(BANDS - 1, max(0, round((1.0 - low) * (BANDS - 1) + rng.normal(0.0, 0.6))))
    hz = float(np.clip(3.2 * (0.07 / share) ** 0.6 * math.exp(rng.normal(0.0, 0.25)), 0.5, 4.5))
    way = rng.uniform(0.0, 2.0 * math.pi)
    reach = float(rng.uniform(0.25, 0.8)) * share * float(rng.random() < 0.85)
    turn = float(rng.normal(0.0, 0.35)) * float(rng.random() < 0.5)
    swell = float(rng.uniform(0.05, 0.22)) * float(rng.random() < 0.5)
    place = float(rng.uniform(0.02, 0.98) * width / longer), float(rng.uniform(0.05, 0.98) * height / longer)
    push = reach * math.cos(way), reach * math.sin(way), turn, swell
    return Thing(patch.astype(np.float32), place, band, hz, float(rng.uniform(0.12, 0.5)), push)


def _shape(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """What a thing covers of its square, 0..1 [side, side]."""
    mask = np.zeros((side, side), np.float32)
    middle, room = (side - 1) / 2, 0.44 * side
    count = 64
    turn = np.linspace(0.0, 2.0 * math.pi, count, endpoint=False)
    kind = rng.random()
    radius = np.ones(count)
    if kind < 0.35:
        # A pebble, a leaf, a face: a few slow waves around a circle.
        for wave in range(2, 7):
            radius += rng.normal(0.0, 0.25 / wave) * np.cos(wave * turn + rng.uniform(0, 6.28))
        radius *= room / np.abs(radius).max()
    elif kind < 0.55:
        corners = int(rng.integers(3, 8))
        angles = np.sort(rng.uniform(0.0, 2.0 * math.pi, corners))
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * room * rng.uniform(0.5, 1.0, (corners, 1)) + middle
        cv2.fillPoly(mask, [(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        return mask
    elif kind < 0.75:
        wide, high = rng.uniform(0.25, 1.0, 2) * room
        box = ((middle, middle), (2 * wide, 2 * high), float(rng.uniform(0, 180)))
        if rng.random() < 0.5:
            cv2.ellipse(mask, box, 1.0, -1, cv2.LINE_AA)
        else:
            cv2.fillPoly(mask, [(cv2.boxPoints(box) * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        return mask
    elif kind < 0.88:
        # A plant or a figure: limbs from a middle.
        for _ in range(int(rng.integers(3, 8))):
            angle, length = rng.uniform(0, 6.28), room * rng.uniform(0.5, 1.0)
            bend = rng.normal(0.0, 0.6)
            path = np.array(
                [
                    [
                        middle + length * s * math.cos(angle + bend * s),
                        middle + length * s * math.sin(angle + bend * s),
                    ]
                    for s in np.linspace(0, 1, 8)
                ]
            )
            thick = max(1, round(rng.uniform(0.03, 0.14) * side))
            cv2.polylines(mask, [(path * 16).astype(np.int32)], False, 1.0, thick, cv2.LINE_AA, 4)
        return mask
    else:
        radius *= room
        hole = room * rng.uniform(0.3, 0.75)
        cv2.circle(mask, (round(middle), round(middle)), round(room), 1.0, -1, cv2.LINE_AA)
        cv2.circle(mask, (round(middle), round(middle)), round(hole), 0.0, -1, cv2.LINE_AA)
        return mask
    points = np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None] + middle
    cv2.fillPoly(mask, [(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return mask


def _surface(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """A thing's texture, float32 [side, side, 3] BGR."""
    first, second = (np.array(random_colour(rng, 0.9, (0.05, 1.0)), np.float32) for _ in range(2))
    y, x = np.mgrid[0:side, 0:side] / side
    angle = rng.uniform(0.0, 2.0 * math.pi)
    along = x * math.cos(angle) + y * math.sin(angle)
    kind = rng.random()
    if kind < 0.2:
        share = np.clip(along - along.min(), 0, 1)
    elif kind < 0.4:
        share = 0.5 + 0.5 * np.sign(np.sin(along * rng.uniform(10, 60)))
    elif kind < 0.5:
        cells = rng.uniform(10, 40)
        across = -x * math.sin(angle) + y * math.cos(angle)
        share = 0.5 + 0.5 * np.sign(np.sin(along * cells) * np.sin(across * cells))
    elif kind < 0.75:
        share = np.zeros((side, side))
        for cells in (3, 7, 16, 40):
            noise = rng.random((min(cells, side), min(cells, side))).astype(np.float32)
            share = share + cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) / cells**0.5
        share = (share - share.min()) / (np.ptp(share) + 1e-6)
    elif kind < 0.9:
        # Spots: petals, lights, eyes.
        spots = np.zeros((side, side), np.float32)
        for _ in range(int(rng.integers(4, 30))):
            at = rng.uniform(0, side, 2).astype(int)
            cv2.circle(
                spots, (int(at[0]), int(at[1])), max(1, int(rng.uniform(0.02, 0.1) * side)), 1.0, -1, cv2.LINE_AA
            )
        share = spots
    else:
        share = np.zeros((side, side))
    surface: NDArray[np.float32] = (first * (1.0 - share[..., None]) + second * share[..., None]).astype(np.float32)
    return surface


def _brush_strokes(rng: np.random.Generator, image: Image) -> Image:
    """The picture as brush strokes along its edges."""
    rows, columns = image.shape[:2]
    out = cv2.GaussianBlur(image, (0, 0), 2.0)
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), 2.0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    length = float(rng.uniform(0.02, 0.06)) * max(rows, columns)
    count = int(rows * columns / max(6.0, length * 3.0))
    thick = max(1, round(0.35 * length))
    places = rng.uniform([0, 0], [columns - 1, rows - 1], (count, 2))
    for x, y in places:
        row, column = int(y), int(x)
        angle = math.atan2(across[row, column], -down[row, column]) + rng.normal(0.0, 0.3)
        colour = np.clip(image[row, column].astype(float) + rng.normal(0.0, 9.0), 0, 255)
        way = np.array([math.cos(angle), math.sin(angle)]) * length / 2
        ends = [((np.array([x, y]) + sign * way) * 8).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(out, ends[0], ends[1], colour.tolist(), thick, cv2.LINE_AA, 3)
    return np.asarray(out, np.uint8)


def _with_shadow(rng: np.random.Generator, patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """A soft dark copy below and beside a patch."""
    side = patch.shape[0]
    away = rng.uniform(0.01, 0.06, 2) * side
    offset_alpha = cv2.warpAffine(patch[..., 3], np.array([[1, 0, away[0]], [0, 1, away[1]]], np.float32), (side, side))
    shadow = cv2.GaussianBlur(offset_alpha, (0, 0), 0.02 * side + 0.5) * float(rng.uniform(0.2, 0.6))
    cover = patch[..., 3] + shadow * (1.0 - patch[..., 3])
    return np.concatenate([patch[..., :3], cover[..., None]], -1)


def _finish(rng: np.random.Generator, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vignette, tint and grain, the same in every frame: a gain and an offset for each pixel."""
    width, height = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    gain = 1.0 - rng.uniform(0.0, 0.35) * (x**2 + y**2) / 2
    tint = rng.uniform(0.85, 1.15, 3)
    grain = rng.normal(0.0, rng.choice([0.0, 2.0, 6.0]), (height, width, 1))
    return (gain[..., None] * tint).astype(np.float32), np.broadcast_to(grain, (height, width, 3)).astype(np.float32)
