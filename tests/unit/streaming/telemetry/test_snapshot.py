"""A show at one moment: both directions, what was not measured, the newest rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.schema.processes import PROCESSES, Process
from streaming.settings.config import Show
from streaming.telemetry.console import closing_lines, devices_of, line_of
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.report import ShowRecord, StageRecord, build_report
from streaming.telemetry.snapshot import Rates, networks_in_short, snapshot
from tests.unit.streaming.telemetry.records import S, counted, performing


def test_the_rate_shown_is_the_newest() -> None:
    record, rates = performing(), Rates()
    stage = record.stages["camera"]
    rates.of(stage)
    stage.last = (25 + 20, 4 * S)
    assert rates.of(stage) == pytest.approx(10.0)


def test_what_does_not_publish_at_a_rate_has_none() -> None:
    record = performing("music-to-video")
    row = PROCESSES["recorder"]
    record.stages["recorder"] = StageRecord(row, state="running", first=(0, S), last=(0, 2 * S))
    rates = {stage.name: stage.rate_hz for stage in snapshot(record, 12 * S, Rates()).rows}
    assert (rates["picture"], rates["scene"], rates["recorder"]) == (25.0, None, None)


@pytest.mark.parametrize(
    ("direction", "latencies"),
    [
        ("video-to-music", ["motion-to-sound"]),
        ("music-to-video", ["sound-to-picture"]),
        ("both", ["motion-to-sound", "sound-to-picture"]),
    ],
)
def test_the_directions_that_run_are_shown_and_no_other(direction: str, latencies: list[str]) -> None:
    now = snapshot(performing(direction), 12 * S, Rates())
    assert [row.latency for row in now.directions] == latencies
    assert all(row.p50_ms == pytest.approx(71.0, rel=0.01) for row in now.directions)


def test_a_direction_goes_from_its_source_to_its_output() -> None:
    forward, reverse = snapshot(performing("both"), 12 * S, Rates()).directions
    assert (forward.source, forward.output) == ("camera performer:drums@3", "speaker auto")
    assert (reverse.source, reverse.output) == ("microphone auto", "screen auto")
    assert forward.faults == {"underruns": 0, "concealed": 2}
    assert reverse.faults == {"pictures missed": 3}


def test_at_the_end_a_picture_that_nobody_could_count_is_missed_too() -> None:
    record = performing("music-to-video")
    record.stages["microphone"] = counted("microphone", published=250)
    record.end_ns = 10 * S
    assert snapshot(record, 10 * S, Rates()).directions[0].faults == {"pictures missed": 50}


def test_what_another_machine_does_is_not_invented() -> None:
    record = ShowRecord(show=Show(direction="both"), stages={"screen": StageRecord(PROCESSES["screen"])})
    (direction,) = snapshot(record, 0, Rates()).directions
    assert (direction.source, direction.p50_ms) == ("", None)
    assert direction.faults == {"pictures missed": None}


def test_a_stage_that_is_new_is_shown_and_reported_by_its_row_alone(tmp_path: Path) -> None:
    log = tmp_path / "lamp.csv"
    log.write_text("on")
    row = Process("lamp", "x", latency="sound_to_light_ms", output_of="music-to-video", has_level=True, leaves="log")
    record = performing("music-to-video")
    stage = record.stages["lamp"] = StageRecord(row, state="running", reported=True, info={"log": str(log)})
    metrics = Metrics()
    metrics.observe("sound_to_light_ms", 5.0)
    metrics.gauge("level_db", -70.0, peak=True)
    stage.totals.add(metrics.take("lamp"))
    now = snapshot(record, 12 * S, Rates())
    assert "microphone auto → lamp" in [devices_of(direction) for direction in now.directions]
    assert "sound-to-light p50 5 p99 5 ms" in line_of(now)
    record.end_ns = 12 * S
    assert {"silent: the lamp", f"log: {log}"} <= set(closing_lines(record))
    report = build_report(record, {})
    assert report["sound_to_light_ms"]["n"] == 1
    assert report["silent"] == ["lamp"]
    assert report["stages"]["lamp"]["state"] == "running"


def test_networks_are_named_where_they_are_not_like_most() -> None:
    assert networks_in_short({}) == ""
    assert networks_in_short({"a": "onnxruntime", "b": "onnxruntime"}) == "onnxruntime"
    mixed = {"a": "torch", "b": "onnxruntime", "c": "onnxruntime", "d": "torch", "e": "onnxruntime"}
    assert networks_in_short(mixed) == "onnxruntime, torch (a, d)"
