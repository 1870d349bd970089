"""The show's figures in the text format of Prometheus.

Names and units follow Prometheus' rules: base units (seconds, bytes), `_total` for what only grows. A figure that was
not measured is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
RUNNING = frozenset({"running", "finished"})
"""States of a stage that does what it should."""
QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99", "max": "1"}
Status = Mapping[str, Any]
"""See `telemetry.status.status_of`."""
Sample = tuple[list[str], float | int | None]
"""Labels and value, None where nothing was measured."""


class StatusCollector(Collector):
    """The metrics of one status.

    Args:
        status: of the show.
    """

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Every metric that has a value."""
        status = self._status
        rows = list(status.get("rows", ()))
        info = {name: str(status.get(name, "")) for name in ("direction", "bundle")}
        yield InfoMetricFamily("antiphon_show", "What is performed.", info)
        elapsed_s = status.get("elapsed_s")
        yield from _gauge("show_seconds", "Time since the performance began.", [([], elapsed_s)], [])
        yield from self._stages(rows)
        yield from self._directions()
        levels = [([meter["name"]], meter["level_db"]) for meter in status.get("meters", ())]
        yield from _gauge("level_dbfs", "Level of a stage's sound, in dB below full scale.", levels, ["stage"])
        yield from _counter("notes", "Lines that the show had for its user.", [([], status.get("notes_count"))], [])
        if status.get("film"):
            yield from _counter("film_frames", "Frames of the recording.", [([], status["film_frames"])], [])
            yield from _counter("film_drops", "Frames that the recording lacks.", [([], status["film_drops"])], [])

    def _stages(self, rows: list[Status]) -> Iterator[Metric]:
        label = ["stage"]

        def of(key: str, factor: float = 1.0) -> list[Sample]:
            return [([row["name"]], None if row.get(key) is None else factor * row[key]) for row in rows]

        runs = [([row["name"]], float(row["state"] in RUNNING)) for row in rows]
        states = [([row["name"], row["state"]], 1.0) for row in rows]
        steps = [
            ([row["name"], QUANTILES[name]], None if row[f"step_{name}_ms"] is None else row[f"step_{name}_ms"] / 1e3)
            for row in rows
            for name in ("p50", "p99")
        ]
        yield from _gauge("stage_up", "Whether a process does what it should.", runs, label)
        yield from _gauge("stage_state", "The state of a process.", states, [*label, "state"])
        yield from _gauge("stage_rate_hertz", "Messages per second of a process.", of("rate_hz"), label)
        yield from _gauge("stage_step_seconds", "How long a step of a process takes.", steps, [*label, "quantile"])
        yield from _gauge("stage_cpu_ratio", "Share of one core of a process.", of("cpu_percent", 0.01), label)
        yield from _gauge("stage_memory_bytes", "Resident memory of a process.", of("memory_mb", 1e6), label)
        yield from _counter("stage_drops", "Messages that a process passed over or lost.", of("drops"), label)
        yield from _counter("stage_restarts", "How often a process was started again.", of("restarts"), label)

    def _directions(self) -> Iterator[Metric]:
        latencies = [
            ([_name_of(key), QUANTILES[name]], None if figures[name] is None else figures[name] / 1e3)
            for key, figures in self._status.get("latency", {}).items()
            for name in QUANTILES
        ]
        yield from _gauge("latency_seconds", "Latency since the show began.", latencies, ["direction", "quantile"])
        faults = [
            ([row["latency"], fault], count)
            for row in self._status.get("directions", ())
            for fault, count in row["faults"].items()
        ]
        yield from _counter("output_faults", "What went wrong at an output.", faults, ["direction", "fault"])


def metrics_text(status: Status | None) -> bytes:
    """The page of metrics.

    Args:
        status: the show's, None while the supervisor has not said how the show is.
    """
    registry = CollectorRegistry()
    registry.register(StatusCollector(status) if status is not None else _Unknown())
    return generate_latest(registry)


class _Unknown(Collector):
    """Before anything is known of the show."""

    def collect(self) -> Iterable[Metric]:
        return _gauge("stage_up", "Whether a process does what it should.", [(["supervisor"], 0.0)], ["stage"])


def _name_of(key: str) -> str:
    return key.removesuffix("_ms").replace("_", "-")


def _gauge(name: str, words: str, samples: Iterable[Sample], labels: list[str]) -> Iterator[Metric]:
    family = GaugeMetricFamily(f"antiphon_{name}", words, labels=labels)
    yield from _filled(family, samples)


def _counter(name: str, words: str, samples: Iterable[Sample], labels: list[str]) -> Iterator[Metric]:
    family = CounterMetricFamily(f"antiphon_{name}", words, labels=labels)
    yield from _filled(family, samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]) -> Iterator[Metric]:
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    if family.samples:
        yield family
