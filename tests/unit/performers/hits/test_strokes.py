"""Stroke kinematics: when the tip arrives, how it falls, and that the limb stops first."""

from __future__ import annotations

import numpy as np
import pytest

from performers.hits.strokes import (
    STEP_S,
    StrokeStyle,
    draw_style,
    lead_limb,
    path_times,
    stroke_path,
    value_at,
    wander,
)
from performers.hits.timing import HALT, HIT, LIFT, SOFT, Stroke

DURATION_S = 6.0
TIMES = path_times(DURATION_S)


def style(ending: str = "dead", low: float = 0.0) -> StrokeStyle:
    return StrokeStyle(ending=ending, descent_s=0.1, power=2.0, height_power=0.5, rise_s=0.3, low=low)


def path_of(strokes: list[Stroke], how: StrokeStyle, seed: int = 0) -> np.ndarray:
    return stroke_path(np.random.default_rng(seed), strokes, how, DURATION_S)


@pytest.mark.parametrize("ending", ["dead", "rebound", "push", "mixed"])
@pytest.mark.parametrize("low", [0.0, 0.5, 1.0])
def test_every_hit_arrives_at_its_time_and_falls_fastest_just_before(ending: str, low: float) -> None:
    hits = [Stroke(time, 0.8, HIT) for time in (0.7, 1.5, 1.8, 3.2, 4.0)]
    path = path_of(hits, style(ending, low))
    speed = np.diff(path) / STEP_S
    for hit in hits:
        assert abs(float(value_at(path, hit.t_s - STEP_S))) < 0.15
        before = speed[(TIMES[:-1] >= hit.t_s - 0.3) & (TIMES[:-1] < hit.t_s - 1e-9)]
        assert before.argmin() >= before.size - 3
        assert before.min() < -5.0


def test_a_harder_hit_is_lifted_higher() -> None:
    soft, hard = (float(value_at(path_of([Stroke(2.0, force)], style()), 1.89)) for force in (0.1, 1.0))
    assert hard > 2.0 * soft


def test_a_push_goes_below_the_surface_and_a_dead_stop_does_not() -> None:
    hit = [Stroke(2.0, 1.0), Stroke(4.0, 1.0)]
    assert path_of(hit, style("push")).min() < -0.05
    assert min(path_of(hit, style("dead"), seed).min() for seed in (1, 2, 3)) > -1e-9


@pytest.mark.parametrize("kind", [SOFT, HALT, LIFT])
def test_a_silent_stroke_never_stops_as_suddenly_as_a_hit(kind: str) -> None:
    def hardest_stop(stroke: Stroke) -> float:
        return float(np.diff(path_of([stroke], style(), 3), 2).max() / STEP_S**2)

    assert hardest_stop(Stroke(3.0, 1.0, kind)) < 0.7 * hardest_stop(Stroke(3.0, 1.0, HIT))


@pytest.mark.parametrize("lead_s", [0.03, 0.06, 0.09])
def test_the_limb_stops_before_the_tip_by_its_lead(lead_s: float) -> None:
    tip = path_of([Stroke(2.0, 1.0)], style())
    limb = lead_limb(tip, lead_s, 0.015)
    assert limb.shape == tip.shape
    stop = TIMES[1 + int(np.argmax(np.diff(limb, 2)))]
    assert abs(stop - (2.0 - lead_s)) <= 2 * STEP_S


def test_hits_closer_than_a_down_swing_still_give_a_bounded_path() -> None:
    path = path_of([Stroke(1.0 + 0.06 * k, 1.0) for k in range(30)], style("mixed"))
    assert np.isfinite(path).all()
    assert np.abs(path).max() < 1.5


def test_down_swings_are_drawn_within_the_measured_range() -> None:
    lengths = [draw_style(np.random.default_rng(seed)).descent_s for seed in range(200)]
    assert min(lengths) >= 0.05
    assert max(lengths) <= 0.28


def test_wandering_has_the_amplitude_asked_for_and_is_smooth() -> None:
    path = wander(np.random.default_rng(0), 1200, 0.5, 3.0)
    assert path.shape == (1200, 2)
    assert path.std() == pytest.approx(3.0)
    assert np.abs(np.diff(path, axis=0)).max() < 0.2
