"""The untrained rules, on flow whose strikes are known."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import MOTION_FEATURES
from streaming.vision.motion.feature_names import INDEX
from training.evaluation.films.flow_rules import (
    deceleration,
    deceleration_peaks,
    feature_peaks,
    flow_peaks,
    speed_peaks,
)
from training.measures.onsets import match_onsets

TICKS = 250
STRIKES = np.array([20, 45, 60, 90, 130, 150, 185, 220])


def flow_of(velocity: np.ndarray, cell: tuple[int, int] = (7, 3)) -> np.ndarray:
    """One cell moves downward with a velocity [T] in frame sides per second."""
    flow = np.zeros((TICKS, 2, 16, 16), np.float16)
    flow[:, 1, cell[0], cell[1]] = velocity
    return flow


def strokes(stop: bool = True) -> np.ndarray:
    """Down strokes of four ticks that speed up, then stop dead at each strike, or are mirrored in time."""
    velocity = np.zeros(TICKS)
    for strike in STRIKES:
        velocity[strike - 4 : strike] = [0.1, 0.3, 0.6, 1.0] if stop else [1.0, 0.6, 0.3, 0.1]
    return velocity


def test_each_dead_stop_is_an_onset_at_the_tick_that_shows_it() -> None:
    peaks = deceleration_peaks(flow_of(strokes()))
    assert peaks.above(1.0) == pytest.approx(STRIKES / 25)
    assert peaks.times_s == pytest.approx(STRIKES / 25)


def test_upward_and_sideways_motion_that_stops_is_none() -> None:
    assert deceleration(flow_of(-strokes())).max() == 0.0
    assert deceleration(flow_of(strokes())[:, ::-1]).max() == 0.0


def test_the_largest_cell_counts_among_cells_that_move_steadily() -> None:
    rng = np.random.default_rng(0)
    flow = flow_of(strokes())
    flow[:, :, 8:] += rng.normal(0.5, 0.02, (TICKS, 2, 8, 16)).astype(np.float16)
    found = deceleration_peaks(flow).above(2.0)
    assert match_onsets(STRIKES / 25, found).f1 > 0.95


def test_the_scale_is_the_players_own_and_knows_no_future() -> None:
    small, large = deceleration(flow_of(0.2 * strokes())), deceleration(flow_of(strokes()))
    assert small == pytest.approx(large, rel=0.3)
    changed = strokes()
    changed[100:] *= 7
    assert deceleration(flow_of(changed))[:100] == pytest.approx(large[:100])


def test_stillness_has_no_peaks() -> None:
    still = np.zeros((TICKS, 2, 16, 16), np.float16)
    assert deceleration_peaks(still).times_s.size == 0
    assert flow_peaks(still[:, 0]).size == 0


def test_the_flow_peak_rule_answers_the_fastest_moment() -> None:
    speed = np.zeros((TICKS, 16, 16), np.float16)
    for strike in STRIKES:
        speed[strike - 2 : strike + 3] = np.array([0.1, 0.4, 0.9, 0.4, 0.1])[:, None, None]
    assert flow_peaks(speed) == pytest.approx(STRIKES / 25)
    assert speed_peaks(speed).times_s == pytest.approx(STRIKES / 25)


def test_the_rule_on_features_reads_the_loss_of_downward_velocity_however_small() -> None:
    features = np.zeros((TICKS, MOTION_FEATURES), np.float16)
    for loss in ("loss_max", "loss_sum"):
        features[STRIKES, INDEX[f"{loss}_down"]] = 0.08
        features[STRIKES + 7, INDEX[f"{loss}_up"]] = 5.0
    assert feature_peaks(features).above(1.0) == pytest.approx(STRIKES / 25)
