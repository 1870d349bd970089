"""The log: JSON lines, files that rotate, and a disk that is full."""

from __future__ import annotations

import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streaming.errors import UserError
from streaming.telemetry.report import Ending
from streaming.telemetry.show_log import FIGURES_NS, ShowLog
from tests.unit.streaming.telemetry.records import S, performing


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_happens_is_a_line_of_json(tmp_path: Path) -> None:
    path, record = tmp_path / "show.jsonl", performing()
    log = ShowLog(str(path), wall_s=lambda at_ns: 1.8e9 + at_ns / 1e9, now_ns=lambda: 70 * S)
    log.update(record, 2 * S)
    note = "a note of 100 % – with an ümlaut\nand a second line"
    record.notes.append(note)
    record.stages["camera"].state = "restarting"
    record.stages["camera"].restarts = 1
    log.update(record, 3 * S)
    log.update(record, 3 * S)
    log.update(record, 3 * S + FIGURES_NS)
    log.finish(record, Ending(0))
    log.close()
    found = lines(path)
    events = [line["event"] for line in found]
    assert events[:3] == ["begin", "start", "note"]
    assert events.count("note") == 2
    assert found[-1] == {**found[-1], "event": "end", "code": 0, "line": ""}
    (change,) = [line for line in found if line["event"] == "stage" and line["was"] == "running"]
    assert (change["stage"], change["state"], change["restarts"]) == ("camera", "restarting", 1)
    assert change["show_s"] == 3.0
    assert datetime.fromisoformat(change["time"]).timestamp() == pytest.approx(1.8e9 + 3.0)
    (figures,) = [line for line in found if line["event"] == "figures"]
    assert figures["latency"]["motion_to_sound_ms"]["n"] == 1
    assert [line for line in found if line["event"] == "note"][-1]["line"] == note
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_rotate_and_stay_within_their_bound(tmp_path: Path) -> None:
    path, record = tmp_path / "show.jsonl", performing()
    log = ShowLog(str(path), max_bytes=2_000, old_files=3)
    for number in range(400):
        record.notes.append(f"note {number}")
        log.update(record, (2 + number) * S)
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["show.jsonl", *(f"show.jsonl.{number}" for number in (1, 2, 3))]
    assert all(file.stat().st_size <= 2_000 for file in files)
    newest = [line["line"] for file in reversed(files) for line in lines(file) if line["event"] == "note"]
    assert newest[-1] == "note 399"
    assert newest == [f"note {number}" for number in range(400 - len(newest), 400)], "none is missing in between"


def test_a_log_goes_on_after_a_restart_and_no_other_file_is_touched(tmp_path: Path) -> None:
    path, record = tmp_path / "show.jsonl", performing()
    for _ in range(2):
        log = ShowLog(str(path))
        log.update(record, 2 * S)
        log.finish(record, Ending(0))
        log.close()
    assert [line["event"] for line in lines(path)].count("begin") == 2
    other = tmp_path / "letter.txt"
    other.write_text("dear", encoding="utf-8")
    for wrong in (other, tmp_path, Path("/dev/full"), tmp_path / "no" / "folder.jsonl"):
        with pytest.raises(UserError, match="--log"):
            ShowLog(str(wrong))
    assert other.read_text(encoding="utf-8") == "dear"


def test_a_log_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    folder, record = tmp_path / "logs", performing()
    folder.mkdir()
    log = ShowLog(str(folder / "show.jsonl"))
    folder.rmdir()
    for second in range(2, 6):
        log.update(record, second * S)
        record.stages["camera"].restarts += 1
    log.close()
    assert len([line for line in record.notes if "cannot be written" in line]) == 1
