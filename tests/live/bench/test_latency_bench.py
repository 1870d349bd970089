"""The latency bench on real processes: a whole show through JACK, seen and heard from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.jack_server import MARKS

CHECKOUT = Path(__file__).resolve().parents[3]
TRIALS = 2
pytestmark = MARKS


@pytest.mark.timeout(200)
def test_both_ways_are_measured_from_outside_and_agree_with_the_stamps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_BENCH_HISTORY", str(tmp_path / "history.jsonl"))
    command = [sys.executable, str(CHECKOUT / "run_live.py"), "bench", "latency", "--trials", str(TRIALS), "--awake"]
    command += ["--out", str(tmp_path / "out"), "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "bench-latency.json").read_text())
    for way in ("forward", "reverse"):
        floor, measured = found["floor"][way]["changed_ms"], found[way]["changed_ms"]
        assert len(found[way]["trials"]) == TRIALS
        assert floor["n"] > 0
        assert measured["n"] > 0
        assert 0.0 < floor["min"] < measured["min"] < 400.0
        # Where the host holds up the machine single trials may be apart; stamps that are wrong are so in all of them.
        known = [trial["external_minus_stamps_ms"] for trial in found[way]["trials"]]
        assert min(abs(difference) for difference in known if difference is not None) < 10.0
    forward = found["forward"]
    assert forward["frame_to_sound_ms"]["min"] < forward["frame_to_onset_ms"]["min"], "a strike takes a second frame"
    assert found["conditions"]["recorder_lost_samples"] is not None
    assert "Light to sound" in (tmp_path / "out" / "bench-latency.html").read_text()
    assert (tmp_path / "history.jsonl").read_text().count("\n") == 1
