"""Selects a show's optical flow: its bundle's network, NVIDIA's hardware if available, else OpenCV's DIS."""

from __future__ import annotations

import importlib.util

from engines.bundles import InvalidBundleError, find_bundle, read_manifest
from engines.contract import Engine
from engines.flow.nvidia import nvidia_flow
from engines.flow.opencv import DisFlow


def open_flow(bundle: str, backend: str = "auto") -> Engine:
    """Open the flow of a show.

    Args:
        bundle: the show's; a flow network that was adopted into it has priority.
        backend: "auto" also uses NVIDIA's hardware, if OpenCV supports it; "opencv" is always DIS, for any bundle.

    Raises:
        EngineError: when the bundle has a flow network that cannot be used.
    """
    if backend == "opencv":
        return DisFlow()
    folder = find_bundle(bundle)
    if "flow" in read_manifest(folder)["networks"]:
        if importlib.util.find_spec("onnxruntime") is None:
            raise InvalidBundleError("its flow network needs ONNX Runtime", folder, "run: pip install onnxruntime")
        from engines.flow.network import open_network

        return open_network(folder)
    return (nvidia_flow() if backend == "auto" else None) or DisFlow()
