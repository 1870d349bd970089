"""Things that move in the world of "hits": sticks, mallets, hands, arms, blobs and bodies, as textured cut-outs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.hits.hand_shapes import FINGERS, PALM, Hand, draw_hand
from performers.hits.textures import coloured, draw_colour, draw_skin

WIDTH, HEIGHT = 256, 128
"""Canvas of a limb before it is scaled; it points to the right, its axis is the middle line."""
AXIS = HEIGHT / 2
LIMB_KINDS = ("stick", "mallet", "hand", "arm", "blob")

Mask = NDArray[np.uint8]
Draw = Callable[[Mask], object]


@dataclass(frozen=True)
class Sprite:
    """A cut-out and its points, in its own pixels.

    Attributes:
        kind: of `LIMB_KINDS`, or "body", "forearm" or "thing".
        image: uint8 [H, W, 4], BGR times alpha, and alpha.
        pivot: what it turns about [2].
        tip: what touches [2].
        hand: landmarks of its hand [21, 2], or None.
    """

    kind: str
    image: NDArray[np.uint8]
    pivot: NDArray[np.float64]
    tip: NDArray[np.float64]
    hand: Hand | None = None

    def scaled(self, factor: float) -> Sprite:
        """The same in another size."""
        height, width = self.image.shape[:2]
        size = max(2, round(width * factor)), max(2, round(height * factor))
        image = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        by = np.array([size[0] / width, size[1] / height])
        hand = None if self.hand is None else self.hand * by
        return Sprite(self.kind, np.asarray(image, np.uint8), self.pivot * by, self.tip * by, hand)


class _SpriteCanvas:
    """Layers of textured shapes."""

    def __init__(self, rng: np.random.Generator, width: int = WIDTH, height: int = HEIGHT) -> None:
        self._rng, self._size = rng, (height, width)
        self._colour = np.zeros((height, width, 3), np.float32)
        self._alpha = np.zeros((height, width), np.float32)

    def add(self, draw: Draw, colour: NDArray[np.float64], strongest: float = 20.0) -> None:
        """Lay a shape over what is there; its texture has a contrast of 1.5 to `strongest` grey levels."""
        mask = np.zeros(self._size, np.uint8)
        draw(mask)
        cover = mask.astype(np.float32) / 255.0
        contrast = float(np.exp(self._rng.uniform(np.log(1.5), np.log(strongest))))
        surface = coloured(self._rng, *self._size, colour, contrast)
        # Round things are darker at their rim.
        inner = cv2.GaussianBlur(cover, (0, 0), float(self._rng.uniform(2.0, 8.0)))
        surface *= (0.55 + 0.45 * np.clip(2.0 * inner - 1.0, 0.0, 1.0))[..., None]
        self._colour = self._colour * (1.0 - cover[..., None]) + surface * cover[..., None]
        self._alpha = np.maximum(self._alpha, cover)

    def image(self) -> NDArray[np.uint8]:
        """BGR times alpha, and alpha: uint8 [H, W, 4]."""
        alpha = cv2.GaussianBlur(self._alpha, (0, 0), float(self._rng.uniform(0.5, 1.2)))
        colour = np.minimum(self._colour, 255.0) * (alpha / np.maximum(self._alpha, 1e-3)).clip(0, 1)[..., None]
        return np.asarray(np.dstack([colour, 255.0 * alpha]).clip(0, 255), np.uint8)


def _line(ends: NDArray[np.float64] | list[tuple[float, float]], width: float) -> Draw:
    points = np.asarray(ends, np.float64).round().astype(np.int32)
    return lambda mask: cv2.polylines(mask, [points], False, 255, max(1, round(width)), cv2.LINE_AA)


def _ellipse(x: float, y: float, half_width: float, half_height: float, angle: float = 0.0) -> Draw:
    axes = max(1, round(half_width)), max(1, round(half_height))
    return lambda mask: cv2.ellipse(mask, (round(x), round(y)), axes, angle, 0, 360, 255, -1, cv2.LINE_AA)


def _polygon(points: NDArray[np.float64]) -> Draw:
    return lambda mask: cv2.fillConvexPoly(mask, cv2.convexHull(points.round().astype(np.int32)), 255, cv2.LINE_AA)


def _place_hand(shape: Hand, x: float, length: float, rng: np.random.Generator) -> Hand:
    """A hand's landmarks on the canvas, its wrist at x on the axis, turned a little, perhaps mirrored."""
    flip = np.array([1.0, float(rng.choice([-1.0, 1.0]))])
    angle = rng.normal(0.0, 0.15)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((shape * flip) @ turn * length + (x, AXIS))


def _draw_hand(canvas: _SpriteCanvas, hand: Hand, skin: NDArray[np.float64], length: float) -> None:
    """Palm and fingers of a hand, the fingers a little lighter or darker so that they stand out."""
    canvas.add(_polygon(hand[list(PALM)]), skin, 8.0)
    canvas.add(_line(hand[[0, 9]], 0.28 * length), skin, 8.0)
    for number, joints in enumerate(FINGERS):
        shade = skin * (1.0 + 0.05 * ((number % 2) * 2 - 1))
        canvas.add(_line(hand[list(joints)], 0.115 * length), shade, 6.0)


def _stick(rng: np.random.Generator, kind: str, shape: Hand) -> Sprite:
    canvas = _SpriteCanvas(rng)
    thick, length = float(rng.uniform(1.5, 7.0)), float(rng.uniform(110.0, 225.0))
    end = 20.0 + length
    outline = [(20.0, -thick), (end - 0.2 * length, -thick), (end, -0.5 * thick)]
    outline += [(x, -y) for x, y in reversed(outline)]
    canvas.add(_polygon(np.array(outline) + np.array([0.0, AXIS])), draw_colour(rng))
    if kind == "mallet":
        canvas.add(_ellipse(end - 6.0, AXIS, rng.uniform(8, 28), rng.uniform(8, 28)), draw_colour(rng))
    hand = None
    if rng.random() < 0.8:
        skin, size = draw_skin(rng), float(rng.uniform(40.0, 75.0))
        hand = _place_hand(shape, float(rng.uniform(5.0, 35.0)), size, rng)
        if rng.random() < 0.7:
            sleeve = skin if rng.random() < 0.4 else draw_colour(rng)
            start = (-20.0, AXIS + float(rng.uniform(-35.0, 35.0)))
            canvas.add(_line([start, (hand[0, 0] + 4.0, hand[0, 1])], 0.42 * size), sleeve)
        _draw_hand(canvas, hand, skin, size)
    pivot = np.array([rng.uniform(0.0, 70.0), AXIS])
    return Sprite(kind, canvas.image(), pivot, np.array([end - 4.0, AXIS]), hand)


def _arm(rng: np.random.Generator, kind: str, shape: Hand) -> Sprite:
    canvas = _SpriteCanvas(rng)
    skin = draw_skin(rng)
    size = float(rng.uniform(55.0, 95.0))
    wrist = float(rng.uniform(110.0, 150.0)) if kind == "arm" else float(rng.uniform(40.0, 110.0))
    hand = _place_hand(shape, wrist, size, rng)
    thick = 0.42 * size * float(rng.uniform(0.8, 1.3))
    canvas.add(_line([(-20.0, AXIS), (wrist + 5.0, AXIS)], thick), skin)
    if rng.random() < 0.6:
        canvas.add(_line([(-20.0, AXIS), (wrist * rng.uniform(0.3, 0.9), AXIS)], thick * 1.3), draw_colour(rng))
    _draw_hand(canvas, hand, skin, size)
    inside = hand[(hand[:, 1] > 0) & (hand[:, 1] < HEIGHT)]
    pivot = np.array([rng.uniform(0.0, wrist), AXIS])
    return Sprite(kind, canvas.image(), pivot, inside[int(np.argmax(inside[:, 0]))], hand)


def _blob(rng: np.random.Generator) -> Sprite:
    canvas = _SpriteCanvas(rng)
    half = rng.uniform(20.0, 120.0), rng.uniform(15.0, 58.0)
    canvas.add(_ellipse(128.0, AXIS, *half), draw_colour(rng), 40.0)
    return Sprite("blob", canvas.image(), np.array([rng.uniform(40.0, 216.0), AXIS]), np.array([128.0 + half[0], AXIS]))


def draw_limb(rng: np.random.Generator, hands: NDArray[np.float64] | None = None) -> Sprite:
    """A limb that strikes, about 256 pixels long, pointing to the right.

    Args:
        rng: random generator.
        hands: recorded hands, see `hand_shapes.straighten`; None for drawn ones only.
    """
    kind = str(rng.choice(LIMB_KINDS, p=[0.34, 0.12, 0.22, 0.22, 0.1]))
    if kind == "blob":
        return _blob(rng)
    holds = kind in ("stick", "mallet")
    shape = draw_hand(rng, float(rng.uniform(0.7, 1.0)) if holds else None)
    if hands is not None and not holds and rng.random() < 0.6:
        shape = hands[int(rng.integers(len(hands)))]
    return _stick(rng, kind, shape) if holds else _arm(rng, kind, shape)


def draw_body(rng: np.random.Generator) -> Sprite:
    """Head and trunk of a person, 256 pixels high, upright."""
    canvas = _SpriteCanvas(rng, 192, 256)
    clothes, skin = draw_colour(rng), draw_skin(rng)
    shoulder, middle = float(rng.uniform(45.0, 80.0)), 96.0 + float(rng.normal(0.0, 6.0))
    trunk = [(96 - shoulder, 255), (96 - shoulder, 110), (96 - 0.6 * shoulder, 84)]
    trunk += [(192 - x, y) for x, y in trunk]
    canvas.add(_polygon(np.array(trunk, np.float64)), clothes)
    canvas.add(_line([(middle, 60.0), (96.0, 100.0)], 22.0), skin, 8.0)
    canvas.add(_ellipse(middle, 44.0, rng.uniform(20, 28), rng.uniform(26, 36), rng.normal(0.0, 8.0)), skin, 10.0)
    if rng.random() < 0.85:
        canvas.add(_ellipse(middle, 24.0, rng.uniform(22, 30), rng.uniform(12, 22)), draw_colour(rng, 10, 120))
    return Sprite("body", canvas.image(), np.array([96.0, 255.0]), np.array([middle, 20.0]))


def draw_forearm(rng: np.random.Generator) -> Sprite:
    """A bar of skin or cloth that fills its canvas, 256 pixels long."""
    canvas = _SpriteCanvas(rng, WIDTH, 64)
    canvas.add(_polygon(np.array([(-9.0, 2.0), (265.0, 10.0), (265.0, 54.0), (-9.0, 62.0)])), draw_skin(rng))
    if rng.random() < 0.6:
        cuff = float(rng.uniform(100.0, 265.0))
        canvas.add(_polygon(np.array([(-9.0, 1.0), (cuff, 4.0), (cuff, 60.0), (-9.0, 63.0)])), draw_colour(rng), 30.0)
    return Sprite("forearm", canvas.image(), np.array([0.0, 32.0]), np.array([255.0, 32.0]))


def draw_thing(rng: np.random.Generator) -> Sprite:
    """Something that is struck: a drum's skin, a plate, a block, a bar, a bag; its middle is its pivot."""
    canvas = _SpriteCanvas(rng)
    form = int(rng.integers(4))
    colour = draw_colour(rng)
    if form == 0:
        flat = float(rng.uniform(12.0, 60.0))
        canvas.add(_ellipse(128.0, AXIS, 122.0, flat), draw_colour(rng))
        canvas.add(_ellipse(128.0, AXIS, 114.0, 0.9 * flat), colour)
    elif form == 1:
        depth = float(rng.uniform(10.0, 58.0))
        corners = np.array([(8, -depth), (248, -depth), (248, depth), (8, depth)]) + rng.normal(0.0, 5.0, (4, 2))
        canvas.add(_polygon(corners + np.array([0.0, AXIS])), colour, 40.0)
    elif form == 2:
        for index in range(int(rng.integers(3, 9))):
            x = 20.0 + 28.0 * index
            canvas.add(_line([(x, AXIS - 45.0), (x, AXIS + 45.0 - 4.0 * index)], 22.0), draw_colour(rng))
    else:
        points = rng.uniform(0.0, 1.0, (7, 2)) * (220.0, 100.0) + (18.0, 14.0)
        canvas.add(_polygon(points), colour, 40.0)
    return Sprite("thing", canvas.image(), np.array([128.0, AXIS]), np.array([128.0, AXIS]))
