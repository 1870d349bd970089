"""The record of a show, and the JSON report made of it: a pure function, and an atomic write."""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.audio.levels import SILENT_METER_DB
from streaming.conventions import NUM_CODEBOOKS, TICKS_PER_SECOND, TOKEN_FRAMES_PER_TICK
from streaming.schema.load_levels import LoadLevel
from streaming.schema.processes import PROCESSES, Count, Process, Rate
from streaming.settings.config import Show
from streaming.system.files import replace_file
from streaming.telemetry.load_record import LoadRecord
from streaming.telemetry.metrics import Totals
from streaming.telemetry.notes import NoteLog

REPORT_SCHEMA = 1
"""Fields are only ever added; a field that was not measured is null, never 0."""
LATENCIES = tuple(process.latency for process in PROCESSES.values() if process.latency)
SUMMARY_FIELDS = ("n", "p50", "p95", "p99", "max")
MAX_DEGRADED = 200
RSS_SAMPLES = 720
"""Samples of a stage's memory that are kept; when full, every second one is dropped and the interval doubles."""


@dataclass(frozen=True)
class Ending:
    """How the show ends: the exit status and the line with the reason, if any.

    Attributes:
        closed: its opening hours are over; it begins again at the next ones.
        asked: the user has asked for it, so nothing begins again.
    """

    code: int
    line: str = ""
    closed: bool = False
    asked: bool = field(default=False, compare=False)


@dataclass
class StageRecord:
    """The record of one stage, over all its incarnations.

    Attributes:
        process: its row of the process table.
        state: "setup", "ready", "running", "restarting", "finished", "lost" or "closed".
        totals: the sum of its heartbeats.
        info: what it opened (device, source, backend).
        restarts: how often it was started again.
        recovery_ms: for each restart, the time from the death to Ready.
        output_ms: for each restart, the time from the death to the first output (known with the heartbeat after it).
        cpu_percent: of one core, since the start of the performance.
        rss_mb_start: resident memory at the first heartbeat after the start, in MB (10^6 bytes).
        rss_mb_end: the same, newest.
        rss_series: (seconds since start, MB), thinned out so that it stays bounded.
        first: (published, monotonic ns) at the first heartbeat after the start.
        last: the same at the newest heartbeat.
    """

    process: Process
    state: str = "setup"
    totals: Totals = field(default_factory=Totals)
    info: dict[str, Any] = field(default_factory=dict)
    reported: bool = False
    restarts: int = 0
    recovery_ms: list[float] = field(default_factory=list)
    output_ms: list[float] = field(default_factory=list)
    cpu_percent: float | None = None
    rss_mb_start: float | None = None
    rss_mb_end: float | None = None
    rss_series: list[tuple[float, float]] = field(default_factory=list)
    first: tuple[int, int] | None = None
    last: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.process.name

    @property
    def silent(self) -> bool:
        """Whether its meter was read and never rose above `SILENT_METER_DB`."""
        loudest = self.totals.gauges.get("level_db.max") if self.process.has_level else None
        return loudest is not None and loudest <= SILENT_METER_DB

    @property
    def away(self) -> bool:
        """Whether its device has gone, and is looked for."""
        return bool(self.info.get("away"))

    @property
    def condition(self) -> str:
        """Its state as people read it: "no device" where it runs and its device has gone."""
        return "no device" if self.away and self.state == "running" else self.state

    def rate_hz(self) -> float | None:
        """Messages per second between the first and the newest heartbeat of the performance."""
        if self.first is None or self.last is None or self.last[1] <= self.first[1]:
            return None
        return (self.last[0] - self.first[0]) * 1e9 / (self.last[1] - self.first[1])

    def sample_rss(self, at_s: float, megabytes: float) -> None:
        """Keep one measurement of the memory; the series stays bounded."""
        self.rss_mb_end = megabytes
        self.rss_series.append((at_s, megabytes))
        if len(self.rss_series) > RSS_SAMPLES:
            self.rss_series = self.rss_series[::2]

    def rss_slope_mb_per_hour(self) -> float | None:
        """Least-squares slope of the memory over the second half of the performance, in MB per hour."""
        points = self.rss_series[len(self.rss_series) // 2 :]
        if len(points) < 3 or points[-1][0] - points[0][0] < 10.0:
            return None
        mean_t = sum(t for t, _ in points) / len(points)
        mean_m = sum(m for _, m in points) / len(points)
        spread = sum((t - mean_t) ** 2 for t, _ in points)
        return 3600.0 * sum((t - mean_t) * (m - mean_m) for t, m in points) / spread


@dataclass
class ShowRecord:
    """The record of one performance.

    Attributes:
        show: its settings.
        stages: name -> record, in the order of the process table.
        start_ns: when Start was sent, None before.
        end_ns: when the polite stop began, None before.
        awake: spinners kept the machine awake.
        stolen_percent: share of the cores' time that a virtual machine's host kept for others; None when unknown.
        notes: the lines for the user.
        degraded: what the show went on without, one line each, the newest `MAX_DEGRADED`.
        load: what it gave up while the cores had no time for everything.
        report_written: the report that the user asked for is there.
    """

    show: Show
    stages: dict[str, StageRecord] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    awake: bool = False
    stolen_percent: float | None = None
    notes: NoteLog = field(default_factory=NoteLog)
    degraded: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_DEGRADED))
    load: LoadRecord = field(default_factory=LoadRecord)
    report_written: bool = False

    def duration_s(self) -> float | None:
        """The duration of the performance, None if it never began."""
        if self.start_ns is None or self.end_ns is None:
            return None
        return (self.end_ns - self.start_ns) / 1e9

    def find(self, matches: Callable[[Process], bool]) -> StageRecord | None:
        """The first stage whose row of the process table is such a one."""
        return next((stage for stage in self.stages.values() if matches(stage.process)), None)

    def backends(self) -> dict[str, str]:
        """The runtime of each network that runs, by the network's name."""
        backends: dict[str, str] = {}
        for stage in self.stages.values():
            backends.update(stage.info.get("backends", {}))
        return dict(sorted(backends.items()))

    def eyes(self) -> str | None:
        """What finds the player's body and hands, in words; None where no stage here looks."""
        found = (stage.info.get("eyes") for stage in self.stages.values())
        return next((str(eyes) for eyes in found if eyes), None)

    def playing(self) -> str | None:
        """What the player plays, in words, and who knows it; None where no stage here plays."""
        found = (stage.info.get("playing") for stage in self.stages.values())
        return next((str(playing) for playing in found if playing), None)

    def device(self, stage: StageRecord) -> str:
        """The stage's name of the device or file that it opened; before that, the user's option."""
        return str(stage.info.get("device") or getattr(self.show, stage.process.device))

    def degrade(self, line: str) -> None:
        """Record something that the show goes on without, or that is back."""
        self.degraded.append(line)

    def silent(self) -> list[str]:
        """The stages that had nothing but silence."""
        return [stage.name for stage in self.stages.values() if stage.silent]


def build_report(record: ShowRecord, host: dict[str, Any]) -> dict[str, Any]:
    """The report of a performance.

    Args:
        record: what the supervisor recorded.
        host: see `host_info.describe_host`.

    Returns:
        The JSON object of the command line's contract; what was not measured is None.
    """
    stages = record.stages
    duration = record.duration_s()
    tokens = record.find(lambda process: process.rate is Rate.TOKENS)
    ticks_hz = tokens.rate_hz() if tokens else None
    rate_stages = (name for name, process in PROCESSES.items() if process.rate is Rate.FPS)
    camera = record.find(lambda process: process.source_of == "video-to-music")
    return {
        "schema": REPORT_SCHEMA,
        "version": version(),
        "host": host,
        "backend": _backend(record),
        "backends": record.backends(),
        "eyes": record.eyes(),
        "playing": record.playing(),
        "bundle": record.show.bundle,
        "direction": record.show.direction,
        "camera": record.device(camera) if camera else record.show.camera,
        "devices": {stage.process.device: record.device(stage) for stage in stages.values() if stage.process.device},
        "devices_lost": devices_lost(record),
        "silent": record.silent(),
        "duration_s": None if duration is None else round(duration, 3),
        "awake": record.awake,
        "stolen_percent": _round_figure(record.stolen_percent),
        "ticks": _ticks(record),
        "audio": _audio(record),
        "camera_clock": camera_clock_of(record),
        "pictures": pictures_of(record),
        "fps": {name: _round_figure(stages[name].rate_hz()) if name in stages else None for name in rate_stages},
        "tokens_per_s": _round_figure(None if ticks_hz is None else ticks_hz * TOKEN_FRAMES_PER_TICK * NUM_CODEBOOKS),
        "token_frames_per_s": _round_figure(None if ticks_hz is None else ticks_hz * TOKEN_FRAMES_PER_TICK),
        **{key: latency_of(record, key) for key in dict.fromkeys([*LATENCIES, *_latencies(record)])},
        "stages": {name: _stage(stage) for name, stage in stages.items()},
        "load": record.load.report(duration),
        "degraded": list(record.degraded),
        "notes": list(record.notes),
    }


def devices_lost(record: ShowRecord) -> dict[str, dict[str, Any]]:
    """For each device that had gone, by its setting: how often it went and came back, and how long it was away."""
    lost = [stage for stage in record.stages.values() if stage.process.device and stage.totals.counter("device_lost")]
    return {
        stage.process.device: {
            "lost": stage.totals.counter("device_lost"),
            "back": stage.totals.counter("device_back"),
            "away_s": stage.totals.counter("away_ms") / 1e3,
        }
        for stage in lost
    }


def latency_of(record: ShowRecord, key: str) -> dict[str, float | int | None]:
    """The summary of one of `LATENCIES`, every field None where no stage here measured it."""
    return summary(record.find(lambda process: process.latency == key), key)


def _latencies(record: ShowRecord) -> list[str]:
    return [stage.process.latency for stage in record.stages.values() if stage.process.latency]


def _backend(record: ShowRecord) -> str:
    """The runtime of most networks; what was asked for, where none runs."""
    runtimes = list(record.backends().values())
    return max(runtimes, key=runtimes.count) if runtimes else record.show.backend


def summary(stage: StageRecord | None, histogram: str) -> dict[str, float | int | None]:
    """`n`, `p50`, `p95`, `p99`, `max` of one histogram, every one None when it was not measured."""
    summary = stage.totals.summary(histogram) if stage else None
    if not summary or not summary["n"]:
        return dict.fromkeys(SUMMARY_FIELDS)
    return {name: _round_figure(summary[name]) for name in SUMMARY_FIELDS}


def _ticks(record: ShowRecord) -> dict[str, int | None]:
    speaker = record.find(lambda process: process.counts is Count.TICKS)
    totals = speaker.totals if speaker else None
    names = ("expected", "played", "concealed")
    if totals is None or "ticks.expected" not in totals.counters:
        return dict.fromkeys((*names, "concealed_after_first_second"))
    counts: dict[str, int | None] = {name: totals.counter(f"ticks.{name}") for name in names}
    late = totals.counter("ticks.concealed") - totals.counter("ticks.concealed_start")
    return {**counts, "concealed_after_first_second": late}


def pictures_of(record: ShowRecord) -> dict[str, Any]:
    """Of as many pictures as there were ticks; one that nobody could count, as its stage was gone, was missed too.

    given_up: those of the missed ones that were left out on purpose, see `load`.
    """
    names = ("expected", "shown", "missed", "missed_after_first_second")
    screen = record.find(lambda process: process.counts is Count.PICTURES)
    expected = _ticks(record)["expected"]
    source = record.find(lambda process: screen is not None and process.source_of == screen.process.output_of)
    if expected is None and source is not None:
        expected = source.totals.counter("published")
    if screen is None or not expected:
        return dict.fromkeys((*names, "device", "given_up"))
    shown = screen.totals.counter("pictures_shown")
    missed = max(0, expected - shown)
    at_first = max(0, min(expected, TICKS_PER_SECOND) - screen.totals.counter("pictures_shown_start"))
    counts = (expected, shown, missed, max(0, missed - at_first))
    artist = record.find(lambda process: LoadLevel.PICTURE_RATE in process.gives_up)
    given_up = artist.totals.counter("given_up") if artist is not None else None
    return {**dict(zip(names, counts, strict=True)), "device": screen.info.get("device"), "given_up": given_up}


def camera_clock_of(record: ShowRecord) -> dict[str, Any]:
    """Where the capture times of a camera with its own clock come from, and its phase against the ticks.

    stamps: in words. delay_ms: between capture and arrival. phase_ms: of the captures against the ticks at the speaker.
    drift_ppm: by how much the camera is slower than its nominal rate, by the audio device's clock.
    """
    stage = record.find(lambda process: bool(process.phase))
    gauges = stage.totals.gauges if stage else {}
    word = stage.process.phase if stage else ""
    return {
        "stamps": (stage.info.get("stamps") if stage else None) or None,
        "delay_ms": _round_figure(gauges.get("stamp_delay_ms")),
        "phase_ms": _round_figure(gauges.get(f"{word}_phase_ms")),
        "drift_ppm": _round_figure(gauges.get(f"{word}_drift_ppm")),
    }


def _audio(record: ShowRecord) -> dict[str, Any]:
    speaker = record.find(lambda process: process.counts is Count.TICKS)
    if speaker is None:
        return dict.fromkeys(("samples_played", "underruns", "device", "samplerate"))
    totals = speaker.totals
    samples = totals.gauges.get("samples_played")
    measured = samples is not None or "ticks.expected" in totals.counters
    return {
        "samples_played": None if samples is None else round(samples),
        "underruns": totals.counter("underruns") if measured else None,
        "device": speaker.info.get("device"),
        "samplerate": speaker.info.get("samplerate"),
    }


def _stage(stage: StageRecord) -> dict[str, Any]:
    totals = stage.totals
    return {
        "state": stage.state,
        "step_ms": {
            "p50": _round_figure(totals.percentile("step_ms", 50)),
            "p99": _round_figure(totals.percentile("step_ms", 99)),
        },
        "drops": totals.sum_of("drops") if stage.reported else None,
        "restarts": stage.restarts,
        "recovery_ms": [round(value, 1) for value in stage.recovery_ms],
        "recovery_to_output_ms": [round(value, 1) for value in stage.output_ms],
        "cpu_percent": _round_figure(stage.cpu_percent),
        "rss_mb_start": _round_figure(stage.rss_mb_start),
        "rss_mb_end": _round_figure(stage.rss_mb_end),
        "rss_mb_per_hour": _round_figure(stage.rss_slope_mb_per_hour()),
        "info": stage.info,
        "counters": dict(sorted(totals.counters.items())),
        "gauges": {name: _round_figure(value) for name, value in sorted(totals.gauges.items())},
        "histograms": {name: summary(stage, name) for name in sorted(totals.histograms)},
    }


def _round_figure(value: float | int | None) -> float | int | None:
    return round(value, 3) if isinstance(value, float) else value


def version() -> str | None:
    """The version of this checkout, from its `pyproject.toml`."""
    try:
        text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None


def write_report(path: str, report: dict[str, Any]) -> str:
    """Write the report atomically: a reader sees all of it, or the old one.

    An earlier report is replaced; any other file of that name is moved aside. Its folder is made again if it was
    removed while the show ran.

    Returns:
        A line for the user about a file that was moved aside, "" for none.

    Raises:
        OSError: when it cannot be written (a full disk).
    """
    text = json.dumps(report, indent=2, default=str) + "\n"
    with contextlib.suppress(OSError):
        Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True)
    return replace_file(path, text.encode(), _is_report)


def _is_report(data: bytes) -> bool:
    """Whether a file's content is an earlier report."""
    try:
        summary = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return False
    return summary == {} or (isinstance(summary, dict) and {"schema", "ticks", "stages"} <= set(summary))
