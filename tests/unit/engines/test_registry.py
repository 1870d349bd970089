"""Which runtime is taken for a network, why, and that a broken one never ends a show that another can play."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines import hot_swap, machine, registry
from engines.artifacts import manifest_of, read_entry
from engines.bundles import artifacts_of
from engines.contract import EngineError
from engines.registry import check_backend, choose_runtime, missing_artifacts, open_engine, rank_runtimes
from engines.runtimes import onnxruntime_runtime, torch_runtime
from export import build as building
from export.build import build_artifacts
from models.tick_modules import DecoderTick
from tests.small import small_bundle

SILENCE = np.zeros((4, 2), np.int16)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Small and untrained, and not exported."""
    return small_bundle(tmp_path, 2048)


@pytest.fixture
def built(bundle: Path) -> Path:
    """The same with the decoder for ONNX Runtime."""
    build_artifacts(bundle, networks=["decoder"])
    return bundle


def say_of(bundle: Path, **changed: Any) -> None:
    path = manifest_of(bundle, "onnxruntime", "decoder")
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def opened(bundle: Path, backend: str = "auto") -> tuple[str, list[str]]:
    """The runtime that decodes a tick, and what was said."""
    told: list[str] = []
    engine = open_engine("decoder", bundle=str(bundle), backend=backend, tell=told.append)
    assert np.isfinite(engine.step(frames=SILENCE)["pcm"]).all()
    assert not any("\n" in line for line in told)
    return engine.spec.runtime, told


def test_what_was_measured_to_be_faster_is_taken_and_why_is_said(built: Path) -> None:
    here = {"cpu": machine.cpu(), "gpu": None}
    for own, torchs, first in ((1.0, 4.0, "onnxruntime"), (4.0, 1.0, "torch")):
        say_of(built, step_ms={"own": own, "torch": torchs}, measured_on=here)
        taken = rank_runtimes("auto", built, "decoder")[0]
        assert taken.runtime == first
        assert f"{own:g} ms a tick, torch {torchs:g}: measured" in taken.why
    assert open_engine("decoder", bundle=str(built)).spec.why == taken.why
    assert rank_runtimes("onnxruntime", built, "decoder")[0].why == "asked for"


def test_without_a_measurement_a_rule_decides(built: Path) -> None:
    say_of(built, measured_on={"cpu": "another", "gpu": None})
    assert "not measured" in rank_runtimes("auto", built, "decoder")[0].why
    assert choose_runtime("auto", str(built), "decoder") == "onnxruntime"


def test_torch_is_taken_where_nothing_was_built(bundle: Path) -> None:
    for backend in ("auto", "onnxruntime"):
        assert choose_runtime(backend, str(bundle), "decoder") == "torch"
        runtime, told = opened(bundle, backend)
        assert (runtime, told) == ("torch", [])
    assert rank_runtimes("auto", bundle, "decoder")[0].why == "onnxruntime: it was not built yet"
    assert set(missing_artifacts("auto", str(bundle))["onnxruntime"]) == {"encoder", "decoder"}
    assert missing_artifacts("torch", str(bundle)) == {}


def test_a_corrupt_artifact_is_one_line_and_torch_plays(built: Path) -> None:
    path = artifacts_of(built) / "decoder.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    runtime, told = opened(built)
    assert runtime == "torch"
    assert len(told) == 1
    assert "decoder: not in onnxruntime" in told[0]
    assert "hash does not match" in told[0]
    assert "python -m export" in told[0]
    assert missing_artifacts("auto", str(built))["onnxruntime"]["decoder"] == "its file is missing or damaged"


def test_what_the_runtime_does_not_accept_is_one_line_and_torch_plays(built: Path) -> None:
    import hashlib

    (artifacts_of(built) / "decoder.onnx").write_bytes(b"no network")
    say_of(built, sha256=hashlib.sha256(b"no network").hexdigest())
    runtime, told = opened(built)
    assert runtime == "torch"
    assert "ONNX Runtime does not accept it" in told[0]


def test_a_plan_for_another_gpu_is_not_taken_and_is_built_again(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = read_entry(built, "onnxruntime", "decoder") or {}
    other = {"name": "NVIDIA A100", "architecture": "sm_80", "driver": "1"}
    plan = entry | {"gpu": other, "versions": {"tensorrt": "11.0.0"}, "runtime": "tensorrt"}
    manifest_of(built, "tensorrt", "decoder").write_text(json.dumps(plan))
    monkeypatch.setattr(machine, "gpu", lambda: machine.Gpu("NVIDIA H100", "sm_90", "1"))
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    monkeypatch.setattr(machine, "is_installed", lambda package: True)
    monkeypatch.setattr(machine, "version", lambda runtime: "11.0.0")
    found = rank_runtimes("tensorrt", built, "decoder")
    assert [choice.runtime for choice in found if choice.device == "auto"] == ["torch", "onnxruntime"]
    assert "built for NVIDIA A100, here is NVIDIA H100" in found[0].why
    assert {choice.runtime for choice in found if choice.device == "cpu"} == {"torch", "onnxruntime"}
    assert "built for NVIDIA A100" in missing_artifacts("auto", str(built))["tensorrt"]["decoder"]


@pytest.mark.parametrize("missing", ["torch", "onnxruntime"])
def test_a_missing_runtime_is_one_line_and_the_other_plays(
    built: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(machine, "is_installed", lambda package: package != missing)
    line = check_backend(missing)
    assert line.startswith(f"{missing} is not installed here (pip install {missing})")
    assert "\n" not in line
    other = {"torch": "onnxruntime", "onnxruntime": "torch"}[missing]
    assert choose_runtime(missing, str(built), "decoder") == other
    assert opened(built, missing)[0] == opened(built, "auto")[0] == other


def test_tensorrt_without_a_gpu_is_one_line_and_others_play(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(machine, "is_installed", lambda package: True)
    assert "needs an NVIDIA GPU" in check_backend("tensorrt")
    assert opened(built, "tensorrt")[0] in ("torch", "onnxruntime")


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(EngineError, match="tensorflow is not available") as caught:
        choose_runtime("tensorflow")
    assert "\n" not in str(caught.value)


def test_a_full_gpu_is_one_line_and_the_cpu_plays(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torch_runtime.open_runner

    def full(network: str, folder: Path, device: str = "auto", threads: int = 1) -> Any:
        if device != "cpu":
            with torch_runtime.device_errors(torch.device("cpu")):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n2 GiB")
        return whole(network, folder, device, threads)

    monkeypatch.setattr(torch_runtime, "open_runner", full)
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    runtime, told = opened(bundle)
    assert runtime == "torch"
    assert told == ["decoder: not in torch: the memory of cpu is full; close what else uses it"]


def test_a_gpu_that_is_full_in_the_show_is_one_line_and_the_show_goes_on(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    engine = open_engine("decoder", bundle=str(built), backend="torch", tell=told.append)
    frames = np.random.default_rng(0).integers(0, 2048, (6, 4, 2)).astype(np.int16)
    reference = open_engine("decoder", bundle=str(built), backend="onnxruntime")
    want = [reference.step(frames=one)["pcm"] for one in frames]
    got = [engine.step(frames=one)["pcm"] for one in frames[:3]]

    def full(self: DecoderTick, *tensors: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DecoderTick, "forward", full)
    got += [engine.step(frames=one)["pcm"] for one in frames[3:]]
    assert engine.spec.runtime == "onnxruntime"
    assert len(told) == 1
    assert "onnxruntime on cpu goes on, as torch fails: the memory of cpu is full" in told[0]
    assert np.abs(np.concatenate(got) - np.concatenate(want)).max() <= 1e-5 * np.abs(want).max()  # the state went over


def test_where_nothing_can_run_it_the_last_reason_is_told(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise EngineError("it is broken; mend it")

    monkeypatch.setattr(torch_runtime, "open_runner", broken)
    monkeypatch.setattr(onnxruntime_runtime, "open_runner", broken)
    with pytest.raises(EngineError, match="it is broken; mend it"):
        open_engine("decoder", bundle=str(built))


@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_built_in_the_background_takes_over(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    monkeypatch.setattr(hot_swap, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(registry, "measured_share", lambda entry: 0.5)
    if damaged:
        build_artifacts(bundle, networks=["decoder"])
        (artifacts_of(bundle) / "decoder.onnx").write_bytes(b"damaged")
    told: list[str] = []
    engine = open_engine("decoder", bundle=str(bundle), tell=told.append)
    assert engine.spec.runtime == "torch"
    time.sleep(0.2)  # some looks find nothing new
    build_artifacts(bundle, networks=["decoder"])
    for _ in range(400):
        engine.step(frames=SILENCE)
        if engine.spec.runtime == "onnxruntime":
            break
        time.sleep(0.02)
    assert engine.spec.runtime == "onnxruntime"
    assert told[-1] == "decoder: onnxruntime on cpu is ready: it takes over"
    assert len(told) == 1 + damaged


def test_what_could_not_be_built_in_the_background_is_said(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_swap, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(building, "tolerances", lambda tick, precision: {"output": -1.0})
    told: list[str] = []
    engine = open_engine("decoder", bundle=str(bundle), tell=told.append)
    build_artifacts(bundle, networks=["decoder"])
    for _ in range(200):
        if told:
            break
        time.sleep(0.02)
    engine.step(frames=SILENCE)
    assert engine.spec.runtime == "torch"
    assert len(told) == 1
    assert "decoder: onnxruntime could not be built: in fp32 it differs from torch" in told[0]


def test_as_many_threads_as_are_asked_for_share_a_tick(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    whole = onnxruntime_runtime.OnnxRunner

    def counted(data: bytes, threads: int, *rest: Any) -> Any:
        given.append(threads)
        return whole(data, threads, *rest)

    monkeypatch.setattr(onnxruntime_runtime, "OnnxRunner", counted)
    open_engine("decoder", bundle=str(built), backend="onnxruntime")
    open_engine("decoder", bundle=str(built), backend="onnxruntime", threads=2)
    assert given == [1, 2]
