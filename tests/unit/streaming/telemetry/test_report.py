"""The report: every field of the contract, null where nothing was measured, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming.schema.messages import Health
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.telemetry.console import closing_lines, line_of
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.report import RSS_SAMPLES, ShowRecord, StageRecord, build_report, write_report
from streaming.telemetry.snapshot import Rates, snapshot
from tests.unit.streaming.telemetry.records import performing

HOST = {"cpu": "x", "gpu": None, "cores": 2}
S = 1_000_000_000


def performed() -> ShowRecord:
    record = ShowRecord(show=Show(direction="video-to-music"), start_ns=0, end_ns=10 * S)
    for name in ("camera", "motion", "tokens", "sound", "speaker"):
        stage = record.stages[name] = StageRecord(PROCESSES[name], reported=True)
        stage.first, stage.last = (10, S), (10 + 25 * 8, 9 * S)
    metrics = Metrics()
    for value in range(50, 150):
        metrics.observe("motion_to_sound_ms", value)
    for name, count in {"expected": 250, "played": 245, "concealed": 5, "concealed_start": 4}.items():
        metrics.count(f"ticks.{name}", count)
    metrics.gauge("samples_played", 313_600)
    speaker = record.stages["speaker"]
    speaker.totals.add(metrics.take("speaker"))
    speaker.info = {"device": "JACK", "samplerate": 48_000}
    record.stages["sound"].totals.add(Health(stage="sound", counters={"drops.tokens": 3, "dropsy": 0}))
    return record


def test_nothing_measured_is_null_and_never_zero() -> None:
    record = ShowRecord(show=Show())
    record.stages["camera"] = StageRecord(PROCESSES["camera"])
    record.stages["speaker"] = StageRecord(PROCESSES["speaker"])
    report = build_report(record, HOST)
    assert report["duration_s"] is None
    assert set(report["ticks"].values()) == {None}
    assert set(report["audio"].values()) == {None}
    assert set(report["fps"].values()) == {None}
    assert report["tokens_per_s"] is None
    assert set(report["motion_to_sound_ms"]) == {"n", "p50", "p95", "p99", "max"}
    assert set(report["motion_to_sound_ms"].values()) == {None}
    assert set(report["sound_to_picture_ms"].values()) == {None}
    stage = report["stages"]["camera"]
    for name in ("drops", "cpu_percent", "rss_mb_start", "rss_mb_end"):
        assert stage[name] is None
    assert set(stage["step_ms"].values()) == {None}


def test_every_field_of_the_contract_is_there() -> None:
    report = build_report(performed(), HOST)
    assert {"schema", "version", "host", "backend", "bundle", "direction", "duration_s"} <= set(report)
    assert report["version"]
    assert report["duration_s"] == 10.0
    assert report["ticks"] == {"expected": 250, "played": 245, "concealed": 5, "concealed_after_first_second": 1}
    assert report["audio"] == {"samples_played": 313_600, "underruns": 0, "device": "JACK", "samplerate": 48_000}
    assert report["fps"] == {"camera": 25.0, "motion": 25.0, "picture": None, "screen": None}
    assert report["tokens_per_s"] == 200.0
    assert report["token_frames_per_s"] == 50.0
    latency = report["motion_to_sound_ms"]
    assert latency["n"] == 100
    assert latency["p50"] == pytest.approx(99.5, rel=0.02)
    assert latency["max"] == 149.0
    assert report["awake"] is False
    assert report["stages"]["sound"]["drops"] == 3
    assert {"step_ms", "drops", "restarts", "recovery_ms", "cpu_percent", "rss_mb_start", "rss_mb_end"} <= set(
        report["stages"]["sound"]
    )
    json.dumps(report)


def counted(name: str, **counters: int) -> StageRecord:
    stage = StageRecord(PROCESSES[name], reported=True, info={"device": "a film"})
    stage.totals.add(Health(stage=name, counters=counters))
    return stage


@pytest.mark.parametrize(
    ("shown", "at_first", "found"),
    [
        (750, 25, (750, 750, 0, 0)),
        (700, 20, (750, 700, 50, 45)),  # also those that a stage that was gone did not count
        (0, 0, (750, 0, 750, 725)),
        (751, 26, (750, 751, 0, 0)),  # the sound's clock began anew
    ],
)
def test_of_as_many_pictures_as_there_were_ticks(shown: int, at_first: int, found: tuple[int, ...]) -> None:
    record = ShowRecord(show=Show(direction="music-to-video"))
    record.stages["microphone"] = counted("microphone", published=750)
    record.stages["picture"] = counted("picture", given_up=3)
    record.stages["screen"] = counted("screen", pictures_shown=shown, pictures_shown_start=at_first)
    pictures = build_report(record, HOST)["pictures"]
    assert tuple(pictures.values()) == (*found, "a film", 3)
    assert list(pictures) == ["expected", "shown", "missed", "missed_after_first_second", "device", "given_up"]
    both = performed()
    both.stages["microphone"], both.stages["screen"] = counted("microphone", published=9), record.stages["screen"]
    assert build_report(both, HOST)["pictures"]["expected"] == 250
    assert set(build_report(performed(), HOST)["pictures"].values()) == {None}


def test_both_directions_say_their_latency_devices_and_networks() -> None:
    record = ShowRecord(show=Show(direction="music-to-video", camera="performer", screen="none"))
    for name in ("microphone", "hearing", "flow", "picture", "screen"):
        record.stages[name] = StageRecord(PROCESSES[name], reported=True)
    metrics = Metrics()
    metrics.observe("sound_to_picture_ms", 70.0)
    record.stages["screen"].totals.add(metrics.take("screen"))
    record.stages["microphone"].info["device"] = "USB microphone"
    assert build_report(record, HOST)["eyes"] is None, "no stage here looks"
    assert build_report(record, HOST)["playing"] is None, "no stage here plays"
    record.stages["hearing"].info["playing"] = "keys (seen by the eyes)"
    record.stages["hearing"].info["eyes"] = "published eyes"
    record.stages["hearing"].info["backends"] = {"encoder": "onnxruntime", "hearing": "onnxruntime"}
    record.stages["picture"].info["backends"] = {"painter": "torch"}
    report = build_report(record, HOST)
    assert report["sound_to_picture_ms"]["n"] == 1
    assert report["motion_to_sound_ms"]["n"] is None
    assert report["backends"] == {"encoder": "onnxruntime", "hearing": "onnxruntime", "painter": "torch"}
    assert report["backend"] == "onnxruntime"
    assert (report["eyes"], report["playing"]) == ("published eyes", "keys (seen by the eyes)")
    assert report["devices"] == {"microphone": "USB microphone", "screen": "none"}
    forward = build_report(performed(), HOST)
    assert forward["devices"] == {"camera": "auto", "speaker": "JACK"}
    assert forward["backend"] == "auto", "what was asked for, as no network has said where it runs"


def test_what_was_silent_all_along_is_said() -> None:
    record = ShowRecord(show=Show())
    for name, levels in {"speaker": (-90.0, -12.0, -90.0), "microphone": (-90.0, -80.0)}.items():
        stage, metrics = StageRecord(PROCESSES[name]), Metrics()
        for level in levels:
            metrics.gauge("level_db", level, peak=True)
            stage.totals.add(metrics.take(name))
        record.stages[name] = stage
    assert build_report(record, HOST)["silent"] == ["microphone"]
    record.stages["speaker"].totals.add(Metrics().take("speaker"))
    assert build_report(ShowRecord(show=Show()), HOST)["silent"] == []


def test_a_device_that_had_gone_is_reported_and_said() -> None:
    record = performing()
    record.end_ns = 20 * S
    assert build_report(record, {})["devices_lost"] == {}
    lost = Health(stage="speaker", counters={"device_lost": 2, "device_back": 1, "away_ms": 5_040})
    record.stages["speaker"].totals.add(lost)
    record.stages["speaker"].info["away"] = True
    assert build_report(record, {})["devices_lost"] == {"speaker": {"lost": 2, "back": 1, "away_s": 5.04}}
    assert "speaker lost 2 times, back once, away for 5.0 s" in closing_lines(record)
    assert "speaker:no device" in line_of(snapshot(record, 20 * S, Rates()))


def test_memory_samples_are_bounded_and_give_a_slope() -> None:
    stage = StageRecord(PROCESSES["camera"])
    assert stage.rss_slope_mb_per_hour() is None
    for second in range(10 * RSS_SAMPLES):
        stage.sample_rss(second, 100.0 + second / 3600.0)
    assert len(stage.rss_series) <= RSS_SAMPLES
    assert stage.rss_slope_mb_per_hour() == pytest.approx(1.0, rel=1e-3)
    assert stage.rss_mb_end == pytest.approx(100 + (10 * RSS_SAMPLES - 1) / 3600)


def test_the_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("{}")
    write_report(str(path), {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(ValueError, match="Circular"):
        write_report(str(path), loop)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_an_earlier_report_is_replaced_and_anything_else_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    report = build_report(performed(), HOST)
    assert [write_report(str(path), report) for _ in range(2)] == ["", ""]
    path.write_text('{"a": "diary"}')
    assert write_report(str(path), report) == f"{path}: what was there is kept as r-1.json"
    assert (tmp_path / "r-1.json").read_text() == '{"a": "diary"}'
    assert json.loads(path.read_text())["schema"] == 1


def test_the_clock_of_the_camera_is_reported_and_null_where_there_is_none() -> None:
    unknown = dict.fromkeys(("stamps", "delay_ms", "phase_ms", "drift_ppm"))
    assert build_report(performing("music-to-video"), {})["camera_clock"] == unknown
    record = performing()
    assert build_report(record, {})["camera_clock"] == unknown
    record.stages["camera"].info["stamps"] = "driver"
    gauges = {"camera_phase_ms": 12.34, "camera_drift_ppm": -35.0, "stamp_delay_ms": 31.4}
    record.stages["camera"].totals.add(Health(stage="camera", gauges=gauges))
    found = build_report(record, {})["camera_clock"]
    assert found == {"stamps": "driver", "delay_ms": 31.4, "phase_ms": 12.34, "drift_ppm": -35.0}
