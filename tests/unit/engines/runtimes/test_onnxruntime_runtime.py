"""A session's bound tensors: the same numbers as a plain run, a state that can be taken out and put back, providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from engines import machine
from engines.bundles import find_bundle
from engines.contract import EngineError
from engines.runtimes.onnxruntime_runtime import CPU, CUDA, STATE, TENSORRT, OnnxRunner, provider_options, providers
from engines.runtimes.torch_runtime import load_tick
from export.onnx import to_onnx


@pytest.fixture(scope="module")
def data() -> bytes:
    return to_onnx(load_tick("decoder", find_bundle("default")))


def inputs(ticks: int) -> list[dict[str, Any]]:
    frames = np.random.default_rng(0).integers(0, 2048, (ticks, 1, 4, 2))
    return [{"frames": one} for one in frames]


def test_bound_tensors_give_what_a_plain_run_gives_bit_for_bit(data: bytes) -> None:
    session = ort.InferenceSession(data, providers=[CPU])
    state = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs() if i.name.startswith(STATE)}
    runner = OnnxRunner(data)
    kept = []
    for fed in inputs(7):
        want, *after = session.run(None, fed | state)
        state = dict(zip(state, after, strict=True))
        kept.append((runner.run(fed), want))
    assert all(np.array_equal(got, want) for got, want in kept), "and no output is written over by a later one"
    assert all(np.array_equal(a, b) for a, b in zip(runner.state(), state.values(), strict=True))


def test_a_state_that_was_taken_out_and_put_back_goes_on_bit_for_bit(data: bytes) -> None:
    runner, other = OnnxRunner(data), OnnxRunner(data)
    fed = inputs(9)
    for one in fed[:4]:
        runner.run(one)
    taken = runner.state()
    other.run(fed[8])  # which has been elsewhere, and is at its other place
    other.load(taken)
    for one in fed[4:]:
        assert np.array_equal(runner.run(one), other.run(one))
    runner.reset()
    assert np.array_equal(runner.run(fed[0]), OnnxRunner(data).run(fed[0]))


def test_providers_are_the_gpus_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    assert providers() == [CPU]
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert providers() == [CUDA, TENSORRT, CPU]


def test_a_provider_that_cannot_be_used_is_one_line(data: bytes) -> None:
    with pytest.raises(EngineError, match=f"cannot use {CUDA} here") as caught:
        OnnxRunner(data, provider=CUDA)
    assert "\n" not in str(caught.value)


def test_what_a_provider_is_asked_for(tmp_path: Path) -> None:
    assert provider_options(CPU, None) == []
    assert provider_options(CUDA, None) == [(CUDA, {"use_tf32": "0"})]
    first, second = provider_options(TENSORRT, tmp_path)
    assert first == (TENSORRT, {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(tmp_path)})
    assert second[0] == CUDA


@pytest.mark.gpu
def test_on_a_gpu_the_state_stays_there(data: bytes) -> None:
    if CUDA not in providers():
        pytest.skip("no CUDA execution provider here")
    runner, cpu = OnnxRunner(data, provider=CUDA), OnnxRunner(data)
    for one in inputs(20):
        got, want = runner.run(one), cpu.run(one)
        assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()
    assert runner.state_devices() == {"cuda"}
