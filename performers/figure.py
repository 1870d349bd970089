"""Draws a player's body: how a person looks, and the shapes between projected joints."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from performers.gestures import J
from performers.paint import (
    CIRCLE,
    Canvas,
    Colour,
    Points2,
    disc,
    hull,
    limb,
    lines,
    mix,
    polygon,
    random_colour,
    shade,
)

_SKINS: tuple[Colour, ...] = (
    (196, 214, 241),
    (166, 192, 229),
    (130, 165, 214),
    (96, 133, 190),
    (66, 99, 150),
    (44, 66, 105),
    (35, 48, 76),
)
_HAIRS: tuple[Colour, ...] = (
    (25, 25, 30),
    (30, 45, 75),
    (50, 90, 150),
    (110, 170, 215),
    (40, 60, 140),
    (190, 190, 190),
)


class Appearance:
    """How a person is built and dressed.

    Args:
        rng: all random choices come from it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        dark, light = rng.uniform(0.0, 1.0), rng.uniform(0.85, 1.1)
        skin = _SKINS[int(rng.integers(len(_SKINS) - 1))]
        self.skin = shade(mix(skin, _SKINS[_SKINS.index(skin) + 1], dark), light)
        self.hair = _HAIRS[int(rng.integers(len(_HAIRS)))] if rng.random() < 0.85 else random_colour(rng, 0.9)
        self.top = random_colour(rng, 0.85, (0.1, 0.95))
        self.trousers = random_colour(rng, 0.5, (0.08, 0.6))
        self.shoes = random_colour(rng, 0.4, (0.05, 0.9))
        self.trim = random_colour(rng, 0.8)
        self.thick = float(rng.uniform(0.8, 1.3)) if rng.random() < 0.85 else float(rng.uniform(0.45, 0.7))
        self.sleeves = str(rng.choice(["long", "short", "none"], p=[0.5, 0.35, 0.15]))
        self.bare_legs = bool(rng.random() < 0.15)
        self.pattern = str(rng.choice(["plain", "stripes", "hoops", "open", "dots"], p=[0.45, 0.12, 0.15, 0.16, 0.12]))
        self.hair_style = str(rng.choice(["short", "long", "bun", "bald", "cap"], p=[0.4, 0.25, 0.12, 0.1, 0.13]))
        self.beard = bool(rng.random() < 0.15) and self.hair_style != "long"
        self.head = float(rng.uniform(0.92, 1.12))
        self.shading = bool(rng.random() < 0.75)
        self.rounded = bool(rng.random() < 0.8)


class Figure:
    """Draws one person's parts from projected joints.

    Args:
        look: how the person looks.
        behind: the person is seen from behind.
    """

    def __init__(self, look: Appearance, behind: bool = False) -> None:
        self.look = look
        self.behind = behind

    def _part(
        self, canvas: Canvas, p: Points2, q: Points2, radii: tuple[float, float], unit: float, colour: Colour
    ) -> None:
        """One capsule, with a lighter side when the look has shading."""
        a, b = radii[0] * unit * self.look.thick, radii[1] * unit * self.look.thick
        if not self.look.rounded:
            a = b = 0.5 * (a + b)
        if self.look.shading and unit > 40.0:
            limb(canvas, p, q, a, b, shade(colour, 0.78))
            away = np.array([-0.22 * a, -0.22 * a])
            limb(canvas, p + away, q + away, 0.7 * a, 0.7 * b, colour)
        else:
            limb(canvas, p, q, a, b, colour)

    def leg(self, canvas: Canvas, px: Points2, unit: float, side: str) -> None:
        """Thigh, shin and shoe."""
        hip, knee, foot, toe = (px[J[f"{side}_{name}"]] for name in ("hip", "knee", "foot", "toe"))
        look = self.look
        self._part(canvas, knee, foot, (0.036, 0.024), unit, look.skin if look.bare_legs else look.trousers)
        self._part(canvas, foot, toe, (0.024, 0.019), unit, look.shoes)
        self._part(canvas, hip, knee, (0.052, 0.040), unit, look.trousers)

    def trunk(self, canvas: Canvas, px: Points2, unit: float) -> None:
        """Hips, chest with its pattern, and neck."""
        look = self.look
        size = unit * (0.6 + 0.4 * look.thick)
        corners = px[[J["left_shoulder"], J["right_shoulder"], J["right_hip"], J["left_hip"]]]
        belt = 0.82 * corners[2:] + 0.18 * corners[1::-1]
        disc_points = CIRCLE[::3] * size
        hull(canvas, (corners[2:, None] + disc_points * 0.047).reshape(-1, 2), look.trousers)
        chest = np.concatenate(
            [(corners[:2, None] + disc_points * 0.036).reshape(-1, 2), belt[0] + disc_points * 0.045]
        )
        chest = np.concatenate([chest, belt[1] + disc_points * 0.045])
        hull(canvas, chest, look.top)
        self._pattern(canvas, corners, size)
        limb(canvas, px[J["neck"]], 0.6 * px[J["neck"]] + 0.4 * px[J["head"]], 0.030 * size, 0.027 * size, look.skin)

    def _pattern(self, canvas: Canvas, corners: Points2, size: float) -> None:
        """What is on the shirt: hoops, stripes, dots or an open jacket."""
        look = self.look
        left, right, right_hip, left_hip = corners
        if look.pattern == "hoops":
            for part in (0.12, 0.34, 0.56, 0.78):
                ends = np.stack([left + (left_hip - left) * part, right + (right_hip - right) * part])
                lines(canvas, [ends], 0.025 * size, look.trim)
        elif look.pattern == "stripes":
            for part in (0.1, 0.3, 0.5, 0.7, 0.9):
                ends = np.stack([left + (right - left) * part, left_hip + (right_hip - left_hip) * part])
                lines(canvas, [ends], 0.014 * size, look.trim)
        elif look.pattern == "open":
            top, bottom = 0.5 * (left + right), 0.5 * (left_hip + right_hip)
            across = (right - left) * 0.16
            polygon(
                canvas, np.stack([top - across, top + across, bottom + 1.2 * across, bottom - 1.2 * across]), look.trim
            )
        elif look.pattern == "dots":
            for u, v in ((0.2, 0.2), (0.55, 0.3), (0.85, 0.22), (0.3, 0.55), (0.7, 0.62), (0.15, 0.8), (0.5, 0.88)):
                upper, lower = left + (right - left) * u, left_hip + (right_hip - left_hip) * u
                disc(canvas, upper + (lower - upper) * v, 0.017 * size, look.trim)

    def face(self, canvas: Canvas, px: Points2, unit: float, turn: float) -> None:
        """Head, hair and a face that looks `turn` (-1..1) to the side."""
        look = self.look
        up = px[J["head"]] - px[J["neck"]]
        up = up / (math.hypot(*up.tolist()) + 1e-9)
        frame = np.stack([np.array([-up[1], up[0]]), up])
        head = px[J["head"]] + up * 0.004 * unit
        size = unit * look.head
        oval = (CIRCLE * np.array([0.056, 0.072]) * size) @ frame
        if look.hair_style == "long":
            hull(canvas, np.concatenate([oval * 1.2 + head, oval * 1.0 + head - up * 0.07 * size]), look.hair)
        elif look.hair_style == "bun":
            disc(canvas, head + up * 0.085 * size, 0.03 * size, look.hair)
        if self.behind:
            polygon(canvas, oval * 1.06 + head, look.skin if look.hair_style == "bald" else look.hair)
            return
        polygon(canvas, oval + head, look.skin)
        if look.beard:
            low = CIRCLE[CIRCLE[:, 1] < -0.3] * np.array([0.055, 0.074]) * size
            polygon(canvas, low @ frame + head, look.hair)
        if look.hair_style != "bald":
            high = CIRCLE[CIRCLE[:, 1] > 0.25] * np.array([0.062, 0.081]) * size
            polygon(canvas, high @ frame + head, look.hair if look.hair_style != "cap" else look.trim)
        look_at = head + frame[0] * turn * 0.02 * size
        for side in (-1.0, 1.0):
            disc(canvas, look_at + (frame[0] * side * 0.021 + up * 0.006) * size, 0.0065 * size, (30, 30, 35))
        mouth = look_at - up * 0.036 * size
        lines(
            canvas,
            [np.stack([mouth - frame[0] * 0.014 * size, mouth + frame[0] * 0.014 * size])],
            0.006 * size,
            (60, 60, 130),
        )

    def arm(self, canvas: Canvas, px: Points2, unit: float, side: str, fingers: str = "fist") -> None:
        """Upper arm, forearm and hand; `fingers` is "fist", "flat" (towards the tip) or "spread"."""
        look = self.look
        shoulder, elbow, hand, tip = (px[J[f"{side}_{name}"]] for name in ("shoulder", "elbow", "hand", "tip"))
        upper = look.skin if look.sleeves == "none" else look.top
        lower = look.top if look.sleeves == "long" else look.skin
        self._part(canvas, shoulder, elbow, (0.036, 0.028), unit, upper)
        self._part(canvas, elbow, hand, (0.027, 0.018), unit, lower)
        thick = unit * math.sqrt(look.thick)
        disc(canvas, hand, 0.023 * thick, look.skin)
        if fingers == "flat":
            limb(canvas, hand, tip, 0.021 * thick, 0.010 * thick, look.skin)
        if fingers in ("flat", "spread"):
            self._fingers(canvas, hand, tip, thick, fingers == "spread")

    def _fingers(self, canvas: Canvas, hand: Points2, tip: Points2, thick: float, spread: bool) -> None:
        """Short strokes from the hand around the direction of the tip."""
        way = tip - hand
        length = math.hypot(*way.tolist())
        target = 0.045 * thick
        way = way * (max(length, target) / (length + 1e-9))
        side: NDArray[np.float64] = np.array([-way[1], way[0]])
        paths = [
            np.stack(
                [hand + side * (0.25 * k), hand + way * (1.0 - 0.08 * abs(k)) + side * ((0.5 if spread else 0.35) * k)]
            )
            for k in (-1.5, -0.5, 0.5, 1.5)
        ]
        lines(canvas, paths, 0.011 * thick, self.look.skin)
