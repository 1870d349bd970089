"""Exports a network's tick to ONNX, with the state as named inputs and outputs, in fp32, fp16 or int8."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from engines.runtimes.onnxruntime_runtime import STATE
from models.tick_modules import TickModule

OPSET = 17


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Suppress the exporter's warnings: traced shapes are constant here on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_onnx(tick: TickModule) -> bytes:
    """One tick module as an ONNX file: inputs by name, then `state.N`; the output, then `after.N`."""
    state = tick.init_state()
    example = tuple(torch.zeros(spec.shape, dtype=spec.dtype) for spec in tick.inputs)
    names = [spec.name for spec in tick.inputs] + [f"{STATE}{i}" for i in range(len(state))]
    with tempfile.TemporaryDirectory() as folder, no_warnings(), torch.no_grad():
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


def to_half(data: bytes) -> bytes:
    """An exported network in half precision; inputs, outputs and state stay as they are, in single precision."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with no_warnings():
        model = convert_float_to_float16(onnx.load_from_string(data), keep_io_types=True)
    small: bytes = model.SerializeToString()
    return small
