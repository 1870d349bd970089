"""The artifacts built on this machine for a runtime: files with a manifest each, used only if the manifest matches.

`artifacts/<network>.<runtime>.json` describes `<network>.onnx` or `<network>.plan`: the weights and the code it was
built from, the versions, the GPU, the precision, its distance from torch, and the time of a tick beside torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines import machine
from engines.bundles import (
    EXPORT_VERSION,
    InvalidBundleError,
    artifacts_of,
    learned_networks,
    network_entry,
    read_file,
    read_json,
    weights_of,
)

SCHEMA = 2
"""Schema of an artifact's manifest."""
ARTIFACT_RUNTIMES = ("onnxruntime", "tensorrt")
"""The runtimes that need an artifact."""
PRECISIONS = {
    "onnxruntime": ("fp32", "fp16", "int8"),
    "tensorrt": ("fp32", "fp16", "bf16"),
    "torch": ("fp32", "fp16", "bf16"),
}
"""Runtime -> the precisions it supports. Torch needs no file: its manifest holds how to run the network."""
MACHINE_BOUND = ("tensorrt", "torch")
"""The runtimes whose artifacts depend on a version and a GPU's architecture; an ONNX file depends on neither."""
SUFFIX = {"onnxruntime": ".onnx", "tensorrt": ".plan"}


def manifest_of(folder: Path, runtime: str, network: str) -> Path:
    """Where an artifact's manifest is."""
    return artifacts_of(folder) / f"{network}.{runtime}.json"


def read_entry(folder: Path, runtime: str, network: str) -> dict[str, Any] | None:
    """An artifact's manifest, unchecked; None if there is none that can be read."""
    try:
        entry = read_json(manifest_of(folder, runtime, network))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) and entry.get("schema") == SCHEMA else None


def source_of(folder: Path, network: str) -> str:
    """The hash of the weights that a network's artifacts must have been built from.

    Raises:
        InvalidBundleError: when the bundle lacks them.
    """
    return str(network_entry(folder, weights_of(folder, network)).get("sha256"))


def why_stale(folder: Path, runtime: str, network: str) -> str:
    """Why a network must be built (again) for a runtime, in a few words; "" if its artifact can be used.

    The file's hash is not checked here but when the file is read; see `why_rebuilt`.

    Raises:
        InvalidBundleError: when the bundle cannot be read.
    """
    entry = read_entry(folder, runtime, network)
    if entry is None:
        broken = manifest_of(folder, runtime, network).exists()
        return "its manifest cannot be read" if broken else "it was not built yet"
    if entry.get("source_sha256") != source_of(folder, network):
        return "it was built from other weights"
    if entry.get("version") != EXPORT_VERSION:
        return "it was built by another version of the code"
    return _why_other_machine(entry, runtime) if runtime in MACHINE_BOUND else ""


def _why_other_machine(entry: dict[str, Any], runtime: str) -> str:
    """Why an artifact that is bound to a machine belongs to another one, or ""."""
    artifact_version, here = str(entry.get("versions", {}).get(runtime)), machine.version(runtime)
    if here and artifact_version != here:
        return f"it was built by {runtime} {artifact_version}, here is {here}"
    board, artifact_gpu = machine.gpu(), entry.get("gpu") or {}
    architecture = board.architecture if board else None
    if artifact_gpu.get("architecture") != architecture:
        return f"it was built for {artifact_gpu.get('name', 'no GPU')}, here is {board.name if board else 'none'}"
    return ""


def artifact_entry(folder: Path, runtime: str, network: str) -> dict[str, Any] | None:
    """The manifest of an artifact that can be used; None if there is none, it is stale or its build failed.

    Raises:
        InvalidBundleError: when the bundle cannot be read.
    """
    if why_stale(folder, runtime, network):
        return None
    entry = read_entry(folder, runtime, network)
    return None if entry is None or entry.get("failed") else entry


def why_failed(folder: Path, runtime: str, network: str) -> str:
    """Why the build of a network failed for a runtime with the present weights, code and machine; else ""."""
    entry = read_entry(folder, runtime, network)
    reason = "" if entry is None else str(entry.get("failed", ""))
    return "" if not reason or why_stale(folder, runtime, network) else reason


def read_artifact(folder: Path, entry: dict[str, Any], runtime: str) -> bytes:
    """An artifact's bytes.

    Raises:
        InvalidBundleError: when their hash is not the manifest's.
    """
    return read_file(artifacts_of(folder), entry, rebuild_hint(folder, runtime))


def rebuild_hint(folder: Path, runtime: str) -> str:
    """How to rebuild an artifact that cannot be used."""
    return f"build it again: python -m export {folder} --backend {runtime}"


def why_rebuilt(folder: Path, runtime: str, precision: str | None = None) -> dict[str, str]:
    """The learned networks that must be built (again) for a runtime, each with the reason.

    Args:
        folder: the bundle's.
        runtime: the one whose artifacts are checked.
        precision: the one that artifacts must have, if the network can be built in it; None for any.

    Raises:
        InvalidBundleError: when the bundle's manifest cannot be read.
    """
    reasons = {}
    for network in learned_networks(folder):
        reason = why_stale(folder, runtime, network)
        entry = read_entry(folder, runtime, network) or {}
        if not reason and not entry.get("failed"):
            reason = _why_refused(folder, entry, runtime)
        if not reason and precision is not None and precision not in (entry.get("precision"), entry.get("asked")):
            reason = f"it was built in {entry.get('precision')}"
        if reason:
            reasons[network] = reason
    return reasons


def _why_refused(folder: Path, entry: dict[str, Any], runtime: str) -> str:
    if runtime not in SUFFIX:
        return ""
    try:
        read_artifact(folder, entry, runtime)
    except InvalidBundleError:
        return "its file is missing or damaged"
    return ""


def measured_share(entry: dict[str, Any]) -> float | None:
    """The time of an artifact's tick as a share of torch's; None if this machine has not measured it."""
    step, board = entry.get("step_ms") or {}, machine.gpu()
    here = {"cpu": machine.cpu(), "gpu": board.architecture if board else None}
    if entry.get("measured_on") != here or not step.get("torch"):
        return None
    return float(step["own"]) / float(step["torch"])
