"""Draws the instruments: a drum kit, a keyboard, a violin or cello with its bow, a box with antennas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from performers.body import BodyPose
from performers.gestures import (
    AIR_HEIGHT,
    AIR_REACH,
    AIR_ROD,
    DRUM_PLACES,
    KEY_DEPTH,
    KEY_HEIGHT,
    KEYBOARD_WIDTH,
    J,
)
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
    shape,
)

Project = Callable[[NDArray[np.float64]], Points2]
"""From points in the body's space [N, 3] to pixels [N, 2]."""

_WOODS: tuple[Colour, ...] = ((28, 60, 120), (40, 85, 165), (20, 38, 80), (60, 120, 190), (25, 30, 60))
_RADII = (0.135, 0.085, 0.085, 0.072, 0.095, 0.115)
_DEPTHS = (0.16, 0.065, 0.0, 0.09, 0.13, 0.0)
_FLAT = np.stack([CIRCLE[:, 0], np.zeros(len(CIRCLE)), CIRCLE[:, 1]], axis=1)
_UPRIGHT = np.stack([CIRCLE[:, 0], CIRCLE[:, 1], np.zeros(len(CIRCLE))], axis=1)
_VIOLIN = np.array(
    [
        *((0.00, 0.04), (0.01, 0.09), (0.06, 0.128), (0.13, 0.128), (0.20, 0.098), (0.235, 0.078), (0.30, 0.074)),
        *((0.355, 0.085), (0.40, 0.103), (0.46, 0.105), (0.51, 0.08), (0.535, 0.03)),
    ]
)
"""Half outline of the body of a violin: place along the axis and half width, in lengths of the whole instrument."""
_OUTLINE = np.concatenate([_VIOLIN, _VIOLIN[::-1] * np.array([1.0, -1.0])])
_WHITES = 22
_EDGES = np.linspace(0.5 * KEYBOARD_WIDTH + 0.015, -0.5 * KEYBOARD_WIDTH - 0.015, _WHITES + 1)
_STEP = float(_EDGES[0] - _EDGES[1])
"""Sides of the white keys from the lowest (at the viewer's right) to the highest, and the width of one."""


def _flat(project: Project, x: tuple[float, float], y: float, z: tuple[float, float]) -> Points2:
    """A level rectangle in pixels [4, 2]."""
    return project(np.array([[x[0], y, z[0]], [x[1], y, z[0]], [x[1], y, z[1]], [x[0], y, z[1]]]))


def _tilted_circle(centre: NDArray[np.float64], radius: float, angle: float) -> NDArray[np.float64]:
    """A circle [24, 3] that leans towards the viewer by an angle."""
    lean = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -math.sin(angle), math.cos(angle)]])
    circle: NDArray[np.float64] = centre + radius * _FLAT @ lean
    return circle


class Kit:
    """One person's instruments: colours and small differences.

    Args:
        rng: all random choices come from it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.shell = random_colour(rng, 0.9, (0.12, 0.9))
        self.head: Colour = random_colour(rng, 0.12, (0.75, 1.0))
        self.metal = mix((90, 190, 215), (190, 190, 195), float(rng.uniform(0.0, 1.0)))
        self.stand = random_colour(rng, 0.1, (0.1, 0.7))
        self.wood = _WOODS[int(rng.integers(len(_WOODS)))] if rng.random() < 0.85 else random_colour(rng, 0.9)
        self.case = random_colour(rng, 0.5, (0.05, 0.5)) if rng.random() < 0.7 else random_colour(rng, 0.9)
        self.stick: Colour = mix((120, 180, 225), (40, 60, 110), float(rng.uniform(0.0, 1.0)))
        self.hair: Colour = random_colour(rng, 0.15, (0.7, 1.0))
        self.logo = random_colour(rng, 0.9)
        self.crash = bool(rng.random() < 0.6)
        self.slab = float(rng.uniform(0.03, 0.12))
        self.upright = bool(rng.random() < 0.3)
        self.box = rng.uniform([0.10, 0.05], [0.17, 0.09]).tolist()
        self.stool = random_colour(rng, 0.5, (0.05, 0.5))

    def seat(self, canvas: Canvas, project: Project, unit: float) -> None:
        """A stool."""
        x, z = 0.0, -0.08
        feet = project(np.array([[x, 0.22, z], [x - 0.1, 0.0, z], [x + 0.1, 0.0, z], [x, 0.0, z + 0.1]]))
        lines(canvas, [feet[[0, 1]], feet[[0, 2]], feet[[0, 3]]], 0.012 * unit, self.stand)
        hull(canvas, project(0.1 * _FLAT + np.array([x, 0.235, z])), self.stool)

    def _drum(self, canvas: Canvas, project: Project, unit: float, piece: int) -> None:
        """One drum: its shell below the head, its head, its rim."""
        centre, radius = np.array(DRUM_PLACES[piece]), _RADII[piece]
        top = project(centre + radius * _FLAT)
        below = project(centre + radius * _FLAT - np.array([0.0, _DEPTHS[piece], 0.0]))
        hull(canvas, np.concatenate([top, below]), self.shell if piece != 1 else shade(self.metal, 0.9))
        lines(canvas, [below[:13]], 0.006 * unit, shade(self.metal, 0.7))
        polygon(canvas, top, self.head)
        lines(canvas, [top], 0.008 * unit, self.metal, closed=True)

    def _cymbal(self, canvas: Canvas, project: Project, unit: float, place: tuple[float, ...], tilt: float) -> None:
        """A cymbal on its stand, swung by `tilt`."""
        centre = np.array(place[:3])
        foot = project(np.stack([centre, np.array([1.08 * centre[0], 0.02, centre[2] - 0.04])]))
        lines(canvas, [foot], 0.011 * unit, self.stand)
        rim = project(_tilted_circle(centre - np.array([0.0, 0.004, 0.0]), place[3], place[4] + tilt))
        polygon(canvas, rim, self.metal)
        middle = project(_tilted_circle(centre, 0.45 * place[3], place[4] + tilt))
        lines(canvas, [middle], 0.004 * unit, shade(self.metal, 0.75), closed=True)
        disc(canvas, project(centre[None])[0], 0.016 * unit, shade(self.metal, 1.2))

    def drums(self, canvas: Canvas, project: Project, unit: float) -> None:
        """The drums, which stand still."""
        for piece in (4, 1):
            head = np.array(DRUM_PLACES[piece])
            leg = project(np.stack([head, head * np.array([1.0, 0.0, 1.0])]))
            lines(canvas, [leg], 0.014 * unit, self.stand)
            self._drum(canvas, project, unit, piece)
        if self.crash:
            self._cymbal(canvas, project, unit, (0.31, 0.60, 0.30, 0.105, 0.3), 0.0)
        kick, radius = np.array(DRUM_PLACES[0]), _RADII[0]
        back = project(kick + radius * _UPRIGHT)
        front = project(kick + radius * _UPRIGHT + np.array([0.0, 0.0, 0.16]))
        hull(canvas, np.concatenate([back, front]), shade(self.shell, 0.85))
        polygon(canvas, front, self.shell)
        inner = project(kick + 0.86 * radius * _UPRIGHT + np.array([0.0, 0.0, 0.161]))
        polygon(canvas, inner, self.head)
        polygon(canvas, project(kick + 0.35 * radius * _UPRIGHT + np.array([0.0, 0.0, 0.162])), self.logo)
        self._drum(canvas, project, unit, 3)

    def beater(self, canvas: Canvas, project: Project, unit: float, pose: BodyPose) -> None:
        """The pedal's beater, behind the kick drum."""
        head = pose["beater"]
        rod = project(np.stack([head, np.array([head[0], 0.03, 0.33])]))
        lines(canvas, [rod], 0.012 * unit, self.metal)
        disc(canvas, rod[0], 0.02 * unit, self.head)

    def cymbals(self, canvas: Canvas, project: Project, unit: float, pose: BodyPose) -> None:
        """The cymbals, which swing."""
        for piece, lean in ((2, 0.05), (5, 0.25)):
            self._cymbal(canvas, project, unit, (*DRUM_PLACES[piece], _RADII[piece], lean), pose.tilt[piece])

    def sticks(self, canvas: Canvas, px: Points2, unit: float) -> None:
        """Both sticks, from a little behind the hand to the tip."""
        for side in ("left", "right"):
            hand, tip = px[J[f"{side}_hand"]], px[J[f"{side}_tip"]]
            limb(canvas, hand + (hand - tip) * 0.18, tip, 0.008 * unit, 0.0055 * unit, self.stick)
            disc(canvas, tip, 0.008 * unit, shade(self.stick, 1.15))

    def _keyboard_sizes(self) -> tuple[float, float, float, float, float]:
        """Half the width of the case, nearest and farthest z of the keys, z of the back, height of the bottom."""
        far = KEY_DEPTH + 0.075
        return 0.5 * KEYBOARD_WIDTH + 0.045, KEY_DEPTH - 0.07, far, far + 0.08, KEY_HEIGHT - self.slab

    def white_keys(self, canvas: Canvas, project: Project, unit: float, behind: bool) -> None:
        """The stand, the case below the keys and the white keys; `behind`: seen from the player's side."""
        half, near, far, back, bottom = self._keyboard_sizes()
        if self.upright:
            hull(canvas, _flat(project, (-half, half), 0.0, (near + 0.05, back + 0.05)), shade(self.case, 0.6))
        else:
            for z in (near + 0.03, back - 0.03):
                ends = project(np.array([[-0.26, 0.0, z], [0.26, bottom, z], [0.26, 0.0, z], [-0.26, bottom, z]]))
                lines(canvas, [ends[:2], ends[2:]], 0.02 * unit, self.stand)
        if behind:
            self._case(canvas, project)
        box = np.array([[x, y, z] for x in (-half, half) for y in (bottom, KEY_HEIGHT - 0.012) for z in (near, back)])
        hull(canvas, project(box), shade(self.case, 0.75))
        polygon(canvas, _flat(project, (-half, half), KEY_HEIGHT - 0.01, (near, back)), self.case)
        edge = float(_EDGES[0])
        polygon(canvas, _flat(project, (-edge, edge), KEY_HEIGHT - 0.004, (near + 0.008, far)), (238, 243, 245))
        ends = project(np.array([[x, KEY_HEIGHT - 0.003, z] for x in _EDGES for z in (near + 0.008, far)]))
        lines(canvas, list(ends.reshape(-1, 2, 2)), 0.0025 * unit, (120, 120, 125))

    def black_keys(self, canvas: Canvas, project: Project, unit: float, behind: bool) -> None:
        """The black keys and what is in front of them."""
        _, near, far, _, _ = self._keyboard_sizes()
        places = [float(_EDGES[i]) for i in range(1, _WHITES) if i % 7 not in (3, 0)]
        start, wide = near + 0.4 * (far - near), 0.28 * _STEP
        keys = [_flat(project, (x - wide, x + wide), KEY_HEIGHT, (start, far)) for x in places]
        shape(canvas, keys, (25, 22, 22))
        if not behind:
            self._case(canvas, project)

    def _case(self, canvas: Canvas, project: Project) -> None:
        """The panel behind the keys and the side towards the audience."""
        half, _, far, back, bottom = self._keyboard_sizes()
        rise = KEY_HEIGHT + (0.03 if self.upright else 0.012)
        polygon(canvas, _flat(project, (-half, half), rise, (far, back)), shade(self.case, 1.15))
        foot, deep = (0.0, back + 0.02) if self.upright else (bottom, back)
        front = np.array([[-half, rise, back], [half, rise, back], [half, foot, deep], [-half, foot, deep]])
        polygon(canvas, project(front), shade(self.case, 0.85))
        middle = 0.5 * (front[0] + front[2])
        sign = middle + np.array([[-0.06, -0.006, 0.0], [0.06, -0.006, 0.0], [0.06, 0.006, 0.0], [-0.06, 0.006, 0.0]])
        polygon(canvas, project(sign), self.logo)

    def pressed_keys(self, canvas: Canvas, project: Project, pose: BodyPose) -> None:
        """The white keys under fingers that are down, darker than the others."""
        _, near, far, _, _ = self._keyboard_sizes()
        for side, amount in zip(("left", "right"), pose.pressed, strict=True):
            if amount > 0.05:
                index = min(_WHITES - 1, max(0, int((float(_EDGES[0]) - pose[f"{side}_tip"][0]) / _STEP)))
                key = (float(_EDGES[index]) - 0.001, float(_EDGES[index + 1]) + 0.001)
                tint = mix((238, 243, 245), (150, 155, 165), min(1.0, amount))
                polygon(canvas, _flat(project, key, KEY_HEIGHT - 0.005, (near + 0.008, far)), tint)

    def strings(self, canvas: Canvas, project: Project, unit: float, pose: BodyPose) -> None:
        """A violin or cello: body, fingerboard, strings, scroll, and the cello's spike."""
        low, high = pose["low_end"], pose["high_end"]
        axis = high - low
        length = float(np.sqrt(axis @ axis))
        side = pose["side"] - low
        lift = np.array([axis[1] * side[2] - axis[2] * side[1], axis[2] * side[0] - axis[0] * side[2], 0.0])
        lift[2] = axis[0] * side[1] - axis[1] * side[0]
        cello = length > 0.5
        if lift[2 if cello else 1] < 0:
            lift = -lift
        lift /= float(np.sqrt(lift @ lift)) + 1e-9
        side = side * (length / (float(np.sqrt(side @ side)) + 1e-9))
        body = low + _OUTLINE[:, :1] * axis + _OUTLINE[:, 1:] * side
        if cello:
            spike = project(np.stack([low, np.array([low[0] - 0.02, 0.0, low[2] + 0.06])]))
            lines(canvas, [spike], 0.01 * unit, self.metal)
        thick = 0.03 if cello else 0.012
        shape(canvas, [project(body - lift * thick)], shade(self.wood, 0.55))
        shape(canvas, [project(body)], self.wood)
        shape(canvas, [project(low + (body - low) * 0.9 + axis * 0.027 + lift * 0.002)], shade(self.wood, 1.2))
        spots = [(0.20, -0.045, 0.30, -0.035), (0.20, 0.045, 0.30, 0.035)]
        marks = [project(np.stack([low + a * axis + b * side, low + c * axis + d * side])) for a, b, c, d in spots]
        lines(canvas, marks, 0.012 * length * unit, (15, 15, 20))
        ends = project(
            np.stack([low + u * axis + lift * h for u, h in ((0.34, 0.012), (0.93, 0.004), (0.08, 0.01), (1.0, 0.0))])
        )
        limb(canvas, ends[0], ends[1], 0.026 * length * unit, 0.018 * length * unit, (22, 24, 30))
        limb(canvas, ends[2], 0.6 * ends[2] + 0.4 * ends[0], 0.012 * length * unit, 0.022 * length * unit, (22, 24, 30))
        bridge = project(np.stack([low + 0.27 * axis - 0.04 * side, low + 0.27 * axis + 0.04 * side]) + lift * 0.02)
        lines(canvas, [bridge], 0.014 * length * unit, (130, 185, 215))
        lines(canvas, [np.stack([ends[2], ends[1]])], 0.006 * length * unit, (205, 210, 215))
        disc(canvas, ends[3], 0.026 * length * unit, shade(self.wood, 0.8))

    def bow(self, canvas: Canvas, px: Points2, unit: float) -> None:
        """The bow: its hair on the string and its stick beside it."""
        frog, tip = px[J["frog"]], px[J["right_tip"]]
        way = tip - frog
        side = np.array([-way[1], way[0]]) / (math.hypot(*way.tolist()) + 1e-9)
        if side[1] > 0:
            side = -side
        lines(canvas, [np.stack([frog, tip])], 0.007 * unit, self.hair)
        start, end = frog - way * 0.04 + side * 0.02 * unit, tip + side * 0.012 * unit
        limb(canvas, start, end, 0.0065 * unit, 0.004 * unit, self.stick)
        limb(canvas, frog, frog + side * 0.018 * unit, 0.009 * unit, 0.008 * unit, (25, 25, 28))
        limb(canvas, tip, end, 0.006 * unit, 0.005 * unit, self.hair)

    def air(self, canvas: Canvas, project: Project, unit: float) -> None:
        """A box on a stand with a loop at the player's left, and at the right an antenna with a ball at each end."""
        half, height = self.box
        y, z = 0.52, 0.27
        legs = np.array(
            [[0.0, y - height, z], [0.0, 0.06, z], [-0.1, 0.0, z + 0.05], [0.1, 0.0, z + 0.05], [0.0, 0.0, z - 0.1]]
        )
        stand = project(legs)
        lines(canvas, [stand[[0, 1]], stand[[1, 2]], stand[[1, 3]], stand[[1, 4]]], 0.013 * unit, self.stand)
        box = np.array([[a, b, c] for a in (-half, half) for b in (y - height, y) for c in (z - 0.05, z + 0.05)])
        corners = project(box)
        hull(canvas, corners, shade(self.wood, 0.7))
        polygon(canvas, corners[[1, 3, 7, 5]], self.wood)
        polygon(canvas, corners[[2, 3, 7, 6]], shade(self.wood, 1.25))
        knobs = project(np.array([[x, y - 0.5 * height, z + 0.051] for x in (-0.06, -0.02, 0.02, 0.06)]))
        for knob in knobs:
            disc(canvas, knob, 0.009 * unit, (30, 30, 32))
        x, depth = AIR_ROD
        heights = (0.0, AIR_HEIGHT, AIR_HEIGHT + AIR_REACH)
        rod = project(np.array([[x, height, depth] for height in heights]))
        lines(canvas, [rod[:2]], 0.012 * unit, self.stand)
        limb(canvas, rod[1], rod[2], 0.010 * unit, 0.010 * unit, self.metal)
        for end in rod[1:]:
            disc(canvas, end, 0.017 * unit, self.metal)
        loop = 0.045 * CIRCLE * np.array([1.5, 0.6])
        ring = np.stack([half + 0.06 + loop[:, 0], np.full(24, y - 0.4 * height), z + loop[:, 1]], axis=1)
        lines(canvas, [project(ring)], 0.011 * unit, self.metal, closed=True)
