"""What moves and makes no sound: the players' bodies, other people and things, and the struck things' own swing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from performers.hits.movers import Mover, still
from performers.hits.sprites import draw_body, draw_limb, draw_thing
from performers.hits.striking import StrikingLimb
from performers.hits.strokes import path_times, wander
from performers.hits.timing import HIT

Points = NDArray[np.float64]


def draw_player_body(rng: np.random.Generator, limbs: list[StrikingLimb], side: float, duration_s: float) -> Mover:
    """Head and trunk behind the limbs; they sway, and nod a little with the strokes."""
    times = path_times(duration_s)
    limb = limbs[0].mover
    height = side * float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
    sprite = draw_body(rng).scaled(height / 256.0)
    at = limb.place.mean(0) + rng.normal(0.0, 0.2, 2) * side + (0.0, 0.6 * height)
    sway = wander(rng, times.size, float(rng.uniform(0.3, 1.5)), side * float(np.exp(rng.uniform(-6.0, -3.2))))
    nod = float(rng.uniform(0.0, 0.2)) * (limb.place - limb.place.mean(0)) if rng.random() < 0.5 else 0.0
    angle = wander(rng, times.size, 1.0, float(np.exp(rng.uniform(-5.5, -3.0))), 1)[:, 0]
    return Mover(sprite, at + sway + nod, angle, np.ones(times.size))


def _unrelated_path(rng: np.random.Generator, times: Points, side: float, traces: Points | None) -> Points:
    """A to and fro, a random walk, recorded traces, or a passage through the picture: float64 [N, 2]."""
    form = int(rng.integers(4))
    size = side * float(np.exp(rng.uniform(np.log(0.01), np.log(0.35))))
    if form == 0:
        hertz = float(np.exp(rng.uniform(np.log(0.2), np.log(3.5))))
        swing = np.sin(2.0 * np.pi * hertz * times + rng.uniform(0.0, 6.0))
        if rng.random() < 0.5:
            swing = swing * np.clip(wander(rng, times.size, 0.8, 1.0, 1)[:, 0], 0.0, 2.0)
        return np.asarray(swing[:, None] * size * rng.normal(0.0, 0.7, 2))
    if form == 1 or (form == 2 and traces is None):
        return wander(rng, times.size, float(rng.uniform(0.1, 0.6)), size)
    if form == 2 and traces is not None:
        chain = traces[rng.integers(0, len(traces), 24)]
        steps = np.diff(chain, axis=1).reshape(-1, 2)
        path = np.cumsum(steps, axis=0)
        at = np.linspace(0.0, float(rng.uniform(0.5, 1.0)) * (len(path) - 1), times.size)
        path = np.stack([np.interp(at, np.arange(len(path)), axis) for axis in path.T], axis=-1)
        return np.asarray(0.5 * side * np.tanh(2.0 * path))
    speed = side * rng.normal(0.0, 0.25) * np.array([1.0, rng.normal(0.0, 0.2)])
    return np.asarray((times - rng.uniform(0.0, times[-1]))[:, None] * speed)


def draw_other(
    rng: np.random.Generator,
    size: tuple[int, int],
    duration_s: float,
    hands: Points | None = None,
    traces: Points | None = None,
) -> Mover:
    """Somebody or something else that moves, anywhere in the picture; it makes no sound."""
    times, side = path_times(duration_s), float(max(size))
    sprite = draw_body(rng) if rng.random() < 0.35 else draw_limb(rng, hands)
    sprite = sprite.scaled(float(np.exp(rng.uniform(np.log(0.25), np.log(1.3)))) * side / 256.0)
    upright = sprite.kind == "body"
    at = rng.uniform(-0.1, 1.1, 2) * size + ((0.0, 0.5 * sprite.image.shape[0]) if upright else (0.0, 0.0))
    angle = wander(rng, times.size, float(rng.uniform(0.2, 1.0)), 0.03 if upright else float(rng.uniform(0.0, 0.4)), 1)
    turned = 0.0 if upright else float(rng.uniform(-np.pi, np.pi))
    return Mover(sprite, at + _unrelated_path(rng, times, side, traces), turned + angle[:, 0], np.ones(times.size))


def draw_struck_thing(
    rng: np.random.Generator, place: Points, limbs: list[StrikingLimb], side: float, duration_s: float
) -> Mover:
    """What lies at a place that is struck; it stays, or swings and dies away after each hit."""
    times = path_times(duration_s)
    sprite = draw_thing(rng).scaled(side * float(np.exp(rng.uniform(np.log(0.12), np.log(0.9)))) / 256.0)
    thing = still(sprite, place + rng.normal(0.0, 0.04, 2) * side, float(rng.normal(0.0, 0.4)), times.size)
    if rng.random() < 0.5:
        return thing
    swing_px = float(np.exp(rng.uniform(np.log(0.4), np.log(8.0)))) * side / 256.0
    tau_s, hertz = float(rng.uniform(0.04, 0.4)), float(rng.uniform(2.0, 14.0))
    swing = np.zeros(times.size)
    for limb in limbs:
        hits = [stroke for stroke in limb.strokes if stroke.kind == HIT]
        for hit, contact in zip(hits, limb.contacts, strict=True):
            if np.hypot(*(contact - place)) < 0.1 * side:
                since = np.maximum(times - hit.t_s, 0.0)
                swing += hit.strength * np.exp(-since / tau_s) * np.sin(2.0 * np.pi * hertz * since)
    heading = np.array([rng.normal(), rng.normal() + 1.0])
    moved = thing.place + swing[:, None] * swing_px * heading / np.hypot(*heading)
    tilt = thing.angle + swing * float(rng.uniform(0.0, 0.12))
    return Mover(sprite, moved, tilt, thing.scale)
