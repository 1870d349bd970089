"""How a striking limb moves: its strokes, its moves between the places that it strikes, and its unrest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from performers.hits.movers import Forearm, Mover, turn_about
from performers.hits.sprites import WIDTH, Sprite, draw_forearm, draw_limb
from performers.hits.strokes import LONGEST_LEAD_S, draw_style, lead_limb, path_times, stroke_path, wander
from performers.hits.timing import HIT, Stroke

SMALLEST, LARGEST = 0.4, 1.7
"""Length of a limb in sides of the frame; what a limb drawn at 1.6 has on its canvas is up to 1.8 long."""
SHORTEST_STROKE, LONGEST_STROKE = 0.05, 0.9
"""Lift of the tip at full strength in sides of the frame; soft strokes are down to half of it."""
TRACE_S = 0.5
"""Length of a recorded trace of a hand."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class StrikingLimb:
    """A limb, and the truth about it.

    Attributes:
        mover: what is drawn.
        strokes: what it does, in order.
        contacts: places of its hits, float64 [hits, 2] in pixels of the scene.
        lead_s: the limb stops that long before the tip makes contact.
    """

    mover: Mover
    strokes: list[Stroke]
    contacts: Points
    lead_s: float


def draw_direction(rng: np.random.Generator) -> Points:
    """The direction of a down-swing on the picture, mostly downwards: float64 [2], length 1."""
    angle = rng.normal(0.0, 0.45) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
    return np.array([np.sin(angle), np.cos(angle)])


def _lead_of(rng: np.random.Generator, kind: str) -> float:
    if kind == "blob":
        return 0.0
    return float(rng.uniform(0.0, LONGEST_LEAD_S if kind in ("stick", "mallet") else 0.6 * LONGEST_LEAD_S))


def _between(rng: np.random.Generator, traces: Points | None, length: int) -> Points:
    """A detour that begins and ends at 0 and is about 1 wide: a recorded trace of a hand, or an arc; [length, 2]."""
    u = np.linspace(0.0, 1.0, length)
    if traces is None or rng.random() < 0.3:
        return np.asarray(np.sin(np.pi * u)[:, None] ** 2 * rng.normal(0.0, 1.0, 2))
    trace = traces[int(rng.integers(len(traces)))]
    at = np.linspace(0.0, 1.0, len(trace))
    path = np.stack([np.interp(u, at, axis) for axis in trace.T], axis=-1)
    path = path - (path[0] + u[:, None] * (path[-1] - path[0]))
    return np.asarray(path / (np.abs(path).max() + 1e-3))


def travel(
    rng: np.random.Generator, strokes: list[Stroke], places: Points, traces: Points | None, side: float, times: Points
) -> tuple[Points, Points]:
    """Moves from the place of one hit to that of the next, with detours where there is time.

    Args:
        rng: random generator.
        strokes: of the limb.
        places: it strikes one of them at each hit, float64 [P, 2].
        traces: recorded traces of hands [M, 16, 2], or None.
        side: of the frame in pixels.
        times: of the samples [N].

    Returns:
        Where the tip would be without lifting [N, 2], and the places of the hits [hits, 2].
    """
    hits = [stroke for stroke in strokes if stroke.kind == HIT]
    chosen = places[rng.integers(0, len(places), len(hits))] if rng.random() < 0.6 else places[[0] * len(hits)]
    path = np.tile(chosen[0] if len(hits) else places[0], (times.size, 1))
    stray = float(rng.choice([0.0, 0.3, 0.7]))
    for (before, after), (start, end) in zip(pairwise(hits), pairwise(chosen), strict=True):
        gap = after.t_s - before.t_s
        u = np.clip((times - before.t_s - 0.1 * gap) / (0.6 * gap), 0.0, 1.0)
        path += (u**3 * (10.0 - 15.0 * u + 6.0 * u * u))[:, None] * (end - start)
        if gap > 0.8 and rng.random() < stray:
            first, last = np.searchsorted(times, [before.t_s + 0.15, after.t_s - 0.35])
            size = side * float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
            path[first:last] += size * _between(rng, traces, last - first)
    return path, chosen.reshape(-1, 2)


def _pose(rng: np.random.Generator, sprite: Sprite, direction: Points) -> tuple[float, float]:
    """The limb's angle at contact, about across the stroke, and which way it turns when it is lifted (-1 or 1)."""
    across = np.arctan2(direction[1], direction[0]) + float(rng.choice([-0.5, 0.5])) * np.pi
    angle = float(across + rng.normal(0.0, 0.6))
    normal = np.array([-np.sin(angle), np.cos(angle)])
    return angle, 1.0 if float(normal @ -direction) > 0 else -1.0


def draw_striking_limb(
    rng: np.random.Generator,
    strokes: list[Stroke],
    places: Points,
    side: float,
    duration_s: float,
    hands: Points | None = None,
    traces: Points | None = None,
) -> StrikingLimb:
    """Draw a limb and everything that it does.

    Args:
        rng: random generator.
        strokes: what it does, in order.
        places: what it strikes lies there, float64 [P, 2] in pixels of the scene.
        side: of the frame in pixels.
        duration_s: length of the clip in seconds.
        hands: recorded hands [M, 21, 2], see `hand_shapes.straighten`.
        traces: recorded traces of hands [M, 16, 2].
    """
    times = path_times(duration_s)
    size = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
    sprite = draw_limb(rng, hands).scaled(size * side / WIDTH)
    lift = stroke_path(rng, strokes, draw_style(rng), duration_s)
    lead_s = _lead_of(rng, sprite.kind)
    limb_lift = lead_limb(lift, lead_s, float(rng.uniform(0.0, 0.02)) if lead_s else 0.0)
    direction = draw_direction(rng)
    stroke_px = side * float(np.exp(rng.uniform(np.log(SHORTEST_STROKE), np.log(LONGEST_STROKE))))
    angle, turn = _pose(rng, sprite, direction)
    arm = max(float(np.hypot(*(sprite.tip - sprite.pivot))), 8.0)
    share = float(rng.uniform(0.2 if lead_s < 0.03 else 0.4, 0.85)) if sprite.kind != "blob" else 0.1
    swing = turn * min(stroke_px * share / arm, 1.6)
    ground, contacts = travel(rng, strokes, places, traces, side, times)
    unrest = side * float(np.exp(rng.uniform(np.log(0.001), np.log(0.03))))
    ground = ground + wander(rng, times.size, float(rng.uniform(0.2, 1.0)), unrest)
    reach = turn_about(angle, 1.0, sprite.pivot, np.zeros(2))[:2] @ np.append(sprite.tip, 1.0)
    place = ground - reach - direction * (stroke_px * (1.0 - share)) * limb_lift[:, None]
    shaking = wander(rng, times.size, float(rng.uniform(0.2, 1.0)), float(np.exp(rng.uniform(-5.8, -2.5))), 1)[:, 0]
    depth = float(rng.uniform(-0.3, 0.5)) if rng.random() < 0.3 else 0.0
    mover = Mover(sprite, place, angle + swing * lift + shaking, np.exp(depth * limb_lift * min(stroke_px / side, 0.5)))
    return StrikingLimb(mover, strokes, contacts, lead_s)


def draw_elbow(rng: np.random.Generator, limb: Mover, side: float, duration_s: float) -> Forearm:
    """A forearm that carries a limb; its elbow hardly moves, and often lies outside of the frame."""
    times = path_times(duration_s)
    length = side * float(rng.uniform(0.3, 1.0))
    angle = float(limb.angle.mean() + rng.normal(0.0, 0.5))
    root = limb.place - limb.place.mean(0)
    along = np.array([np.cos(angle), np.sin(angle)])
    start = limb.place.mean(0) - along * (limb.sprite.pivot[0] + length)
    unrest = wander(rng, times.size, float(rng.uniform(0.3, 1.0)), side * float(np.exp(rng.uniform(-7.0, -4.0))))
    elbow = start + float(rng.uniform(0.0, 0.5)) * root + unrest
    thick = limb.sprite.image.shape[0] / 128.0 * float(rng.uniform(0.4, 0.8))
    return Forearm(draw_forearm(rng).scaled(thick), limb, elbow)
