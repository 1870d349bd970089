"""The table of engines: all ways take turns, what fails is a row that says why, and a heavy one is weighed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import engines as bench
from benchmarks.engines import BASE, Variant, build_file, entry, main, measure, open_runner, time_variants, variants
from benchmarks.engines_page import leave, markdown
from engines.contract import EngineError
from engines.runtimes.onnxruntime_runtime import CPU
from engines.runtimes.torch_runtime import load_tick
from models.translation.latent import Latent

DEFAULT = Path(__file__).parents[3] / "models" / "bundles" / "default"
ONNX = Variant("onnxruntime", "fp32", CPU)


def row(way: Variant, p50: float) -> dict[str, object]:
    step = {"p50": p50, "p99": 2.0 * p50, "n": 50, "speed_up": 4.0 / p50}
    return {
        "network": "decoder",
        "way": str(way),
        **way._asdict(),
        "step_ms": step,
        "memory_mb": 12.0,
        "parity": {"output": 1e-6},
    }


@pytest.fixture
def found() -> dict[str, object]:
    rows = [row(BASE, 4.0), row(ONNX, 1.0), {"network": "decoder", "way": "tensorrt fp16", "failed": "no GPU"}]
    about = {"cpu": "a CPU", "cores": 2, "gpu": None, "versions": {"torch": "2.13.0", "tensorrt": ""}}
    return {"machine": about, "bundle": "default", "at": "now", "rows": rows}


def test_all_take_turns_and_torch_is_what_they_are_compared_with() -> None:
    now_ns, order = [0], []

    class Slow:
        def __init__(self, took_ms: list[int]) -> None:
            self.took_ms = took_ms

        def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
            order.append(self.took_ms)
            now_ns[0] += self.took_ms[len(order) % len(self.took_ms)] * 1_000_000
            return next(iter(inputs.values()))

    slow, fast = Slow([8]), Slow([2, 2, 2, 4])
    runners: Any = {BASE: slow, ONNX: fast}
    times = time_variants("hearing", DEFAULT, runners, 0.0, lambda: now_ns[0])
    assert order == [slow.took_ms, fast.took_ms] * bench.MIN_TICKS
    assert times[BASE] == {"p50": 8.0, "p99": 8.0, "n": bench.MIN_TICKS, "speed_up": 1.0}
    assert (times[ONNX]["p50"], times[ONNX]["speed_up"]) == (2.0, 4.0)


def test_a_real_network_runs_in_each_way_that_there_is_and_is_weighed(tmp_path: Path) -> None:
    there = list(variants(rounded=False))
    assert there[0] == BASE
    assert ONNX in there
    data = build_file("hearing", DEFAULT, ONNX)
    runner = open_runner("hearing", DEFAULT, ONNX, data)
    tick = load_tick("hearing", DEFAULT)
    assert isinstance(tick.network, Latent)
    assert runner.run(runner.blank()).shape == (1, 1, tick.network.config.dim)
    file = tmp_path / "hearing"
    file.write_bytes(data)
    weight = bench.memory_growth_in_child("hearing", DEFAULT, ONNX, file)
    assert weight is not None
    assert 0.0 < weight < 200.0


def test_what_cannot_be_run_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise EngineError("it has no memory\nand more")

    monkeypatch.setattr(bench, "build_file", never)
    monkeypatch.setattr(bench, "learned_networks", lambda folder: ["hearing"])
    rows = measure(DEFAULT, 0.0)["rows"]
    assert {one["failed"] for one in rows} == {"it has no memory"}
    assert "not run: it has no memory" in markdown({**measure(DEFAULT, 0.0)})


def test_the_table_is_left_as_json_markdown_and_a_plot(tmp_path: Path, found: dict[str, object]) -> None:
    data, table, plot = leave(found, tmp_path / "new")
    assert json.loads(data.read_text()) == found
    text = table.read_text()
    assert "| decoder | torch eager fp32 | 4.00 | 8.00 | 1.00 | 12 | 1e-06 |" in text
    assert "|  | onnxruntime CPU fp32 | 1.00 |" in text
    assert "|  | tensorrt fp16 | not run: no GPU |" in text
    assert "a CPU, 2 cores, no GPU; torch 2.13.0; now." in text
    picture = cv2.imread(str(plot))
    assert picture is not None
    assert picture.std() > 5.0
    assert entry(found)["p50_ms"] == {"decoder torch eager fp32": 4.0, "decoder onnxruntime CPU fp32": 1.0}


def test_a_bundle_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_that_cannot_be_written_into_is_said_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "measure", lambda *arguments, **options: pytest.fail("it was measured first"))
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "folder")]) == 2
    assert "cannot be written into (Not a directory); give --out a folder" in capsys.readouterr().err
