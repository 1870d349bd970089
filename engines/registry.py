"""Finds the engine for a network: the only module of `engines` that `streaming` uses."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from engines import machine
from engines.artifacts import (
    ARTIFACT_RUNTIMES,
    artifact_entry,
    manifest_of,
    measured_share,
    rebuild_hint,
    why_failed,
    why_rebuilt,
    why_stale,
)
from engines.bundles import find_bundle, read_manifest, verify_together, weights_of
from engines.contract import Engine, EngineError, EngineSpec
from engines.hot_swap import HotSwap, LoadedRunner, warm_up
from engines.network_row import Network, resolve
from engines.networks import NETWORKS
from engines.state_watch import StateWatch
from engines.tick_engines import TickEngine

RUNTIMES = {
    "torch": ("torch", "engines.runtimes.torch_runtime"),
    "onnxruntime": ("onnxruntime", "engines.runtimes.onnxruntime_runtime"),
    "tensorrt": ("tensorrt", "engines.runtimes.tensorrt_runtime"),
}
"""Runtime name -> the package it needs, and the module here with `open_runner(network, folder, device, threads)`."""
INSTALL = {"torch": "torch", "onnxruntime": "onnxruntime", "tensorrt": "torch-tensorrt"}
"""Runtime name -> the package that pip installs for it."""
RULE_CPU, RULE_GPU = {"onnxruntime": 0.5}, {"onnxruntime": 1.5, "tensorrt": 0.7}
"""Assumed time of a tick as a share of torch's, without a measurement. ONNX Runtime takes 0.2 to 0.6 on two cores."""


@dataclass(frozen=True)
class RuntimeChoice:
    """A runtime that can run a network here.

    Attributes:
        runtime: its name.
        why: the reason for its rank.
        device: "auto" (the GPU if it can use one) or "cpu".
        threads: CPU threads that share a tick's work.
    """

    runtime: str
    why: str
    device: str = "auto"
    threads: int = 1


def _silent(line: str) -> None:
    """Discard a line."""


def check_backend(backend: str) -> str:
    """Refuse an unknown runtime.

    Returns:
        A line for the user if the runtime is not installed or cannot run here, so that others replace it; else "".

    Raises:
        EngineError: when it is unknown.
    """
    if backend != "auto" and backend not in RUNTIMES:
        raise EngineError(f"{backend} is not available in this version; use one of auto, {', '.join(RUNTIMES)}")
    absent = _why_unavailable(backend) if backend != "auto" else ""
    return f"{absent}; what is fastest of the others is taken" if absent else ""


def _why_unavailable(runtime: str) -> str:
    """Why a runtime cannot be used on this machine, and the fix; "" if it can."""
    if not machine.is_installed(RUNTIMES[runtime][0]):
        return f"{runtime} is not installed here (pip install {INSTALL[runtime]})"
    if runtime == "tensorrt" and not machine.has_gpu():
        return "tensorrt needs an NVIDIA GPU, and there is none"
    return ""


def rank_runtimes(backend: str, folder: Path, network: str, threads: int = 1) -> list[RuntimeChoice]:
    """The runtimes that can run a network here, the best first.

    The requested one comes first, then the others by the time of a tick beside torch's. That time was measured when the
    artifact was built on this machine; without a measurement a rule of thumb is used. The CPU comes after the GPU.

    Raises:
        EngineError: when the bundle cannot be read.
    """
    shares: list[tuple[float, RuntimeChoice]] = []
    if not _why_unavailable("torch"):
        shares.append((1.0, RuntimeChoice("torch", "")))
    rule = RULE_GPU if machine.has_gpu() else RULE_CPU
    reasons = []
    for runtime in ARTIFACT_RUNTIMES:
        if _why_unavailable(runtime):
            continue
        entry = artifact_entry(folder, runtime, network)
        if entry is None:
            build_error = why_failed(folder, runtime, network)
            reasons.append(f"{runtime}: {build_error or why_stale(folder, runtime, network)}")
            continue
        share = measured_share(entry)
        if share is None:
            shares.append((rule[runtime], RuntimeChoice(runtime, "usually the fastest here; not measured")))
        else:
            step = entry["step_ms"]
            shares.append(
                (share, RuntimeChoice(runtime, f"{step['own']:.3g} ms a tick, torch {step['torch']:.3g}: measured"))
            )
    shares.sort(key=lambda pair: pair[0])
    choices = [choice for _, choice in shares]
    timings = "; ".join(f"{choice.runtime} {choice.why}" for choice in choices if choice.runtime != "torch")
    because = "; ".join(filter(None, [timings, *reasons])) or "nothing else is installed"
    choices = [replace(choice, why=because) if choice.runtime == "torch" else choice for choice in choices]
    if backend != "auto":
        choices.sort(key=lambda choice: choice.runtime != backend)
        if choices and choices[0].runtime == backend:
            choices[0] = replace(choices[0], why="asked for")
    slow = [replace(choice, device="cpu") for choice in choices if choice.runtime != "tensorrt"]
    return [replace(choice, threads=threads) for choice in choices + (slow if machine.has_gpu() else [])]


def choose_runtime(backend: str, bundle: str = "default", network: str = "translator") -> str:
    """The runtime that is used for a network here.

    Raises:
        EngineError: for an unknown runtime, or if none can run the network.
    """
    check_backend(backend)
    try:
        choices = rank_runtimes(backend, find_bundle(bundle), network)
    except EngineError:
        choices = []  # `open_engine` reports the error
    if choices:
        return choices[0].runtime
    return "torch" if not _why_unavailable("torch") else "onnxruntime"


def has_network(network: str, bundle: str = "default") -> bool:
    """Whether a bundle has a network, learned or ready-made.

    Raises:
        EngineError: when the bundle cannot be read, or there is no such network.
    """
    row = _row(network)
    there = read_manifest(find_bundle(bundle))["networks"]
    names = [weights.name for weights in row.weights] + ([row.ready_made.name] if row.ready_made else [])
    return any(isinstance(there.get(name), dict) for name in names)


def uses_ready_made(network: str, bundle: str) -> bool:
    """Whether the ready-made network is used: if the bundle has no own weights for it, or there is a GPU to run it.

    Raises:
        EngineError: when the bundle cannot be read, or there is no such network.
    """
    row = _row(network)
    if row.ready_made is None or not row.learned:
        return row.ready_made is not None
    there = read_manifest(find_bundle(bundle))["networks"]
    lacks = not any(weights.name in there for weights in row.weights)
    return row.ready_made.name in there and (machine.has_gpu() or lacks)


def _row(network: str) -> Network:
    if network not in NETWORKS:
        raise EngineError(f"unknown network {network!r}; use one of {', '.join(NETWORKS)}")
    return NETWORKS[network]


def missing_artifacts(backend: str, bundle: str = "default") -> dict[str, dict[str, str]]:
    """The artifacts that `backend` could use here if they were built: runtime -> network -> why it must be built.

    Raises:
        EngineError: when the bundle cannot be read.
    """
    folder = find_bundle(bundle)
    reasons = {runtime: why_rebuilt(folder, runtime) for runtime in _buildable_runtimes(backend)}
    return {runtime: networks for runtime, networks in reasons.items() if networks}


def _buildable_runtimes(backend: str) -> list[str]:
    """The runtimes whose artifacts a backend uses here and that can be built here."""
    candidates = [runtime for runtime in ARTIFACT_RUNTIMES if backend in ("auto", runtime)]
    can_build = not _why_unavailable("torch") and machine.is_installed("onnx")
    if backend == "auto" and machine.has_gpu() and not _why_unavailable("tensorrt"):
        candidates = ["tensorrt"]
    return [runtime for runtime in candidates if can_build and not _why_unavailable(runtime)]


def preload(backend: str = "auto", bundle: str = "default") -> None:
    """Import the runtime that `backend` would use, so that a stage that needs it later starts fast."""
    importlib.import_module(RUNTIMES[choose_runtime(backend, bundle)][1])


def open_engine(
    network: str,
    *,
    bundle: str = "default",
    backend: str = "auto",
    seed: int = 0,
    threads: int = 1,
    tell: Callable[[str], None] = _silent,
    calm: Callable[[], None] = lambda: None,
    count: Callable[[str], None] = _silent,
) -> Engine:
    """Open one network of a bundle in the best runtime that can run it.

    If a runtime fails, now or in the show, the user gets a line and the next best takes over. A runtime whose artifact
    is still being built takes over between two ticks once it is ready.

    Args:
        network: a row of `engines.networks.NETWORKS`.
        bundle: the name of a shipped bundle, or a folder.
        backend: "auto" or a runtime's name; for the flow also "opencv".
        seed: of the random numbers, for the networks that sample.
        threads: CPU threads that share a tick's work.
        tell: takes one line for the user.
        calm: lowers the priority of the thread that checks for a better runner; see `HotSwap.watch`.
        count: adds 1 to the counter of a name: `state_resets.<network>` where the network had to begin anew; see
            `engines.state_watch`.

    Raises:
        EngineError: when no runtime or the bundle cannot be used; the text says what, where and the fix.
    """
    row = _row(network)
    if row.ready_made is not None and uses_ready_made(network, bundle):
        ready_made: Engine = resolve(row.ready_made.open)(bundle, backend)
        return ready_made
    check_backend(backend)
    folder = find_bundle(bundle)
    weights_of(folder, network)
    verify_together(folder, network)
    choices = rank_runtimes(backend, folder, network, threads)
    before = _artifact_times(network, folder, backend)
    openings = _load_candidates(network, folder, choices, tell)
    first = next(openings, None)
    if first is None:
        runtime = backend if backend in ARTIFACT_RUNTIMES else "onnxruntime"
        raise EngineError(f"{folder}: no runtime here can run its {network}; {rebuild_hint(folder, runtime)}")
    swap = HotSwap(first, openings, tell)
    watch = StateWatch(swap)
    is_stale = any(why_stale(folder, runtime, network) for runtime in before)
    if is_stale or (before and choices[0].runtime != first.spec.runtime):
        swap.watch(functools.partial(_load_better, network, folder, backend, threads, before, tell), calm)
    engine: TickEngine = resolve(row.engine)(watch, first.spec, seed)

    def update_spec(spec: EngineSpec) -> None:
        engine.spec = spec

    swap.on_change = update_spec
    watch.on_bad = functools.partial(_begin_anew, engine, network, tell, count)
    return engine


def _begin_anew(
    engine: TickEngine, network: str, tell: Callable[[str], None], count: Callable[[str], None], what: str
) -> None:
    engine.reset()
    count(f"state_resets.{network}")
    tell(f"{network}: its {what} was not finite or not plausible, so the network begins anew")


def _load(network: str, folder: Path, choice: RuntimeChoice) -> LoadedRunner:
    module = importlib.import_module(RUNTIMES[choice.runtime][1])
    runner, spec = module.open_runner(network, folder, choice.device, choice.threads)
    return LoadedRunner(runner, replace(spec, why=choice.why))


def _load_candidates(
    network: str, folder: Path, choices: list[RuntimeChoice], tell: Callable[[str], None]
) -> Iterator[LoadedRunner]:
    """Open a network in one runtime after the other, with a line for each that fails.

    Raises:
        EngineError: the last runtime's, if all failed.
    """
    any_loaded, last = False, None
    for choice in choices:
        try:
            loaded = _load(network, folder, choice)
            warm_up(loaded.runner)
        except (EngineError, ImportError) as error:
            last = error
            tell(f"{network}: not in {choice.runtime}: {' '.join(str(error).split())}")
            continue
        any_loaded = True
        yield loaded
    if not any_loaded and last is not None:
        raise last if isinstance(last, EngineError) else EngineError(f"{network}: {last}")


def _artifact_times(network: str, folder: Path, backend: str) -> dict[str, int]:
    """When a network's manifests were written, for the runtimes that a backend builds for; 0 for never."""
    times = {}
    for runtime in _buildable_runtimes(backend):
        path = manifest_of(folder, runtime, network)
        times[runtime] = path.stat().st_mtime_ns if path.exists() else 0
    return times


def _load_better(
    network: str,
    folder: Path,
    backend: str,
    threads: int,
    before: dict[str, int],
    tell: Callable[[str], None],
    spec: EngineSpec,
) -> tuple[LoadedRunner | None, bool]:
    """A runner in the runtime that is now the best, None if that is the present one; and whether to go on checking."""
    now = _artifact_times(network, folder, backend)
    if now == before or any(why_stale(folder, runtime, network) for runtime in now):
        return None, True
    for runtime in now:
        if failed := why_failed(folder, runtime, network):
            tell(f"{network}: {runtime} could not be built: {failed}")
    first = rank_runtimes(backend, folder, network, threads)[0]
    return (None if first.runtime == spec.runtime else _load(network, folder, first)), False
