"""A bundle's engines are built with their manifests, said while it goes, and only where something has changed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines import machine
from engines.artifacts import artifact_entry, manifest_of, read_entry, why_rebuilt
from engines.bundles import artifacts_of
from engines.contract import EngineError
from engines.registry import open_engine
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from export import build as building
from export import parity, tensorrt
from export.__main__ import main
from export.build import build_artifacts
from export.parity import TOLERANCE, example_input
from export.progress import PrintedProgress
from models.pictures.animator import Animator, AnimatorConfig
from tests.small import small_bundle
from training.bundling import write_network


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small_bundle(tmp_path, 2048)


def test_a_manifest_says_all_that_is_to_be_known(bundle: Path) -> None:
    entry = build_artifacts(bundle, networks=["decoder"])["decoder"]
    assert entry == read_entry(bundle, "onnxruntime", "decoder")
    assert entry["inputs"] == {"frames": ["int64", [1, 4, 2]]}
    assert len(entry["state"]) > 0
    assert entry["rates"] == {"ticks_hz": 25, "sample_rate_hz": 32000}
    assert entry["latency_samples"] == 0
    assert entry["precision"] == entry["asked"] == "fp32"
    assert entry["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert entry["versions"]["onnxruntime"]
    assert entry["parity"]["output"] <= entry["tolerance"]["output"] == TOLERANCE
    assert entry["step_ms"].keys() == {"own", "torch"}
    assert entry["provider"] == "CPUExecutionProvider"
    assert entry["gpu"] is None or entry["gpu"].keys() == {"name", "architecture", "driver"}


def test_the_command_builds_what_is_missing_and_says_why(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle)]) == 0
    assert "[2/2]" in capsys.readouterr().out
    assert main([str(bundle), "--if-needed"]) == 0
    assert capsys.readouterr().out == "", "engines are built once and found again"
    (artifacts_of(bundle) / "decoder.onnx").write_bytes(b"damaged")
    assert main([str(bundle), "--if-needed"]) == 0
    words = capsys.readouterr().out
    assert "decoder      is built again: its file is missing or damaged" in words
    assert "encoder" not in words
    assert why_rebuilt(bundle, "onnxruntime") == {}


def test_progress_is_in_words_and_figures_are_asked_for(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[2]] == ["[1/2] encoder ...", "[2/2] decoder ..."]
    assert re.fullmatch(r"  encoder: (less than 1|\d+) s", lines[1])
    assert len(lines) == 4
    assert main([str(bundle), "--verbose"]) == 0
    words = capsys.readouterr().out
    assert "[2/2] decoder for onnxruntime in fp32 ..." in words
    assert re.search(
        r"  fp32 CPU: [\d.]+ ms a tick, torch [\d.]+ ms; distance from torch, of the largest accepted: ", words
    )


def test_on_a_terminal_a_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PrintedProgress(inline=True)
    progress.begin(3, 10, "translator", "for onnxruntime in fp32")
    progress.end("translator", {})
    progress.begin(4, 10, "pose", "for onnxruntime in fp32")
    progress.end("pose", {"failed": "no room"})
    first, second = capsys.readouterr().out.splitlines()
    assert first == "[3/10] translator ... less than 1 s"
    assert second == "[4/10] pose ... not built, after less than 1 s"


def test_half_precision_keeps_inputs_outputs_and_the_state_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"latent_dim": 8, "dim": 32, "heads": 2, "window": 7, "shown": 16, "inside": 16, "widths": (8, 8, 16, 16)}
    write_network(tmp_path, "animator", Animator(AnimatorConfig(**sizes)), {"command": "none"})  # type: ignore[arg-type]
    entry = build_artifacts(tmp_path, precision="fp16", networks=["animator"])["animator"]
    assert entry["precision"] == "fp16"
    assert TOLERANCE < entry["parity"]["state"] <= entry["tolerance"]["state"]  # measured 0.0007
    spec = open_engine("animator", bundle=str(tmp_path), backend="onnxruntime").spec
    assert (spec.runtime, spec.precision) == ("onnxruntime", "fp16")
    # A stale one is built again in the precision that was asked for.
    assert build_artifacts(tmp_path, networks=["animator"])["animator"]["precision"] == "fp16"


class Coarse:
    """A session that is off by a thousandth, as one is that rounds what is multiplied to ten bits."""

    def __init__(self, runner: OnnxRunner) -> None:
        self._runner = runner
        self.reset, self.state, self.blank = runner.reset, runner.state, runner.blank

    def run(self, inputs: dict[str, Any]) -> Any:
        return self._runner.run(inputs) * 1.001


def test_of_several_providers_the_fastest_that_is_near_enough_is_taken(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"coarse": 1.0, "fine": 2.0, "slow": 3.0}

    def opened(data: bytes, *, provider: str = "slow") -> Any:
        if provider == "absent":
            raise EngineError("no such provider")
        runner = OnnxRunner(data)
        return Coarse(runner) if provider == "coarse" else runner

    monkeypatch.setattr(building, "providers", lambda: ["absent", *times])
    monkeypatch.setattr(building, "OnnxRunner", opened)
    monkeypatch.setattr(
        building,
        "time_runners",
        lambda tick, runners: {name: times.get(name, 9.0) for name in runners if _ran(tick, runners)},
    )
    entry = build_artifacts(bundle, networks=["decoder"])["decoder"]
    assert entry["provider"] == "fine", "what it did while it was timed is not compared"
    assert entry["providers_ms"] == times
    assert list(entry["providers_off"]) == ["coarse"]
    assert "in fp32" not in entry["providers_off"]["coarse"]
    assert "differs from torch (output 0.001" in entry["providers_off"]["coarse"]
    times.pop("fine")
    entry = build_artifacts(bundle, networks=["decoder"])["decoder"]
    assert (entry["provider"], list(entry["providers_off"])) == ("slow", ["coarse"])


def _ran(tick: Any, runners: dict[str, Any]) -> bool:
    """Runs each of them, as timing does: their states are no longer the first ones."""
    for runner in runners.values():
        runner.run({spec.name: example_input(spec, np.random.default_rng(0), 0) for spec in tick.inputs})
    return True


def test_torch_is_compared_from_the_beginning_after_it_was_timed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda graph, **_: graph)
    entry = build_artifacts(bundle, "torch", networks=["decoder"])["decoder"]
    assert "failed" not in entry
    assert entry["parity"]["output"] <= TOLERANCE


def test_what_is_too_far_in_a_lower_precision_stays_in_single_precision(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = parity.tolerances

    def strict(tick: Any, precision: str) -> dict[str, float]:
        return {"output": 1e-9} if precision == "fp16" else bounds(tick, precision)

    monkeypatch.setattr(building, "tolerances", strict)
    entry = build_artifacts(bundle, precision="fp16", networks=["decoder"])["decoder"]
    assert (entry["precision"], entry["asked"]) == ("fp32", "fp16")
    assert "in fp16 it differs from torch (output" in entry["kept"]
    assert list(why_rebuilt(bundle, "onnxruntime", "fp16")) == ["encoder"], "it is not tried again"


def test_what_cannot_be_built_is_remembered_with_the_reason(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "tolerances", lambda tick, precision: {"output": -1.0})
    assert main([str(bundle)]) == 1
    assert "decoder: in fp32 it differs from torch" in capsys.readouterr().err
    assert artifact_entry(bundle, "onnxruntime", "decoder") is None
    assert main([str(bundle), "--if-needed"]) == 0


@pytest.mark.parametrize(("backend", "precision"), [("onnxruntime", "bf16"), ("tensorrt", "int8"), ("torch", "int8")])
def test_a_precision_that_a_runtime_has_not_is_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str], backend: str, precision: str
) -> None:
    assert main([str(bundle), "--backend", backend, "--precision", precision]) == 2
    words = capsys.readouterr().err
    assert f"{backend} has no {precision}; use --precision" in words
    assert words.count("\n") == 1


def test_torch_in_lower_precision_needs_no_file(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no compiler here")))
    entry = build_artifacts(bundle, "torch", "bf16", ["decoder"])["decoder"]
    assert (entry["precision"], entry["compiled"], entry["not_compiled"]) == ("bf16", False, "no compiler here")
    assert "file" not in entry
    assert open_engine("decoder", bundle=str(bundle), backend="torch").spec.precision == "bf16"
    text = json.loads(manifest_of(bundle, "torch", "decoder").read_text())
    manifest_of(bundle, "torch", "decoder").write_text(json.dumps(text | {"versions": {"torch": "1.0"}}))
    assert open_engine("decoder", bundle=str(bundle), backend="torch").spec.precision == "fp32"


def test_without_a_gpu_no_plan_is_built_and_that_is_one_line(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([str(bundle), "--backend", "tensorrt"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        f"{name}: TensorRT needs an NVIDIA GPU, and there is none; use --backend onnxruntime"
        for name in ("encoder", "decoder")
    ]


def test_a_plan_is_kept_with_the_names_of_its_tensors(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the compiler and after it; what the compiler gives is replaced by torch."""
    from engines.runtimes.torch_runtime import TorchRunner

    def on_torch(tick: Any, asked: str, compiler: tensorrt.Compiler) -> building.BuildResult:
        plan, names = tensorrt.to_plan(tick, asked, compiler=compiler, device="cpu")
        return building.BuildResult(plan, TorchRunner(tick, torch.device("cpu")), asked, {"bindings": names})

    monkeypatch.setattr(building, "build_for_tensorrt", on_torch)
    monkeypatch.setattr(machine, "gpu", lambda: machine.Gpu("NVIDIA H100", "sm_90", "570.1"))
    entry = build_artifacts(bundle, "tensorrt", networks=["decoder"], compiler=lambda program, example: b"a plan")[
        "decoder"
    ]
    assert (artifacts_of(bundle) / entry["file"]).read_bytes() == b"a plan"
    assert entry["file"] == "decoder.plan"
    assert entry["gpu"] == {"name": "NVIDIA H100", "architecture": "sm_90", "driver": "570.1"}
    assert len(entry["bindings"]["inputs"]) == 1 + len(entry["state"])
    assert entry["bindings"]["outputs"] == [f"output{n}" for n in range(1 + len(entry["state"]))]
    assert artifact_entry(bundle, "tensorrt", "decoder") is not None
    monkeypatch.setattr(machine, "gpu", lambda: machine.Gpu("NVIDIA A100", "sm_80", "570.1"))
    assert artifact_entry(bundle, "tensorrt", "decoder") is None


def test_a_compiler_that_fails_is_one_line(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(program: Any, example: Any) -> bytes:
        raise EngineError("torch-tensorrt cannot build it (no converter); use another --backend")

    def on_cpu(tick: Any, asked: str, compiler: tensorrt.Compiler) -> building.BuildResult:
        tensorrt.to_plan(tick, asked, compiler=compiler, device="cpu")
        raise AssertionError

    monkeypatch.setattr(building, "build_for_tensorrt", on_cpu)
    entry = build_artifacts(bundle, "tensorrt", networks=["decoder"], compiler=broken)["decoder"]
    assert entry["failed"] == "torch-tensorrt cannot build it (no converter); use another --backend"
