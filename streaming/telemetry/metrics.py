"""Counters, gauges and logarithmic histograms: measured in a stage, sent as deltas, summed up by the supervisor."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from streaming.schema.messages import Health

BIN_RATIO = 1.015
"""Upper edge over lower edge of a bin: a percentile is read to within 0.75 %."""
LOWEST = 1e-3
"""Values up to this one, negative ones too, fall into bin 0. The usual unit is the millisecond, so this is 1 us."""
HIGHEST = 1e6
"""Values above this one (1000 s) fall into the last bin."""
_LOG_RATIO = math.log(BIN_RATIO)
LAST_BIN = 1 + math.ceil(math.log(HIGHEST / LOWEST) / _LOG_RATIO)
MAX_NOTES = 64
"""Lines kept between two heartbeats; more are counted as `notes_lost`."""
MAX_NAMES = 512
"""Names of one kind that a stage's totals hold: a runaway name cannot grow the memory."""


def bin_of(value: float) -> int:
    """The bin of a value."""
    if value <= LOWEST:
        return 0
    if value >= HIGHEST:
        return LAST_BIN
    return 1 + int(math.log(value / LOWEST) / _LOG_RATIO)


def value_of(index: int) -> float:
    """The geometric middle of a bin; 0 for bin 0."""
    return 0.0 if index <= 0 else LOWEST * BIN_RATIO ** (index - 0.5)


class Histogram:
    """A histogram with bins of equal relative width (1.5 %) from 1 us to 1000 s, when the values are milliseconds.

    Attributes:
        bins: bin -> count, only bins that are not empty.
        n: how many values there are.
        max: the largest value, None when there is none. Exact for observed values, else to a bin's resolution.
    """

    def __init__(self, bins: Mapping[int, int] | None = None) -> None:
        self.bins: dict[int, int] = {}
        self.n = 0
        self.max: float | None = None
        if bins:
            self.merge(bins)

    def observe(self, value: float) -> None:
        """Add one value; NaN is ignored."""
        if math.isnan(value):
            return
        index = bin_of(value)
        self.bins[index] = self.bins.get(index, 0) + 1
        self.n += 1
        if self.max is None or value > self.max:
            self.max = value

    def merge(self, bins: Mapping[int, int]) -> None:
        """Add the counts of another histogram's bins."""
        for index, count in bins.items():
            if count <= 0:
                continue
            index = min(max(index, 0), LAST_BIN)
            self.bins[index] = self.bins.get(index, 0) + count
            self.n += count
            middle = value_of(index)
            # An exact maximum in this very bin stays: the bin's middle is only an estimate of it.
            if self.max is None or index > bin_of(self.max):
                self.max = middle

    def raise_max(self, value: float) -> None:
        """Replace the estimate of the maximum by an exact one that was sent beside the bins."""
        if self.max is None or value > self.max or bin_of(value) == bin_of(self.max):
            self.max = value

    def percentile(self, q: float) -> float | None:
        """The value below which `q` percent lie (nearest rank), to a bin's resolution.

        Args:
            q: 0..100.

        Returns:
            The value, never above `max`; None when nothing was observed.
        """
        if self.n == 0:
            return None
        rank = max(1, math.ceil(self.n * q / 100.0))
        cumulative = 0
        for index in sorted(self.bins):
            cumulative += self.bins[index]
            if cumulative >= rank:
                value = value_of(index)
                return value if self.max is None else min(value, self.max)
        return self.max

    def summary(self) -> dict[str, float | int | None]:
        """`n`, `p50`, `p95`, `p99`, `max` as the report has them; None for what was not measured."""
        return {
            "n": self.n,
            "p50": self.percentile(50),
            "p95": self.percentile(95),
            "p99": self.percentile(99),
            "max": self.max,
        }


class Metrics:
    """What a stage measures between two heartbeats. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, float] = {}
        self._histograms: dict[str, Histogram] = {}
        self._notes: list[str] = []

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + by

    def gauge(self, name: str, value: float, *, peak: bool = False) -> None:
        """Set a gauge, which keeps its value until it is set again; with `peak` `<name>.max` is the largest so far."""
        value = float(value)
        with self._lock:
            self._gauges[name] = value
            if peak:
                self._gauges[f"{name}.max"] = max(value, self._gauges.get(f"{name}.max", -math.inf))

    def observe(self, name: str, value: float) -> None:
        """Add a value to a histogram; its largest value so far is also the gauge `<name>.max`, exactly."""
        value = float(value)
        if math.isnan(value):
            return
        with self._lock:
            histogram = self._histograms.get(name)
            if histogram is None:
                histogram = self._histograms[name] = Histogram()
            histogram.observe(value)
            top = f"{name}.max"
            if value > self._gauges.get(top, -math.inf):
                self._gauges[top] = value

    def note(self, line: str) -> None:
        """Add a line for the user; at most `MAX_NOTES` between two heartbeats."""
        with self._lock:
            if len(self._notes) < MAX_NOTES:
                self._notes.append(" ".join(line.split()))
            else:
                self._counters["notes_lost"] = self._counters.get("notes_lost", 0) + 1

    def take(self, stage: str = "", memo: Mapping[str, Any] | None = None) -> Health:
        """Everything since the last call, as a heartbeat; counters, histograms and notes begin anew, gauges stay."""
        with self._lock:
            health = Health(
                stage=stage,
                counters=self._counters,
                gauges=dict(self._gauges),
                histograms={name: histogram.bins for name, histogram in self._histograms.items()},
                memo=dict(memo or {}),
                notes=self._notes,
            )
            self._counters, self._histograms, self._notes = {}, {}, []
        return health


class Totals:
    """The sum of a stage's heartbeats, over all its incarnations.

    Attributes:
        counters: name -> sum.
        gauges: name -> newest value; a gauge named `<name>.max` keeps the largest.
        notes: the newest lines.
    """

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, float] = {}
        self.histograms: dict[str, Histogram] = {}
        self.notes: deque[str] = deque(maxlen=256)

    def add(self, health: Health) -> None:
        """Take in one heartbeat."""
        for name, by in health.counters.items():
            if name in self.counters or len(self.counters) < MAX_NAMES:
                self.counters[name] = self.counters.get(name, 0) + by
        for name, bins in health.histograms.items():
            if name in self.histograms or len(self.histograms) < MAX_NAMES:
                self.histograms.setdefault(name, Histogram()).merge(bins)
        for name, value in health.gauges.items():
            if name.endswith(".max"):
                value = max(value, self.gauges.get(name, -math.inf))
                if histogram := self.histograms.get(name.removesuffix(".max")):
                    histogram.raise_max(value)
            if name in self.gauges or len(self.gauges) < MAX_NAMES:
                self.gauges[name] = value
        self.notes.extend(health.notes)

    def counter(self, name: str) -> int:
        """The sum of one counter, 0 when it never counted."""
        return self.counters.get(name, 0)

    def sum_of(self, prefix: str) -> int:
        """The sum of all counters whose name begins with `prefix`, for example `drops.`."""
        return sum(value for name, value in self.counters.items() if name.startswith(prefix))

    def percentile(self, name: str, q: float) -> float | None:
        """A percentile of one histogram, None when it was not measured."""
        histogram = self.histograms.get(name)
        return histogram.percentile(q) if histogram else None

    def summary(self, name: str) -> dict[str, float | int | None] | None:
        """`Histogram.summary` of one histogram, None when it was not measured."""
        histogram = self.histograms.get(name)
        return histogram.summary() if histogram else None
