"""Builds a bundle's artifacts for a runtime, network by network: file, parity with torch, time of a tick, manifest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from engines import machine
from engines.artifacts import PRECISIONS, SCHEMA, SUFFIX, manifest_of, read_entry
from engines.bundles import EXPORT_VERSION, artifacts_of, learned_networks, network_entry, weights_of
from engines.contract import EngineError
from engines.networks import by_cost
from engines.runtimes.onnxruntime_runtime import OnnxRunner, providers
from engines.runtimes.torch_runtime import TorchRunner, device_for, load_tick
from engines.tick_engines import Runner
from export import int8
from export.onnx import OPSET, to_half, to_onnx
from export.parity import compare_runners, time_runners, tolerances
from export.progress import BuildProgress, SilentProgress
from export.tensorrt import Compiler, compile_plan, to_plan
from models.tick_modules import TickModule
from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND


class BuildResult(NamedTuple):
    """A built network: the file (None for torch, which needs none), its runner, and fields for its manifest."""

    data: bytes | None
    runner: Runner
    precision: str
    manifest_fields: dict[str, Any]


def build_artifacts(
    folder: Path,
    runtime: str = "onnxruntime",
    precision: str | None = None,
    networks: Iterable[str] | None = None,
    *,
    progress: BuildProgress | None = None,
    compiler: Compiler = compile_plan,
) -> dict[str, dict[str, Any]]:
    """Build a bundle's learned networks for a runtime, with a manifest beside each.

    A network that is too far from torch in a lower precision is built in single precision; its manifest gives the
    reason (`kept`). If a network cannot be built, the others are built all the same; its manifest gives the reason
    (`failed`), so that it is not tried again before something changes.

    Args:
        folder: the bundle's.
        runtime: "onnxruntime", "tensorrt" or "torch".
        precision: one of `PRECISIONS[runtime]`; None for that of the artifact that is replaced, or single precision.
        networks: the ones to build; None for all of them.
        progress: called before and after each network; None for no output.
        compiler: builds plans.

    Returns:
        The manifests by network.

    Raises:
        EngineError: for a precision that the runtime does not support, or a bundle that cannot be used.
        OSError: when the folder cannot be written.
    """
    if precision is not None and precision not in PRECISIONS[runtime]:
        raise EngineError(f"{runtime} has no {precision}; use --precision {', '.join(PRECISIONS[runtime])}")
    progress = progress or SilentProgress()
    available = [network for network in learned_networks(folder) if networks is None or network in set(networks)]
    ordered = by_cost(available)
    artifacts_of(folder).mkdir(exist_ok=True)
    entries = {}
    for number, network in enumerate(ordered, 1):
        before = read_entry(folder, runtime, network) or {}
        requested = precision or str(before.get("asked", "fp32"))
        progress.begin(number, len(ordered), network, f"for {runtime} in {requested}")
        entry = _identity_fields(folder, runtime, network, requested)
        try:
            entry |= _build_network(folder, runtime, network, requested, compiler)
        except EngineError as error:
            entry["failed"] = " ".join(str(error).split())
        _write_atomically(
            manifest_of(folder, runtime, network), (json.dumps(entry, indent=2, sort_keys=True) + "\n").encode()
        )
        entries[network] = entry
        progress.end(network, entry)
    return entries


def _identity_fields(folder: Path, runtime: str, network: str, requested: str) -> dict[str, Any]:
    """The fields of a manifest that do not depend on the build's success."""
    board = machine.gpu()
    return {
        "schema": SCHEMA,
        "network": network,
        "runtime": runtime,
        "asked": requested,
        "source_sha256": network_entry(folder, weights_of(folder, network))["sha256"],
        "version": EXPORT_VERSION,
        "versions": {name: version for name in machine.DISTRIBUTIONS if (version := machine.version(name))},
        "gpu": None
        if board is None
        else {"name": board.name, "architecture": board.architecture, "driver": board.driver},
        "rates": {"ticks_hz": TICKS_PER_SECOND, "sample_rate_hz": SAMPLE_RATE},
    }


def _build_network(folder: Path, runtime: str, network: str, requested: str, compiler: Compiler) -> dict[str, Any]:
    """Build one network and measure it.

    Raises:
        EngineError: when it cannot be built, or differs too much from torch.
    """
    tick = load_tick(network, folder)
    cpu = TorchRunner(load_tick(network, folder), torch.device("cpu"))
    result = _build_in_precision(runtime, network, tick, requested, compiler)
    parity, limits, differs = _measure_parity(load_tick(network, folder), result)
    if differs and result.precision != "fp32":
        lower = f"in {result.precision} it {differs}"
        result = _build_in_precision(runtime, network, load_tick(network, folder), "fp32", compiler)
        result.manifest_fields["kept"] = lower
        parity, limits, differs = _measure_parity(load_tick(network, folder), result)
    if differs:
        raise EngineError(f"in {result.precision} it {differs}; use another --backend")
    place = device_for()
    reference = cpu if place.type == "cpu" else TorchRunner(load_tick(network, folder), place)
    step_ms = time_runners(tick, {"own": result.runner, "torch": reference})
    board = machine.gpu()
    entry = {
        **result.manifest_fields,
        "precision": result.precision,
        "latency_samples": tick.latency_samples,
        "inputs": {spec.name: [str(spec.dtype).removeprefix("torch."), list(spec.shape)] for spec in tick.inputs},
        "state": [list(tensor.shape) for tensor in tick.init_state()],
        "output": tick.output,
        "parity": {key: float(f"{value:.3g}") for key, value in parity.items()},
        "tolerance": limits,
        "step_ms": step_ms,
        "measured_on": {"cpu": machine.cpu(), "gpu": board.architecture if board else None},
    }
    if result.data is not None:
        file = network + SUFFIX[runtime]
        _write_atomically(artifacts_of(folder) / file, result.data)
        entry |= {"file": file, "sha256": hashlib.sha256(result.data).hexdigest()}
    return entry


def _build_in_precision(
    runtime: str, network: str, tick: TickModule, requested: str, compiler: Compiler
) -> BuildResult:
    """Build one network in one precision.

    Raises:
        EngineError: when it cannot be built.
    """
    if runtime == "tensorrt":
        return build_for_tensorrt(tick, requested, compiler)
    return build_for_onnx(network, tick, requested) if runtime == "onnxruntime" else build_for_torch(tick, requested)


def _measure_parity(tick: TickModule, result: BuildResult) -> tuple[dict[str, float], dict[str, float], str]:
    """The distances from torch, their limits, and the exceeded limits in words, "" if there are none."""
    if result.precision == "int8":
        assert result.data is not None
        parity, limits = int8.int8_parity(tick, result.data), {"output": int8.TOLERANCE}
    else:
        parity, limits = compare_runners(tick, result.runner), tolerances(tick, result.precision)
    over = [f"{key} {parity[key]:.2g}, allowed {limit:g}" for key, limit in limits.items() if not parity[key] <= limit]
    return parity, limits, f"differs from torch ({'; '.join(over)})" if over else ""


def build_for_onnx(network: str, tick: TickModule, requested: str) -> BuildResult:
    """An ONNX file, run by the fastest provider here that is close enough to torch.

    Not every provider is: TensorRT's own always rounds factors to 10 bits (TF32).
    """
    data, precision = to_onnx(tick), requested
    if requested == "fp16":
        data = to_half(data)
    elif requested == "int8" and int8.supports_int8(network, tick):
        data = int8.to_int8(tick, data)
    elif requested == "int8":
        precision = "fp32"
    runners: dict[str, Runner] = {}
    why = EngineError("there is no provider")
    for provider in providers():
        try:
            runners[provider] = OnnxRunner(data, provider=provider)
        except EngineError as error:
            why = error
    if not runners:
        raise why
    times = time_runners(tick, runners) if len(runners) > 1 else {}
    ranking = sorted(runners, key=lambda name: times.get(name, 0.0))
    inaccurate: dict[str, str] = {}
    for provider in ranking[:-1]:
        why_off = _measure_parity(tick, BuildResult(data, runners[provider], precision, {}))[2]
        if not why_off:
            break
        inaccurate[provider] = why_off
    else:
        provider = ranking[-1]
    manifest_fields = {"opset": OPSET, "provider": provider, "providers_ms": times, "providers_off": inaccurate}
    return BuildResult(data, runners[provider], precision, manifest_fields)


def build_for_tensorrt(tick: TickModule, requested: str, compiler: Compiler) -> BuildResult:
    """A plan for this GPU."""
    place = device_for()
    if place.type != "cuda":
        raise EngineError("TensorRT needs an NVIDIA GPU, and there is none; use --backend onnxruntime")
    from engines.runtimes.tensorrt_runtime import PlanRunner, PlanTick

    data, names = to_plan(tick, requested, compiler=compiler)
    single = tick.single()
    return BuildResult(
        data, PlanRunner(tick, PlanTick(single, data, names, place), place), requested, {"bindings": names}
    )


def build_for_torch(tick: TickModule, requested: str) -> BuildResult:
    """Torch in its faster mode here: its own kernels, or kernels fused by torch.compile."""
    place = device_for()
    eager: Runner = TorchRunner(tick, place, requested)
    try:
        fused: Runner = TorchRunner(tick, place, requested, compiled=True)
        times = time_runners(tick, {"eager": eager, "compiled": fused})
    except Exception as error:  # the compiler's errors share no base class, and torch runs without it
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        return BuildResult(None, eager, requested, {"compiled": False, "not_compiled": reason})
    is_compiled = times["compiled"] < times["eager"]
    return BuildResult(None, fused if is_compiled else eager, requested, {"compiled": is_compiled, "modes_ms": times})


def _write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or nothing, even if two exports run at once."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)
