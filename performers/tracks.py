"""Motion as keyframes: a track is a path in time with a shape for each segment, read at any time in any order."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMOOTH, STRIKE, BOUNCE, BOW = range(4)
"""Shapes of a segment: at rest at both ends; fastest at its end; fastest at its start; an even draw with a swell."""

LEAD_S = 0.25
"""A limb starts to prepare at most this many seconds before its note."""
DESCENT_S = 0.08
"""Length of the fast last part of a strike, in seconds."""
_RAMP, _RAMP_S, _LONGEST_RAMP = 0.06, 0.06, 0.3
"""How an even draw starts and stops: within this share of its length, or within so many seconds if that is more."""
_SWELL = 0.3

Vector = tuple[float, float, float]
Key = tuple[float, Sequence[float], int]
"""Time in seconds, value, and the shape of the segment that leads to it."""


def ease(shape: int, s: float, length_s: float = 1.0) -> float:
    """Progress along a segment (0..1) at fraction `s` (0..1) of its time, which lasts `length_s` seconds."""
    if shape == SMOOTH:
        return s * s * (3.0 - 2.0 * s)
    if shape == STRIKE:
        return s * s
    if shape == BOUNCE:
        return s * (2.0 - s)
    ramp = min(_LONGEST_RAMP, max(_RAMP, _RAMP_S / length_s))
    if s < ramp:
        even = s * s / (2.0 * ramp * (1.0 - ramp))
    elif s > 1.0 - ramp:
        even = 1.0 - (1.0 - s) ** 2 / (2.0 * ramp * (1.0 - ramp))
    else:
        even = (s - ramp / 2.0) / (1.0 - ramp)
    return (1.0 - _SWELL) * even + _SWELL * (s - math.sin(2.0 * math.pi * s) / (2.0 * math.pi))


class Track:
    """A path through keyframes.

    Args:
        keys: in order of time; a key that is not later than the one before is moved 1 µs behind it.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        times = np.array([key[0] for key in keys], dtype=np.float64)
        steps = np.arange(times.size) * 1e-6
        # Lists: bisect on one takes 0.3 microseconds, searchsorted with a scalar takes 3.
        self._times: list[float] = (np.maximum.accumulate(times - steps) + steps).tolist()
        self._values = [tuple(key[1]) for key in keys]
        self._shapes = [key[2] for key in keys]

    def at(self, t_s: float) -> list[float]:
        """The value at a time; constant before the first key and after the last."""
        index = bisect.bisect_right(self._times, t_s)
        if index == 0:
            return list(self._values[0])
        first = self._values[index - 1]
        if index == len(self._times):
            return list(first)
        second = self._values[index]
        if first == second:
            return list(first)
        start, end = self._times[index - 1], self._times[index]
        part = ease(self._shapes[index], (t_s - start) / (end - start), end - start)
        return [a + (b - a) * part for a, b in zip(first, second, strict=True)]


@dataclass(frozen=True)
class Strike:
    """A moment at which a limb arrives.

    Attributes:
        t_s: the moment.
        point: where it arrives [3].
        lift: from the point to where the fast descent starts [3].
        hold_s: how long it stays.
    """

    t_s: float
    point: Vector
    lift: Vector
    hold_s: float = 0.0


def _sum(a: Sequence[float], b: Sequence[float], factor: float) -> Vector:
    return a[0] + b[0] * factor, a[1] + b[1] * factor, a[2] + b[2] * factor


def strike_track(strikes: Sequence[Strike], start: Vector, rebound: float = 0.35, home: Vector | None = None) -> Track:
    """The path of a limb that strikes: lift, fast descent that is fastest on arrival, hold, rebound, wait.

    Args:
        strikes: in order of time.
        start: where the limb is before it first prepares [3].
        rebound: how high it comes back, as a share of the lift just made.
        home: where it goes after a strike that leaves time for it; None to wait at the rebound.

    Returns:
        A track of 3 values.
    """
    keys: list[Key] = [(0.0, start, SMOOTH)]
    now: Vector = start
    free = -1.0
    for index, strike in enumerate(strikes):
        gap = strike.t_s - free
        descent = min(DESCENT_S, 0.4 * gap)
        top = _sum(strike.point, strike.lift, min(1.0, math.sqrt(gap / LEAD_S)))
        begin = max(strike.t_s - LEAD_S, keys[-1][0] if index else -10.0)
        keys += [(begin, now, SMOOTH), (strike.t_s - descent, top, SMOOTH), (strike.t_s, strike.point, STRIKE)]
        ahead = strikes[index + 1].t_s - strike.t_s if index + 1 < len(strikes) else 10.0
        hold = min(strike.hold_s, ahead - min(0.2, 0.6 * ahead))
        free = strike.t_s + hold
        if hold > 0.0:
            keys.append((free, strike.point, SMOOTH))
        spare = ahead - hold
        now = _sum(strike.point, strike.lift, rebound)
        if home is not None and spare > 0.4:
            now = home
            keys.append((free + 0.2, home, SMOOTH))
        elif rebound > 0.0:
            keys.append((free + min(0.11, 0.35 * spare), now, BOUNCE))
    if keys[1:] and keys[1][0] < 0.0:
        keys = keys[1:]
    return Track(keys)
