"""Finds the engine for a network: the only thing that `streaming` knows of `engines`."""

from __future__ import annotations

import importlib

from engines.contract import NETWORKS, Engine, EngineError

RUNTIMES = {"torch": "engines.torch_runtime"}
"""Runtime name -> module with `open_engine(network, bundle, seed) -> Engine` and `available() -> str` ("" if it is)."""


def preload(backend: str = "auto") -> None:
    """Import the runtime that `backend` would use, so that a stage that needs it later starts fast."""
    importlib.import_module(RUNTIMES[choose(backend)])


def choose(backend: str) -> str:
    """The runtime that `auto` means here, or `backend` itself.

    Raises:
        EngineError: for a runtime that is unknown.
    """
    if backend == "auto":
        return "torch"
    if backend not in RUNTIMES:
        raise EngineError(
            f"backend {backend!r} is not available in this version; use one of auto, {', '.join(RUNTIMES)}"
        )
    return backend


def open_engine(network: str, *, bundle: str = "default", backend: str = "auto", seed: int = 0) -> Engine:
    """Open one network of a bundle.

    Args:
        network: one of `NETWORKS`.
        bundle: the name of a shipped bundle, or a folder.
        backend: "auto" or a runtime's name.
        seed: where sampling starts, for the networks that sample.

    Raises:
        EngineError: when the runtime or the bundle cannot be used; the text says what, where and the fix.
    """
    if network not in NETWORKS:
        raise EngineError(f"unknown network {network!r}; use one of {', '.join(NETWORKS)}")
    if network == "flow":
        from engines.opencv_flow import DisFlow

        return DisFlow()
    module = importlib.import_module(RUNTIMES[choose(backend)])
    engine: Engine = module.open_engine(network, bundle=bundle, seed=seed)
    return engine
