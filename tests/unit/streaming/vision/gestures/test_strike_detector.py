"""Strikes are found where downward motion is lost, once each, near and far, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import HAND_FEATURES
from streaming.vision.gestures.strike_detector import USUAL_VELOCITY, StrikeDetector
from streaming.vision.motion.hand_motion import HAND_INDEX
from training.evaluation.films.flow_rules import deceleration

STROKE = (0.1, 0.4, 0.9, 0.0, -0.3, 0.0)
"""Downward speed of a hand at six ticks: it falls, stops dead at the fourth, and rebounds."""


def flow_of(down: list[float], size: float = 1.0) -> NDArray[np.float32]:
    """A hand that moves so in one cell, above sensor noise everywhere: [T, 2, 16, 16]."""
    flow = np.random.default_rng(0).normal(0.0, 0.0003, (len(down), 2, 16, 16)).astype(np.float32)
    flow[:, 1, 5, 7] += size * np.array(down, np.float32)
    return flow


def strokes(count: int, rest: int = 10) -> tuple[list[float], list[int]]:
    """A hand that strikes `count` times, and the ticks of its stops."""
    down: list[float] = [0.0] * rest
    stops = []
    for _ in range(count):
        stops.append(len(down) + 3)
        down += [*STROKE, *[0.0] * rest]
    return down, stops


@pytest.mark.parametrize("size", [0.05, 0.3, 2.0])
def test_every_stroke_is_one_strike_at_its_stop_however_large_it_is(size: float) -> None:
    down, stops = strokes(6)
    detector = StrikeDetector()
    found = [tick for tick, flow in enumerate(flow_of(down, size)) if detector.step(flow) > 0.0]
    assert found == stops


def test_with_patience_the_same_strikes_come_a_tick_later() -> None:
    down, stops = strokes(6)
    detector = StrikeDetector()
    found = [tick for tick, flow in enumerate(flow_of(down)) if detector.step(flow, patient=True) > 0.0]
    assert found == [tick + 1 for tick in stops]


def test_motion_that_is_not_lost_strikes_nothing() -> None:
    upward = [-0.5 * (tick % 8 > 4) for tick in range(60)]
    faster = [min(1.0, 0.02 * tick) for tick in range(60)]
    for down in (upward, faster, [0.0] * 60):
        detector = StrikeDetector()
        flow = np.zeros((60, 2, 16, 16), np.float32)
        flow[:, 1, 5, 7] = down
        assert not any(detector.step(one) for one in flow)


def test_sensitivity_decides_how_small_a_strike_may_be() -> None:
    down = [*strokes(4)[0], *[0.2 * value for value in strokes(1, 2)[0]]]
    few, many = StrikeDetector(1.5), StrikeDetector(0.2)
    counts = [sum(one.step(flow) > 0.0 for flow in flow_of(down)) for one in (few, many)]
    assert counts[0] < counts[1]


def test_a_harder_stroke_is_louder() -> None:
    once, first = strokes(1)
    down, stops = strokes(3)
    detector = StrikeDetector()
    velocity = [detector.step(flow) for flow in flow_of([*down, *[3.0 * value for value in once], *once])]
    hard, soft = velocity[len(down) + first[0]], velocity[len(down) + len(once) + first[0]]
    assert abs(velocity[stops[0]] - USUAL_VELOCITY) < 0.01, "the first one is usual"
    assert hard > velocity[stops[2]] + 0.15
    assert soft < hard - 0.15


def hands_that(loss: float, known: float = 1.0) -> NDArray[np.float32]:
    """One hand of two that loses so much downward velocity."""
    hands = np.zeros((2, HAND_FEATURES), np.float32)
    hands[1, [HAND_INDEX["known"], HAND_INDEX["loss_down"]]] = known, loss
    return hands


def test_hands_strike_where_the_flow_shows_nothing() -> None:
    losses = [1.5 if tick % 20 == 15 else 0.0 for tick in range(100)]
    detector, still = StrikeDetector(), np.zeros((2, 16, 16), np.float32)
    found = [tick for tick, loss in enumerate(losses) if detector.step(still, hands_that(loss))]
    assert found == [15, 35, 55, 75, 95]


def test_the_flow_counts_half_while_hands_are_known_and_in_full_without_them() -> None:
    flow = flow_of(strokes(4)[0])
    seen, alone, unseen = StrikeDetector(), StrikeDetector(), StrikeDetector()
    half = [seen.strength(one, hands_that(0.0)).excess for one in flow][-40:]
    full = [alone.strength(one).excess for one in flow][-40:]
    assert np.allclose(half, 0.5 * np.array(full))
    assert np.allclose(full, [unseen.strength(one, hands_that(0.0, 0.0)).excess for one in flow][-40:])


def test_the_curve_is_that_of_the_untrained_rule() -> None:
    flow = np.random.default_rng(3).normal(0.0, 0.2, (80, 2, 16, 16)).astype(np.float16)
    detector = StrikeDetector()
    curve = np.array([detector.strength(one).excess for one in flow])
    assert np.allclose(curve, deceleration(flow), rtol=1e-2, atol=1e-3)


def test_after_a_reset_it_is_as_new() -> None:
    flow = flow_of(strokes(4)[0])
    detector = StrikeDetector()
    first = [detector.step(one) for one in flow]
    detector.reset()
    assert [detector.step(one) for one in flow] == first
