"""The benchmarks' tables and history lines, from a report alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streaming.bench import append_history, entry, settings, table
from streaming.config import Show
from streaming.perform import Performance
from streaming.report import ShowRecord, StageRecord, build_report
from streaming.supervisor import Ending


@pytest.fixture
def done() -> Performance:
    record = ShowRecord(show=Show(), start_ns=0, end_ns=30_000_000_000, awake=True)
    for name in ("motion", "speaker"):
        record.stages[name] = StageRecord(name, rss_mb_start=100.0, rss_mb_end=101.0)
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


def test_the_history_is_one_line_of_json_each(tmp_path: Path, done: Performance) -> None:
    path = tmp_path / "history.jsonl"
    for _ in range(2):
        append_history(path, entry("soak", done))
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["bench"] == second["bench"] == "soak"
    assert first["stages"]["motion"]["rss_mb_end"] == 101.0
