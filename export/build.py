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
    """What was built: the file (None where torch needs none), who runs it, and what only its manifest says."""

    data: bytes | None
    runner: Runner
    precision: str
    said: dict[str, Any]


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

    What is too far from torch in a lower precision is built in single precision; the manifest says so (`kept`). A
    network that cannot be built does not keep the others from it; its manifest says why, so that it is not tried again
    before something changes.

    Args:
        folder: the bundle's.
        runtime: "onnxruntime", "tensorrt" or "torch".
        precision: one of `PRECISIONS[runtime]`; None for that of the artifact that is replaced, or single precision.
        networks: which; None for all of them.
        progress: told before and after each network; None for nobody.
        compiler: builds plans.

    Returns:
        The manifests by network.

    Raises:
        EngineError: for a precision that the runtime has not, or a bundle that cannot be used.
        OSError: when the folder cannot be written.
    """
    if precision is not None and precision not in PRECISIONS[runtime]:
        raise EngineError(f"{runtime} has no {precision}; use --precision {', '.join(PRECISIONS[runtime])}")
    progress = progress or SilentProgress()
    there = [network for network in learned_networks(folder) if networks is None or network in set(networks)]
    wanted = by_cost(there)
    artifacts_of(folder).mkdir(exist_ok=True)
    entries = {}
    for number, network in enumerate(wanted, 1):
        before = read_entry(folder, runtime, network) or {}
        asked = precision or str(before.get("asked", "fp32"))
        progress.begin(number, len(wanted), network, f"for {runtime} in {asked}")
        entry = _identity_fields(folder, runtime, network, asked)
        try:
            entry |= _build_network(folder, runtime, network, asked, compiler)
        except EngineError as error:
            entry["failed"] = " ".join(str(error).split())
        _write_atomically(
            manifest_of(folder, runtime, network), (json.dumps(entry, indent=2, sort_keys=True) + "\n").encode()
        )
        entries[network] = entry
        progress.end(network, entry)
    return entries


def _identity_fields(folder: Path, runtime: str, network: str, asked: str) -> dict[str, Any]:
    """What a manifest says whether or not the network can be built."""
    board = machine.gpu()
    return {
        "schema": SCHEMA,
        "network": network,
        "runtime": runtime,
        "asked": asked,
        "source_sha256": network_entry(folder, weights_of(folder, network))["sha256"],
        "version": EXPORT_VERSION,
        "versions": {name: version for name in machine.DISTRIBUTIONS if (version := machine.version(name))},
        "gpu": None
        if board is None
        else {"name": board.name, "architecture": board.architecture, "driver": board.driver},
        "rates": {"ticks_hz": TICKS_PER_SECOND, "sample_rate_hz": SAMPLE_RATE},
    }


def _build_network(folder: Path, runtime: str, network: str, asked: str, compiler: Compiler) -> dict[str, Any]:
    """Build one network and measure it.

    Raises:
        EngineError: when it cannot be built, or does not do what torch does.
    """
    tick = load_tick(network, folder)
    cpu = TorchRunner(load_tick(network, folder), torch.device("cpu"))
    made = _build_in_precision(runtime, network, tick, asked, compiler)
    measured, limits, differs = _measure_parity(load_tick(network, folder), made)
    if differs and made.precision != "fp32":
        lower = f"in {made.precision} it {differs}"
        made = _build_in_precision(runtime, network, load_tick(network, folder), "fp32", compiler)
        made.said["kept"] = lower
        measured, limits, differs = _measure_parity(load_tick(network, folder), made)
    if differs:
        raise EngineError(f"in {made.precision} it {differs}; use another --backend")
    place = device_for()
    beside = cpu if place.type == "cpu" else TorchRunner(load_tick(network, folder), place)
    step_ms = time_runners(tick, {"own": made.runner, "torch": beside})
    board = machine.gpu()
    entry = {
        **made.said,
        "precision": made.precision,
        "latency_samples": tick.latency_samples,
        "inputs": {spec.name: [str(spec.dtype).removeprefix("torch."), list(spec.shape)] for spec in tick.inputs},
        "state": [list(tensor.shape) for tensor in tick.init_state()],
        "output": tick.output,
        "parity": {key: float(f"{value:.3g}") for key, value in measured.items()},
        "tolerance": limits,
        "step_ms": step_ms,
        "measured_on": {"cpu": machine.cpu(), "gpu": board.architecture if board else None},
    }
    if made.data is not None:
        file = network + SUFFIX[runtime]
        _write_atomically(artifacts_of(folder) / file, made.data)
        entry |= {"file": file, "sha256": hashlib.sha256(made.data).hexdigest()}
    return entry


def _build_in_precision(runtime: str, network: str, tick: TickModule, asked: str, compiler: Compiler) -> BuildResult:
    """Build one network in one precision.

    Raises:
        EngineError: when it cannot be built.
    """
    if runtime == "tensorrt":
        return build_for_tensorrt(tick, asked, compiler)
    return build_for_onnx(network, tick, asked) if runtime == "onnxruntime" else build_for_torch(tick, asked)


def _measure_parity(tick: TickModule, made: BuildResult) -> tuple[dict[str, float], dict[str, float], str]:
    """How far it is from torch, how far it may be, and in words what is too far, "" if nothing."""
    if made.precision == "int8":
        assert made.data is not None
        measured, limits = int8.int8_parity(tick, made.data), {"output": int8.TOLERANCE}
    else:
        measured, limits = compare_runners(tick, made.runner), tolerances(tick, made.precision)
    over = [
        f"{key} {measured[key]:.2g}, allowed {limit:g}" for key, limit in limits.items() if not measured[key] <= limit
    ]
    return measured, limits, f"differs from torch ({'; '.join(over)})" if over else ""


def build_for_onnx(network: str, tick: TickModule, asked: str) -> BuildResult:
    """An ONNX file, run where it is the fastest here of those that are near enough to torch.

    Not all are: TensorRT's own provider rounds what is multiplied to 10 bits (TF32), and cannot be asked not to.
    """
    data, precision = to_onnx(tick), asked
    if asked == "fp16":
        data = to_half(data)
    elif asked == "int8" and int8.supports_int8(network, tick):
        data = int8.to_int8(tick, data)
    elif asked == "int8":
        precision = "fp32"
    able: dict[str, Runner] = {}
    why = EngineError("there is no provider")
    for provider in providers():
        try:
            able[provider] = OnnxRunner(data, provider=provider)
        except EngineError as error:
            why = error
    if not able:
        raise why
    times = time_runners(tick, able) if len(able) > 1 else {}
    ranked = sorted(able, key=lambda name: times.get(name, 0.0))
    off: dict[str, str] = {}
    for provider in ranked[:-1]:
        why_off = _measure_parity(tick, BuildResult(data, able[provider], precision, {}))[2]
        if not why_off:
            break
        off[provider] = why_off
    else:
        provider = ranked[-1]
    said = {"opset": OPSET, "provider": provider, "providers_ms": times, "providers_off": off}
    return BuildResult(data, able[provider], precision, said)


def build_for_tensorrt(tick: TickModule, asked: str, compiler: Compiler) -> BuildResult:
    """A plan for this GPU."""
    place = device_for()
    if place.type != "cuda":
        raise EngineError("TensorRT needs an NVIDIA GPU, and there is none; use --backend onnxruntime")
    from engines.runtimes.tensorrt_runtime import PlanRunner, PlanTick

    data, names = to_plan(tick, asked, compiler=compiler)
    single = tick.single()
    return BuildResult(data, PlanRunner(tick, PlanTick(single, data, names, place), place), asked, {"bindings": names})


def build_for_torch(tick: TickModule, asked: str) -> BuildResult:
    """Torch as it is fastest here: its kernels as they are, or fused by torch.compile."""
    place = device_for()
    eager: Runner = TorchRunner(tick, place, asked)
    try:
        fused: Runner = TorchRunner(tick, place, asked, compiled=True)
        times = time_runners(tick, {"eager": eager, "compiled": fused})
    except Exception as error:  # the compiler's errors share no base class, and torch runs without it
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        return BuildResult(None, eager, asked, {"compiled": False, "not_compiled": reason})
    compiled = times["compiled"] < times["eager"]
    return BuildResult(None, fused if compiled else eager, asked, {"compiled": compiled, "modes_ms": times})


def _write_atomically(path: Path, data: bytes) -> None:
    """All of a file or nothing, also where two exports meet."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)
