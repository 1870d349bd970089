"""Exports a bundle's networks to ONNX, a tick each with the state as named inputs and outputs, and proves parity."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.bundles import (
    EXPORT_VERSION,
    SCHEMA,
    artifacts_of,
    learned_networks,
    network_entry,
    read_file,
    weights_of,
)
from engines.onnx_runtime import STATE, OnnxRunner
from engines.torch_runtime import TorchRunner
from export import int8
from models.ticks import Spec, Tick, tick_of
from models.weights import network_from

OPSET = 17
PRECISIONS = ("fp32", "int8")
TOLERANCE = 1e-4
"""Largest relative difference from torch that is accepted; measured 1e-7 to 2e-6."""


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's remarks: traced shapes are constant here on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_onnx(tick: Tick) -> bytes:
    """One tick module as an ONNX file; inputs by their names, then `state.N`; the output, then `after.N`."""
    state = tick.init_state()
    example = tuple(torch.zeros(spec.shape, dtype=spec.dtype) for spec in tick.inputs)
    names = [spec.name for spec in tick.inputs] + [f"{STATE}{i}" for i in range(len(state))]
    with tempfile.TemporaryDirectory() as folder, _quietly(), torch.no_grad():
        path = Path(folder) / "tick.onnx"
        torch.onnx.export(
            tick,
            example + state,
            path,
            input_names=names,
            output_names=[tick.output, *(f"after.{i}" for i in range(len(state)))],
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def _example(spec: Spec, rng: np.random.Generator, tick: int) -> np.ndarray:
    if spec.name == "time_s":
        return np.full(spec.shape, 3600.0 + 0.04 * tick)
    if spec.dtype == torch.uint8:
        return rng.integers(0, 256, spec.shape, dtype=np.uint8)
    if spec.name == "voice":
        return rng.integers(0, 2, spec.shape)
    if spec.dtype == torch.int64:
        return rng.integers(0, 2048, spec.shape)
    if spec.name == "pcm" and tick % 20 < 5:
        return np.zeros(spec.shape, np.float32)  # digital silence, where a division by nothing would show
    if spec.name in ("known", "temperature", "guidance"):
        return np.ones(spec.shape, np.float32)
    if spec.name == "uniforms":
        return rng.random(spec.shape, dtype=np.float32)
    return (0.3 * rng.standard_normal(spec.shape)).astype(np.float32)


def difference(got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference relative to the largest value; infinite where either is not finite."""
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        return float("inf")
    return float(np.abs(got - want).max() / (np.abs(want).max() + 1e-9))


def parity(tick: Tick, data: bytes, ticks: int = 80) -> dict[str, float]:
    """Run both side by side, teacher-forced, over more ticks than a window has.

    Returns:
        `output`: largest relative difference of outputs, or, for codes, the share of codes that differ (a sum within
        rounding of a boundary may fall either way); `state`: largest relative difference of the states at the end.
    """
    ours, theirs = TorchRunner(tick, torch.device("cpu")), OnnxRunner(data)
    rng = np.random.default_rng(0)
    worst, wrong = 0.0, 0.0
    for n in range(ticks):
        inputs = {spec.name: _example(spec, rng, n) for spec in tick.inputs}
        want, got = ours.run(inputs), theirs.run(inputs)
        if want.dtype == np.int64:
            wrong += float((want != got).mean()) / ticks
        else:
            worst = max(worst, difference(got, want))
    state = 0.0
    for mine, other in zip(ours.state(), theirs.state(), strict=True):
        state = max(state, difference(other, mine))
    return {"output": max(worst, wrong), "state": state}


def export_bundle(folder: Path, precision: str = "fp32") -> dict[str, dict[str, Any]]:
    """Export every learned network of a bundle into its folder of artifacts, with a manifest beside them.

    Args:
        folder: the bundle's.
        precision: "fp32", or "int8" for 8-bit integers in the networks that `export.int8.rounds` names.

    Returns:
        The manifest's entries by network.

    Raises:
        ValueError: when a network's ONNX file does not do what torch does.
        OSError: when the folder cannot be written.
    """
    target = artifacts_of(folder)
    target.mkdir(exist_ok=True)
    entries: dict[str, dict[str, Any]] = {}
    for network in learned_networks(folder):
        weights = weights_of(folder, network)
        source = network_entry(folder, weights)
        tick = tick_of(network, network_from(weights, source.get("config", {}), read_file(folder, source)))
        data = to_onnx(tick)
        measured = parity(tick, data)
        limit = 0.01 if tick.output == "frames" else TOLERANCE
        if not (measured["output"] <= limit and measured["state"] <= TOLERANCE):
            raise ValueError(f"{network}: the ONNX file differs from torch by {measured}")
        small = precision == "int8" and int8.rounds(network, tick)
        if small:
            data = int8.rounded(tick, data)
            measured = int8.parity(tick, data)
            if not measured["output"] <= int8.TOLERANCE:
                raise ValueError(f"{network}: the 8-bit ONNX file differs from torch by {measured}; export it in fp32")
        file = f"{network}.onnx"
        _write(target / file, data)
        entries[network] = {
            "file": file,
            "sha256": hashlib.sha256(data).hexdigest(),
            "source_sha256": source["sha256"],
            "version": EXPORT_VERSION,
            "precision": "int8" if small else "fp32",
            "latency_samples": tick.latency_samples,
            "opset": OPSET,
            "torch": torch.__version__.partition("+")[0],
            "inputs": {spec.name: list(spec.shape) for spec in tick.inputs},
            "parity": {key: float(f"{value:.3g}") for key, value in measured.items()},
        }
    text = json.dumps({"schema": SCHEMA, "onnxruntime": entries}, indent=2, sort_keys=True) + "\n"
    _write(target / "manifest.json", text.encode())
    return entries


def _write(path: Path, data: bytes) -> None:
    """All of a file or nothing, also where two exports meet."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(data)
    Path(part.name).replace(path)
