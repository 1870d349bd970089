"""The benchmarks' tables and history lines, from a report alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.show import append_history, bench, entry, settings, side_by_side, table
from streaming.runtime.show import Performance
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.settings.options import parse
from streaming.telemetry.report import Ending, ShowRecord, StageRecord, build_report


@pytest.fixture
def done() -> Performance:
    record = ShowRecord(show=Show(), start_ns=0, end_ns=30_000_000_000, awake=True)
    for name in ("motion", "speaker"):
        record.stages[name] = StageRecord(PROCESSES[name], rss_mb_start=100.0, rss_mb_end=101.0)
    return Performance(Ending(0), build_report(record, {"cpu": "a CPU", "gpu": None, "cores": 2}))


def test_a_benchmark_needs_no_device_and_keeps_what_was_chosen() -> None:
    show = settings(Show(), 30.0)
    assert (show.camera, show.speaker, show.duration_s) == ("performer", "none", 30.0)
    assert settings(Show(camera="0", speaker="JACK"), 5.0).speaker == "JACK"


def test_tables_say_what_was_not_measured(done: Performance) -> None:
    text = "\n".join(table("latency", done.report))
    assert "30 s, a CPU, 2 cores, awake" in text
    assert "p50 –" in text
    assert "MB/h" not in text
    assert "101.00" in "\n".join(table("soak", done.report))


def test_runtimes_stand_side_by_side_in_medians_and_the_worst_of_what_went_wrong(done: Performance) -> None:
    def report(step: float, played: int) -> dict[str, Any]:
        one = copy.deepcopy(done.report)
        one["stages"]["motion"]["step_ms"] |= {"p50": step, "p99": 2 * step}
        one["ticks"] |= {"expected": 750, "played": played, "concealed_after_first_second": 750 - played}
        one["audio"]["underruns"] = 0
        return one

    reports = {
        "torch": [report(8.0, 750), report(10.0, 750), report(12.0, 749)],
        "onnxruntime": [report(4.0, 750), report(5.0, 750), report(90.0, 750)],
    }
    lines = side_by_side(reports)
    assert "3 performances of 30 s each, in turns" in lines[0]
    assert "| motion, ms p50 | 10.00 | 5.00 | 0.50 |" in lines
    assert "| ticks not played | 1 | 0 | 0.00 |" in lines
    assert "| underruns | 0 | 0 | – |" in lines
    assert "| ticks" not in "\n".join(side_by_side({name: [done.report] for name in reports})), "nothing was played"
    assert not any("sound-to-picture" in line for line in lines), "what was not measured has no line"


def test_the_history_is_one_line_of_json_each(tmp_path: Path, done: Performance) -> None:
    path = tmp_path / "history.jsonl"
    for _ in range(2):
        append_history(path, entry("soak", done))
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["bench"] == second["bench"] == "soak"
    assert first["stages"]["motion"]["rss_mb_end"] == 101.0


def test_without_jack_the_stamps_are_measured_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], done: Performance
) -> None:
    monkeypatch.setattr("benchmarks.show.can_measure", lambda command: False)
    monkeypatch.setattr("benchmarks.show.perform", lambda show, **_: done)
    assert bench(parse(["bench", "latency", "--seconds", "3"])) == 0
    said = capsys.readouterr()
    assert "jackd is not installed" in said.err
    assert "motion-to-sound ms" in said.out
