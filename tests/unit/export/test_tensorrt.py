"""What torch-tensorrt is given: every network's whole tick, without double precision, and with the same numbers."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from engines.bundles import find_bundle, learned_networks
from engines.contract import EngineError
from engines.runtimes.torch_runtime import load_tick
from export.parity import difference, example_input
from export.tensorrt import bindings, compile_plan, doubles, to_plan, trace_tick

FOLDER = find_bundle("default")
NETWORKS = learned_networks(FOLDER)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_program_computes_the_tick_and_has_no_double_precision(network: str) -> None:
    tick = load_tick(network, FOLDER)
    program, given = trace_tick(tick)
    assert doubles(program) == []
    state = tick.init_state()
    names = bindings(program)
    assert len(names["inputs"]) == len(tick.inputs) + len(state) == len(given)
    assert len(names["outputs"]) == 1 + len(state)
    rng = np.random.default_rng(0)
    inputs = {spec.name: torch.from_numpy(np.asarray(example_input(spec, rng, 7))) for spec in tick.inputs}
    with torch.no_grad():
        want = tick(*inputs.values(), *state)
        ready = tick.prepare(inputs)
        got = program.module()(*(ready[spec.name] for spec in tick.single().inputs), *state)
    for mine, theirs in zip(got, want, strict=True):
        assert mine.dtype == theirs.dtype
        assert difference(mine.numpy(), theirs.numpy()) <= 1e-5  # measured 0 to 6e-7


@pytest.mark.parametrize(("precision", "kind"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_lower_precision_is_written_into_the_program_but_not_into_its_ends(precision: str, kind: torch.dtype) -> None:
    program, given = trace_tick(load_tick("animator", FOLDER), precision)
    inside = [node for node in program.graph.nodes if getattr(node.meta.get("val"), "dtype", None) == kind]
    assert len(inside) > 50
    assert all(tensor.dtype != kind for tensor in given)
    assert all(tensor.dtype == torch.float32 for tensor in program.module()(*given))


def test_the_compiler_is_called_as_torch_tensorrt_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against `convert_exported_program_to_serialized_trt_engine` of torch-tensorrt 2.13."""
    called: dict[str, Any] = {}

    def convert(program: Any, inputs: Any = None, *, disable_tf32: bool, require_full_compilation: bool) -> bytes:
        called.update(program=program, inputs=inputs, exact=disable_tf32, whole=require_full_compilation)
        return b"plan"

    module = ModuleType("torch_tensorrt.dynamo")
    module.convert_exported_program_to_serialized_trt_engine = convert  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_tensorrt", ModuleType("torch_tensorrt"))
    monkeypatch.setitem(sys.modules, "torch_tensorrt.dynamo", module)
    plan, names = to_plan(load_tick("still", FOLDER), device="cpu")
    assert plan == b"plan"
    assert len(called["inputs"]) == len(names["inputs"]) == 1
    assert isinstance(called["program"], torch.export.ExportedProgram)
    assert called["exact"]
    assert called["whole"]

    def refuses(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("no converter for aten.frobnicate\nmany more lines")

    module.convert_exported_program_to_serialized_trt_engine = refuses  # type: ignore[attr-defined]
    with pytest.raises(EngineError, match=r"cannot build it \(no converter for aten.frobnicate\)") as caught:
        compile_plan(*trace_tick(load_tick("still", FOLDER)))
    assert "\n" not in str(caught.value)


def test_without_torch_tensorrt_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    monkeypatch.setitem(sys.modules, "torch_tensorrt.dynamo", None)
    with pytest.raises(EngineError, match="pip install torch-tensorrt") as caught:
        compile_plan(*trace_tick(load_tick("still", FOLDER)))
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
@pytest.mark.parametrize("network", NETWORKS)
def test_a_plan_does_what_torch_does(network: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    pytest.importorskip("torch_tensorrt")
    from engines.runtimes.tensorrt_runtime import PlanRunner, PlanTick
    from export.parity import compare_runners, tolerances

    device = torch.device("cuda")
    tick = load_tick(network, FOLDER)
    data, names = to_plan(tick)
    plan = PlanTick(tick.single(), data, names, device)
    measured = compare_runners(load_tick(network, FOLDER), PlanRunner(tick, plan, device))
    assert all(measured[key] <= limit for key, limit in tolerances(tick, "fp32").items()), measured
