"""Finds the engine for a network: the only thing that `streaming` knows of `engines`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from engines.bundles import find_bundle, not_exported, read_manifest, verify_together
from engines.contract import NETWORKS, Engine, EngineError

RUNTIMES = {"torch": ("torch", "engines.torch_runtime"), "onnxruntime": ("onnxruntime", "engines.onnx_runtime")}
"""Runtime name -> the package it needs, and the module here with `open_engine(network, bundle, seed) -> Engine`."""


def _installed(runtime: str) -> bool:
    return importlib.util.find_spec(RUNTIMES[runtime][0]) is not None


def _gpu() -> bool:
    """Whether an NVIDIA GPU is here, found without importing a runtime."""
    return any(Path("/proc/driver/nvidia/gpus").glob("*")) or Path("/dev/nvidia0").exists()


def choose(backend: str, bundle: str = "default") -> str:
    """The runtime that `auto` means here, or `backend` itself.

    On a CPU ONNX Runtime is taken where the bundle has its artifacts: measured on two cores, a tick of the translator
    takes 4 ms there and 10 ms in torch, and it starts in 0.2 s in place of 1.8 s. On a GPU torch is taken.

    Raises:
        EngineError: for a runtime that is unknown or not installed.
    """
    if backend == "auto":
        if _installed("onnxruntime") and not (_gpu() and _installed("torch")):
            try:
                exported = not not_exported(find_bundle(bundle), "onnxruntime")
            except EngineError:
                exported = False
            if exported or not _installed("torch"):
                return "onnxruntime"
        return "torch"
    if backend not in RUNTIMES:
        raise EngineError(f"{backend} is not available in this version; use one of auto, {', '.join(RUNTIMES)}")
    if not _installed(backend):
        raise EngineError(f"{backend} is not installed here; run: pip install {RUNTIMES[backend][0]}")
    return backend


def has(network: str, bundle: str = "default") -> bool:
    """Whether a bundle has a network.

    Raises:
        EngineError: when the bundle cannot be read.
    """
    there = read_manifest(find_bundle(bundle))["networks"]
    return isinstance(there.get(network), dict) or (network == "painter" and isinstance(there.get("diffusion"), dict))


def diffuses(bundle: str) -> bool:
    """Whether a bundle's painter here is its diffusion network: on a GPU, or where there is no other.

    Raises:
        EngineError: when the bundle cannot be read.
    """
    there = read_manifest(find_bundle(bundle))["networks"]
    return "diffusion" in there and (_gpu() or "painter" not in there)


def wants_export(backend: str, bundle: str = "default") -> bool:
    """Whether what `backend` would take here is fast only after an export that has not been made.

    Raises:
        EngineError: when the bundle cannot be read.
    """
    here = _installed("onnxruntime") and _installed("torch")
    asked = backend == "onnxruntime" or (backend == "auto" and not _gpu())
    return here and asked and bool(not_exported(find_bundle(bundle), "onnxruntime"))


def preload(backend: str = "auto", bundle: str = "default") -> None:
    """Import the runtime that `backend` would use, so that a stage that needs it later starts fast."""
    importlib.import_module(RUNTIMES[choose(backend, bundle)][1])


def open_engine(network: str, *, bundle: str = "default", backend: str = "auto", seed: int = 0) -> Engine:
    """Open one network of a bundle.

    Args:
        network: one of `NETWORKS`.
        bundle: the name of a shipped bundle, or a folder.
        backend: "auto" or a runtime's name; for the flow also "opencv".
        seed: where sampling starts, for the networks that sample.

    Raises:
        EngineError: when the runtime or the bundle cannot be used; the text says what, where and the fix.
    """
    if network not in NETWORKS:
        raise EngineError(f"unknown network {network!r}; use one of {', '.join(NETWORKS)}")
    if network == "flow":
        from engines.flows import open_flow

        return open_flow(bundle, backend)
    if network == "painter" and diffuses(bundle):
        from engines.diffusion import open_diffusion

        return open_diffusion(find_bundle(bundle))
    runtime = choose(backend, bundle)
    verify_together(find_bundle(bundle), network)
    module = importlib.import_module(RUNTIMES[runtime][1])
    engine: Engine = module.open_engine(network, bundle=bundle, seed=seed)
    return engine
