"""Histograms read percentiles to within a bin; deltas add up to the same totals; everything is bounded."""

from __future__ import annotations

import math
import random

import pytest

from streaming.schema.messages import Health
from streaming.telemetry.metrics import LAST_BIN, MAX_NAMES, MAX_NOTES, Histogram, Metrics, Totals, bin_of, value_of


def test_bins_are_equally_wide_in_proportion() -> None:
    assert bin_of(-5.0) == bin_of(0.0) == 0
    assert bin_of(1e9) == bin_of(math.inf) == LAST_BIN
    for exponent in range(-20, 60):
        value = 1.27**exponent
        if 1e-3 < value < 1e6:
            assert value_of(bin_of(value)) == pytest.approx(value, rel=0.008)
    assert all(bin_of(value_of(index)) == index for index in range(LAST_BIN))


def test_percentiles_match_the_sorted_values() -> None:
    rng = random.Random(1)
    values = sorted(rng.lognormvariate(1.0, 1.5) for _ in range(5_000))
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    for q in (1, 50, 95, 99, 99.9):
        exact = values[max(0, math.ceil(len(values) * q / 100) - 1)]
        assert histogram.percentile(q) == pytest.approx(exact, rel=0.01)
    assert histogram.max == values[-1]
    assert histogram.n == 5_000
    assert histogram.percentile(100) <= values[-1]  # type: ignore[operator]


def test_nothing_measured_is_none_and_not_zero() -> None:
    assert Histogram().percentile(50) is None
    assert Histogram().summary() == {"n": 0, "p50": None, "p95": None, "p99": None, "max": None}
    assert Totals().summary("step_ms") is None
    assert Totals().percentile("step_ms", 50) is None


def test_nan_is_ignored() -> None:
    metrics = Metrics()
    metrics.observe("x", math.nan)
    histogram = Histogram()
    histogram.observe(math.nan)
    assert histogram.n == 0
    assert metrics.take().histograms == {}


def test_take_clears_deltas_and_keeps_gauges() -> None:
    metrics = Metrics()
    metrics.count("published")
    metrics.count("published", 2)
    metrics.gauge("level_db", -12)
    metrics.observe("step_ms", 3.0)
    metrics.note("two\nlines")
    first = metrics.take("motion", {"seed": 4})
    assert first.stage == "motion"
    assert first.memo == {"seed": 4}
    assert first.counters == {"published": 3}
    assert first.notes == ["two lines"]
    assert first.histograms == {"step_ms": {bin_of(3.0): 1}}
    second = metrics.take("motion")
    assert (second.counters, second.histograms, second.notes) == ({}, {}, [])
    assert second.gauges == {"level_db": -12.0, "step_ms.max": 3.0}


def test_totals_of_many_heartbeats_equal_one_histogram() -> None:
    rng, totals, whole = random.Random(2), Totals(), Histogram()
    for _ in range(3):  # incarnations: each with metrics of its own
        metrics = Metrics()
        for _ in range(20):
            for _ in range(7):
                value = rng.expovariate(0.1)
                metrics.observe("step_ms", value)
                metrics.count("published")
                whole.observe(value)
            totals.add(metrics.take("sound"))
    assert totals.histograms["step_ms"].bins == whole.bins
    assert totals.summary("step_ms") == whole.summary()
    assert totals.counter("published") == 420
    assert totals.counter("never") == 0


def test_sum_of_a_prefix() -> None:
    totals, metrics = Totals(), Metrics()
    metrics.count("drops.camera", 2)
    metrics.count("drops.motion", 3)
    metrics.count("errors", 9)
    totals.add(metrics.take())
    assert totals.sum_of("drops.") == 5


def test_notes_and_names_are_bounded() -> None:
    metrics, totals = Metrics(), Totals()
    for index in range(MAX_NOTES + 5):
        metrics.note(f"line {index}")
    health = metrics.take()
    assert len(health.notes) == MAX_NOTES
    assert health.counters == {"notes_lost": 5}
    for index in range(2 * MAX_NAMES):
        metrics.count(f"c{index}")
        metrics.gauge(f"g{index}", 1)
        metrics.observe(f"h{index}", 1)
    totals.add(metrics.take())
    assert len(totals.counters) == len(totals.gauges) == len(totals.histograms) == MAX_NAMES


def test_bins_off_the_wire_are_clamped() -> None:
    histogram = Histogram({-7: 1, LAST_BIN + 99: 2, 5: -3})
    assert histogram.bins == {0: 1, LAST_BIN: 2}
    assert histogram.n == 3


def test_sums_of_a_thousand_hours_are_exact() -> None:
    totals = Totals()
    hours, beats, by = 1_000, 14_400, 6
    totals.add(
        Health(stage="x", counters={"published": hours * beats * by - by}, histograms={"step_ms": {400: 10**10}})
    )
    for _ in range(3):
        totals.add(Health(stage="x", counters={"published": by}, histograms={"step_ms": {400: 1}}))
    assert totals.counter("published") == hours * beats * by + 2 * by
    summary = totals.summary("step_ms")
    assert summary is not None
    assert summary["n"] == 10**10 + 3
