"""The modes of a person: the torso sways and bounces about the hips, a rigid head tilts and nods, arms turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.infill import smoothstep
from streaming.scenes.making.modes.mode_draft import Floats, Grid, ModeDraft

LIMIT = 0.036
"""The longest displacement of any person at an amplitude of 1, in longer sides."""
ROOT_SHARE = 0.35
"""Share of the torso, from its root up, over which a sway sets in."""
SHOULDERS, HIPS, EARS, FACE = (11, 12), (23, 24), (7, 8), slice(0, 11)
ARMS = (("arm_left", 11, 13, 15, 1.0), ("arm_right", 12, 14, 16, -1.0))
"""Each arm's mode, shoulder, elbow and wrist among the body's points, and the way of its turn."""

Point = NDArray[np.float64]


@dataclass(frozen=True)
class PersonFrame:
    """A person's joints and axes, in pixels of the picture.

    Attributes:
        points: float64 [33, 2].
        visibility: float64 [33], 0 to 1.
        base: [2], where the person is held: between the hips, or where the picture's side cuts the body off.
        up: [2], length 1, from there to the shoulders.
        torso: the distance between them.
        neck: [2].
        head: [2], from the neck to the middle of the head.
        head_radius: of the head.
        sides: of "left", "right", "bottom", those that cut the person off.
    """

    points: Point
    visibility: Point
    base: Point
    up: Point
    torso: float
    neck: Point
    head: Point
    head_radius: float
    sides: tuple[str, ...]


def measure_person(points: Point, visibility: Point, cover: Floats) -> PersonFrame:
    """A person's joints and axes from the body's points [33, 2], their visibility [33], and the cover [H, W]."""
    height = cover.shape[0]
    ys, xs = np.nonzero(cover > 0.5)
    shoulders, hips = points[list(SHOULDERS)].mean(0), points[list(HIPS)].mean(0)
    ears, face = points[list(EARS)].mean(0), points[FACE].mean(0)
    base = hips
    if len(ys) and (hips[1] > height or visibility[list(HIPS)].mean() < 0.3 or (points[list(HIPS), 1] > height).any()):
        lowest = ys > ys.max() - 6
        base = np.array([xs[lowest].mean(), float(min(height, ys.max()))])
    up = shoulders - base
    torso = float(np.linalg.norm(up)) + 1e-6
    radius = max(
        0.75 * float(np.linalg.norm(points[EARS[0]] - points[EARS[1]])),
        0.42 * float(np.linalg.norm(ears - shoulders)),
        0.14 * torso,
    )
    neck = shoulders + 0.1 * (face - shoulders)
    least = 0.1 * np.sqrt(max(len(ys), 1))
    touched = {
        "left": (cover[:, :2].max(1) > 0.5).sum(),
        "right": (cover[:, -2:].max(1) > 0.5).sum(),
        "bottom": (cover[-2:].max(0) > 0.5).sum(),
    }
    sides = tuple(side for side, count in touched.items() if count > least)
    return PersonFrame(points, visibility, base, up / torso, torso, neck, ears - neck, radius, sides)


def make_person_modes(person: PersonFrame, grid: Grid, size: tuple[int, int]) -> list[ModeDraft]:
    """The modes of a person, the most important first.

    Args:
        person: the joints.
        grid: of the person's layer.
        size: width and height of the picture.
    """
    longer = max(size)
    pinned = _pinned(person, grid, size)
    up = person.up.astype(np.float32)
    height = grid.along(person.base, person.up) / person.torso
    torso = smoothstep(height) * pinned
    # Above the hips all of the body turns as one: a head that rides on it stays what it is.
    sway_weight = smoothstep(height / ROOT_SHARE) * pinned
    length = float(np.linalg.norm(person.head)) + 1e-6
    head_way = person.head / length
    head = _head_weight(person, grid, head_way, length)
    sway = min(LIMIT, 0.17 * person.torso / longer)
    tilt = min(0.7 * LIMIT, 0.19 * length / longer)
    hz = float(np.clip(1.35 * np.sqrt(0.34 * longer / person.torso), 0.9, 2.0))
    found = [
        ModeDraft("sway", hz, 0.28, sway, sway_weight[..., None] * grid.turn(person.base)),
        ModeDraft("bounce", 2.6, 0.48, 0.38 * sway, -torso[..., None] * up),
        ModeDraft("tilt", 1.9, 0.32, tilt, head[..., None] * grid.turn(person.neck)),
        ModeDraft(
            "nod", 3.1, 0.44, min(0.3 * LIMIT, 0.07 * length / longer), -head[..., None] * head_way.astype(np.float32)
        ),
    ]
    for name, shoulder, elbow, wrist, sign in ARMS:
        if person.visibility[elbow] >= 0.4:
            weight, arm = _arm_weight(person, grid, shoulder, elbow, wrist)
            field = sign * (weight * pinned)[..., None] * grid.turn(person.points[shoulder])
            found.append(ModeDraft(name, 2.3, 0.34, min(0.6 * LIMIT, 0.1 * arm / longer), field))
    return found


def _head_weight(person: PersonFrame, grid: Grid, way: Point, length: float) -> Floats:
    """1 on the whole head, so that it stays rigid, 0 from the neck down."""
    height = grid.along(person.neck, way) / length
    side = np.abs(grid.along(person.neck, np.array([-way[1], way[0]])))
    return smoothstep((height - 0.12) / 0.42) * smoothstep((2.5 * person.head_radius - side) / person.head_radius)


def _arm_weight(person: PersonFrame, grid: Grid, shoulder: int, elbow: int, wrist: int) -> tuple[Floats, float]:
    """1 on an arm, 0 on the torso, the head and at the shoulder; and the arm's length."""
    points = person.points
    start, bend, end = points[shoulder], points[elbow], points[wrist]
    upper, fore = bend - start, end - bend
    soft = max(0.18 * float(np.linalg.norm(points[SHOULDERS[0]] - points[SHOULDERS[1]])), 6.0)
    # The hand reaches beyond the wrist.
    to_arm = np.minimum(_to_line(grid, (start + bend) / 2, bend), _to_line(grid, bend, end + 0.4 * fore))
    shoulders, hips = points[list(SHOULDERS)].mean(0), points[list(HIPS)].mean(0)
    ears = points[list(EARS)].mean(0)
    left, right = points[SHOULDERS[0]], points[SHOULDERS[1]]
    lines = (
        (shoulders, hips),
        (0.8 * left + 0.2 * shoulders, 0.8 * right + 0.2 * shoulders),
        (0.7 * left + 0.3 * right, 0.7 * points[HIPS[0]] + 0.3 * points[HIPS[1]]),
        (0.7 * right + 0.3 * left, 0.7 * points[HIPS[1]] + 0.3 * points[HIPS[0]]),
    )
    to_torso = np.min([_to_line(grid, one, other) for one, other in lines], 0)
    weight = smoothstep((to_torso - to_arm) / (2 * soft) + 0.35)
    weight = weight * smoothstep((_to_line(grid, shoulders, ears) - to_arm) / soft + 0.5)
    from_shoulder = np.linalg.norm(grid.offsets(start), axis=-1)
    weight = weight * smoothstep(from_shoulder / (0.6 * float(np.linalg.norm(upper)) + 1))
    return weight, float(np.linalg.norm(upper) + np.linalg.norm(fore))


def _to_line(grid: Grid, one: Point, other: Point) -> Floats:
    """The distance of each cell to the line between two points, in pixels."""
    way = other - one
    away = grid.offsets(one)
    share = np.clip((away @ way.astype(np.float32)) / (float(way @ way) + 1e-6), 0, 1)
    return np.asarray(np.linalg.norm(away - share[..., None] * way.astype(np.float32), axis=-1), np.float32)


def _pinned(person: PersonFrame, grid: Grid, size: tuple[int, int]) -> Floats:
    """1 inside the picture, 0 at the sides that cut the person off."""
    margin = 0.1 * max(size)
    distances = {"left": grid.x, "right": size[0] - grid.x, "bottom": size[1] - grid.y}
    weight = np.ones(grid.x.shape, np.float32)
    for side in person.sides:
        weight *= smoothstep(distances[side] / margin)
    return weight
