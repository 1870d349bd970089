"""A show at one moment, in plain values, for the view and for the closing lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streaming.schema.load_levels import given_up
from streaming.schema.messages import TOPICS
from streaming.schema.processes import Count
from streaming.telemetry.report import ShowRecord, StageRecord, camera_clock_of, latency_of, pictures_of

RATE_WINDOW_NS = 1_500_000_000


@dataclass(frozen=True)
class StageRow:
    """One stage at one moment; None where nothing was measured."""

    name: str
    state: str
    rate_hz: float | None = None
    step_p50_ms: float | None = None
    step_p99_ms: float | None = None
    drops: int = 0
    restarts: int = 0
    cpu_percent: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class DirectionRow:
    """One direction of the show at one moment; None where nothing was measured.

    Attributes:
        source: the camera or the microphone, as "camera performer:drums"; "" where another machine has it.
        output: the speaker or the screen in the same way.
        latency: its name, as "motion-to-sound".
        p50_ms, p99_ms: its percentiles.
        faults: what went wrong with its output: name -> count.
    """

    source: str
    output: str
    latency: str
    p50_ms: float | None
    p99_ms: float | None
    faults: dict[str, int | None]


@dataclass(frozen=True)
class Meter:
    """The level of one stage in dBFS, None before the first."""

    name: str
    level_db: float | None
    silent: bool


@dataclass(frozen=True)
class ShowSnapshot:
    """The show at one moment, plain values only, so that another thread may draw it.

    Attributes:
        elapsed_s: time since the start, None before it.
        directions: the directions that run here.
        meters: the levels that are measured here.
        networks: the runtimes of the networks, as "onnxruntime, torch (painter)"; "" before any is open.
        rows: the stages.
        eyes: what finds the player's body and hands; "" where no stage here looks.
        playing: what the player plays; "" where no stage here plays.
        given_up: what is given up at present, as the cores have no time for everything; "" for nothing.
        camera_clock: see `report.camera_clock_of`; empty where no camera runs on its own clock.
    """

    elapsed_s: float | None
    directions: tuple[DirectionRow, ...]
    meters: tuple[Meter, ...]
    networks: str
    rows: tuple[StageRow, ...]
    eyes: str = ""
    playing: str = ""
    camera_clock: dict[str, Any] = field(default_factory=dict)
    given_up: str = ""


@dataclass
class Rates:
    """Messages per second of each stage over the last second or two, not the mean since the start."""

    before: dict[str, tuple[int, int]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def of(self, stage: StageRecord) -> float | None:
        """The newest rate, None while there is none."""
        if stage.last is None:
            return None
        count, at_ns = self.before.setdefault(stage.name, stage.last)
        if stage.last[1] - at_ns >= RATE_WINDOW_NS:
            self.rates[stage.name] = (stage.last[0] - count) * 1e9 / (stage.last[1] - at_ns)
            self.before[stage.name] = stage.last
        return self.rates.get(stage.name, stage.rate_hz())


def snapshot(record: ShowRecord, now_ns: int, rates: Rates) -> ShowSnapshot:
    """The snapshot of a record at `now_ns`."""
    stages = record.stages.values()
    return ShowSnapshot(
        elapsed_s=None if record.start_ns is None else (now_ns - record.start_ns) / 1e9,
        directions=tuple(_direction(record, stage) for stage in stages if stage.process.latency),
        meters=tuple(
            Meter(stage.name, stage.totals.gauges.get("level_db"), stage.silent)
            for stage in stages
            if stage.process.has_level
        ),
        networks=networks_in_short(record.backends()),
        eyes=record.eyes() or "",
        playing=record.playing() or "",
        rows=tuple(
            StageRow(
                name=stage.name,
                state=stage.condition,
                rate_hz=rates.of(stage) if _publishes_steadily(stage) else None,
                step_p50_ms=stage.totals.percentile("step_ms", 50),
                step_p99_ms=stage.totals.percentile("step_ms", 99),
                drops=stage.totals.sum_of("drops"),
                restarts=stage.restarts,
                cpu_percent=stage.cpu_percent,
                memory_mb=stage.rss_mb_end,
            )
            for stage in stages
        ),
        camera_clock=clock if (clock := camera_clock_of(record))["stamps"] else {},
        given_up=given_up(record.load.level),
    )


def _publishes_steadily(stage: StageRecord) -> bool:
    """Whether a stage publishes at a rate, unlike a stage that publishes nothing or only changes of a state."""
    topic = TOPICS.get(stage.process.output or "")
    return topic is not None and topic.rate_hz > 0.0


def _direction(record: ShowRecord, output: StageRecord) -> DirectionRow:
    """The direction whose latency a stage measures."""
    key = output.process.latency
    source = record.find(lambda process: bool(process.source_of) and process.source_of == output.process.output_of)
    latency = latency_of(record, key)
    return DirectionRow(
        source=_device(record, source) if source else "",
        output=_device(record, output),
        latency=key.removesuffix("_ms").replace("_", "-"),
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        faults=_faults(record, output),
    )


def _device(record: ShowRecord, stage: StageRecord) -> str:
    return f"{stage.process.device} {record.device(stage)}" if stage.process.device else stage.name


def _faults(record: ShowRecord, stage: StageRecord) -> dict[str, int | None]:
    totals = stage.totals if stage.reported else None
    if stage.process.counts is Count.TICKS:
        names = {"underruns": "underruns", "concealed": "ticks.concealed"}
    elif stage.process.counts is None:
        return {}
    elif record.end_ns is None:
        names = {"pictures missed": "pictures_missed"}
    else:
        # Uncounted pictures are missed ones only after the end: before it they may be on their way.
        return {"pictures missed": pictures_of(record)["missed"]}
    return {name: totals.counter(counter) if totals else None for name, counter in names.items()}


def networks_in_short(backends: dict[str, str]) -> str:
    """The runtimes of some networks: the commonest one, then each other with its networks."""
    runtimes = list(backends.values())
    if not runtimes:
        return ""
    most = max(dict.fromkeys(runtimes), key=runtimes.count)
    others = dict.fromkeys(runtime for runtime in runtimes if runtime != most)
    parts = [f"{other} ({', '.join(name for name, there in backends.items() if there == other)})" for other in others]
    return ", ".join([most, *parts])
