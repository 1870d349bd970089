"""Statistics of motion, and precision by lag: known motion gives known figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streaming.conventions import MOTION_FEATURES
from training.evaluation.worlds.__main__ import compare, main, print_tables
from training.evaluation.worlds.statistics import LAGS_S, RULES, measure_motion, precision_by_lag, summarize
from training.evaluation.worlds.watched import WatchedClip

TICKS = 200


def strikes(lag_ticks: int, group: str = "films: hits") -> WatchedClip:
    """One cell moves down for four ticks and stops `lag_ticks` after each onset."""
    onsets = np.array([20, 55, 80, 121, 160])
    flow = np.zeros((TICKS, 2, 16, 16), np.float16)
    for onset in onsets:
        stop = onset + lag_ticks
        flow[stop - 4 : stop, 1, 5, 5] = 1.0
    speed = np.abs(flow[:, 1])
    features = np.zeros((TICKS, MOTION_FEATURES), np.float16)
    return WatchedClip("one", group, flow, speed, features, onsets / 25.0)


def test_the_statistics_are_those_of_the_speeds() -> None:
    speed = np.zeros((100, 16, 16), np.float16)
    speed[50:, :2, :8] = 0.5
    found = measure_motion(speed)
    assert found.mean_speed == pytest.approx(0.5 * 16 / 256 / 2, rel=1e-3)
    assert found.fastest_p95 == pytest.approx(0.5)
    assert found.moving_cells == pytest.approx(8.0)
    assert found.still_ticks == pytest.approx(0.5)
    assert summarize([strikes(0), strikes(0)])["moving_cells"][0] == pytest.approx(0.1)


@pytest.mark.parametrize("lag_ticks", [0, 1, 2])
def test_precision_is_best_at_the_lag_of_the_stop(lag_ticks: int) -> None:
    values, control = precision_by_lag([strikes(lag_ticks)], RULES["deceleration"])
    assert values.max() > 0.99
    best = LAGS_S[np.flatnonzero(values > 0.99)]
    assert best.min() <= 0.04 * lag_ticks <= best.max()
    assert abs(float(best.mean()) - 0.04 * lag_ticks) <= 0.02
    assert control < 0.5


def test_clips_without_onsets_do_not_count() -> None:
    silent = replace(strikes(0), onsets_s=np.zeros(0))
    both, _ = precision_by_lag([strikes(0), silent], RULES["deceleration"])
    assert both.max() > 0.99
    assert np.isnan(precision_by_lag([silent], RULES["deceleration"])[0]).all()


def test_groups_are_compared_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = compare([strikes(0), strikes(1, "hits (sound)")])
    assert set(figures["groups"]) == {"films: hits", "hits (sound)"}
    assert figures["groups"]["films: hits"]["clips"] == 1
    print_tables(figures)
    out = capsys.readouterr().out
    assert "hits (sound)" in out
    assert "by lag" in out
    assert main([]) == 0
