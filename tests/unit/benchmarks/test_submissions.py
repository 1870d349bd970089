"""One file holds what a machine measured, without what is private; such files become a table."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.latency.figures import summarise
from benchmarks.submissions import main, submit, table
from streaming.errors import UserError
from streaming.settings.options import Command


def latency(p50: float, reverse: bool = True) -> dict[str, Any]:
    figures = summarise([p50, p50 + 2.0])
    way = {"frame_to_sound_ms": figures, "changed_ms": figures, "onset_ms": figures}
    return {
        "bench": "latency",
        "forward": way,
        "reverse": way if reverse else None,
        "floor": {"forward": way},
        "conditions": {"camera": "a|b", "audio_period_frames": 256, "audio_rate_hz": 48_000},
        "report": {"notes": ["written to /home/somebody"]},
    }


def submission(cpu: str, p50: float) -> dict[str, Any]:
    host = {"cpu": cpu, "cores": 4, "gpu": None}
    return {"schema": 1, "version": "0.3", "host": host, "results": {"latency": latency(p50, reverse=False)}}


def test_one_file_has_every_result_and_nothing_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bench-latency.json").write_text(json.dumps(latency(50.0)))
    (tmp_path / "bench-soak.json").write_text("broken")
    device = r"file:C:\somebody\x.wav"
    budget = {"bench": "budget", "camera": "/home/somebody/a film.mp4", "report": {"device": [device]}}
    (tmp_path / "bench-budget.json").write_text(json.dumps(budget))
    assert submit(dataclasses.replace(Command("bench"), out=str(tmp_path))) == 0
    (file,) = tmp_path.glob("antiphon-bench-*.json")
    found = json.loads(file.read_text())
    assert list(found["results"]) == ["latency", "budget"]
    assert found["results"]["budget"]["camera"] == "a film.mp4"
    assert found["results"]["budget"]["report"]["device"] == ["file:x.wav"]
    assert "somebody" not in file.read_text()
    assert str(file) in capsys.readouterr().out
    assert main([str(file)]) == 0
    assert "51.0, 52.0" in capsys.readouterr().out


def test_without_a_result_one_line_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bench latency"):
        submit(dataclasses.replace(Command("bench"), out=str(tmp_path)))


def test_the_table_has_the_fastest_first_and_skips_what_has_no_latency() -> None:
    lines = table([submission("slow", 80.0), {"host": {}, "results": {}}, submission("fast", 40.0)])
    assert [line.split("|")[1].split(",")[0].strip() for line in lines[2:]] == ["fast", "slow"]
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    assert main([str(tmp_path / "x.json")]) == 2
