"""Stroke kinematics: how far a limb is lifted from what it strikes, at every moment of a clip.

A stroke is wind-up, wait, down-swing of 50 to 280 ms that is fastest on contact, and then a dead stop, a rebound or a
push-through. Paths are sampled every 5 ms, from half a second before the clip on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from performers.hits.timing import HALT, HIT, LIFT, Stroke

STEP_S = 0.005
"""Time between the samples of a path."""
BEFORE_S, AFTER_S = 0.5, 0.5
"""Paths begin and end that much before and after the clip."""
FASTEST_S, SLOWEST_S = 0.05, 0.28
"""Shortest and longest down-swing."""
LONGEST_LEAD_S = 0.09
"""A limb stops at most that long before the tip that it carries makes contact."""

Path = NDArray[np.float64]


def path_times(duration_s: float) -> Path:
    """Times of a path's samples in seconds from the start of the clip: float64 [N]."""
    return np.arange(round((duration_s + BEFORE_S + AFTER_S) / STEP_S), dtype=np.float64) * STEP_S - BEFORE_S


def value_at(path: Path, t_s: float) -> NDArray[np.float64]:
    """A path [N] or [N, K] at a time, linear between samples and constant beyond the ends."""
    place = min(max((t_s + BEFORE_S) / STEP_S, 0.0), len(path) - 1.001)
    first = int(place)
    return np.asarray(path[first] + (place - first) * (path[first + 1] - path[first]))


@dataclass(frozen=True)
class StrokeStyle:
    """How one limb strikes throughout a clip.

    Attributes:
        ending: what follows a hit: "dead", "rebound", "push" or "mixed".
        descent_s: length of the down-swing.
        power: the down-swing falls as 1 - u ** power; its speed on contact is power times the mean.
        height_power: lifts are strength ** height_power high.
        rise_s: longest time of the wind-up.
        low: share of the spare time that is waited at the surface; the rest is waited at the top.
    """

    ending: str
    descent_s: float
    power: float
    height_power: float
    rise_s: float
    low: float


def draw_style(rng: np.random.Generator) -> StrokeStyle:
    """Draw how a limb strikes."""
    return StrokeStyle(
        ending=str(rng.choice(["dead", "rebound", "push", "mixed"])),
        descent_s=float(np.exp(rng.uniform(np.log(FASTEST_S), np.log(SLOWEST_S)))),
        power=float(rng.uniform(1.5, 3.2)),
        height_power=float(rng.uniform(0.3, 1.0)),
        rise_s=float(rng.uniform(0.1, 0.6)),
        low=float(rng.choice([0.0, rng.uniform(0.0, 1.0), 1.0])),
    )


class _PathWriter:
    """Fills a path segment by segment."""

    def __init__(self, times: Path, start: float) -> None:
        self.times, self.values = times, np.full(times.size, start)
        self.now_s, self.value = float(times[0]), start

    def go(self, until_s: float, value: float, shape: str, power: float = 2.0) -> None:
        """Go to a value: "strike" is fastest at its end, "bounce" at its start, "smooth" rests at both ends."""
        length = until_s - self.now_s
        if length > 0.0:
            first, last = np.searchsorted(self.times, [self.now_s, until_s])
            u = (self.times[first:last] - self.now_s) / length
            ease = {"strike": u**power, "bounce": u * (2.0 - u), "smooth": u * u * (3.0 - 2.0 * u)}[shape]
            self.values[first:last] = self.value + (value - self.value) * ease
            self.now_s = until_s
        self.value = value
        self.values[np.searchsorted(self.times, self.now_s) :] = value


def _end_hit(rng: np.random.Generator, writer: _PathWriter, style: StrokeStyle, height: float, free_s: float) -> None:
    """What follows a contact: nothing, a push-through, or a rebound."""
    ending = str(rng.choice(["dead", "rebound", "push"])) if style.ending == "mixed" else style.ending
    if rng.random() < 0.05:
        ending = "push"
    if ending == "push":
        length = min(float(rng.uniform(0.06, 0.16)), 0.6 * free_s)
        contact = writer.now_s
        writer.go(contact + 0.5 * length, -height * float(rng.uniform(0.1, 0.5)), "bounce")
        writer.go(contact + length, 0.0, "smooth")
    elif ending == "rebound":
        length = min(float(rng.uniform(0.05, 0.15)), 0.4 * free_s)
        writer.go(writer.now_s + length, height * float(rng.uniform(0.1, 0.7)), "bounce")


def stroke_path(
    rng: np.random.Generator, strokes: list[Stroke], style: StrokeStyle, duration_s: float
) -> NDArray[np.float64]:
    """How far the tip is lifted: 0 on the surface, about 1 for the highest lift, below 0 where it pushes through.

    Args:
        rng: random generator.
        strokes: of one limb, in order of time.
        style: how it strikes.
        duration_s: length of the clip in seconds.

    Returns:
        float64 [N], sampled at `path_times`.
    """
    writer = _PathWriter(path_times(duration_s), float(rng.uniform(0.0, 1.0) * (rng.random() < 0.7)))
    for stroke in strokes:
        gap = stroke.t_s - writer.now_s
        if gap <= 2.0 * STEP_S:
            continue
        height = max(0.05, stroke.strength**style.height_power) * float(rng.uniform(0.8, 1.2))
        descent = min(style.descent_s * float(rng.uniform(0.8, 1.25)), 0.5 * gap)
        top_s = stroke.t_s - descent
        rise = min(style.rise_s * float(rng.uniform(0.7, 1.2)), max(0.02, 0.9 * (top_s - writer.now_s)))
        spare = max(0.0, top_s - writer.now_s - rise)
        writer.go(writer.now_s + style.low * spare, writer.value, "smooth")
        writer.go(writer.now_s + rise, height, "bounce" if rng.random() < 0.5 else "smooth")
        writer.go(top_s, height, "smooth")
        if stroke.kind == HIT:
            writer.go(stroke.t_s, 0.0, "strike", style.power)
            _end_hit(rng, writer, style, height, 0.35 * gap)
        elif stroke.kind == HALT:
            writer.go(stroke.t_s, height * float(rng.uniform(0.3, 0.7)), "smooth")
        elif stroke.kind != LIFT:
            writer.go(stroke.t_s + float(rng.uniform(0.0, 0.2)), 0.0, "smooth")
    return writer.values


def lead_limb(tip: NDArray[np.float64], lead_s: float, smooth_s: float) -> NDArray[np.float64]:
    """The path of the limb that carries a tip: earlier by `lead_s`, and rounded over about `smooth_s`.

    The limb's hardest deceleration lies `lead_s` before the tip's contact.
    """
    earlier = np.concatenate([tip[round(lead_s / STEP_S) :], np.full(round(lead_s / STEP_S), tip[-1])])
    width = round(smooth_s / STEP_S)
    if width < 1:
        return earlier
    kernel = np.hanning(2 * width + 3)[1:-1]
    padded = np.pad(earlier, width, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), mode="valid"))


def wander(rng: np.random.Generator, samples: int, tau_s: float, amplitude: float, axes: int = 2) -> Path:
    """Smooth random motion without a goal, as of a hand that is held: float64 [samples, axes].

    Args:
        rng: random generator.
        samples: length of the path.
        tau_s: time over which it forgets where it was.
        amplitude: its standard deviation.
        axes: number of independent paths.
    """
    spectrum = np.fft.rfft(rng.standard_normal((2 * samples, axes)), axis=0)
    hertz = np.fft.rfftfreq(2 * samples, STEP_S)[:, None]
    moved = np.fft.irfft(spectrum / (1.0 + (2.0 * np.pi * hertz * tau_s) ** 2), axis=0)[:samples]
    return np.asarray(moved / (moved.std() + 1e-12) * amplitude)
