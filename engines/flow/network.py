"""Optical flow by a published network: any two-frame ONNX file that a bundle holds, in ONNX Runtime."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from engines.bundles import InvalidBundleError, network_entry, read_file
from engines.contract import Array, EngineError, EngineSpec
from engines.flow.layout import FlowLayout, layout_from, prepare_frames, read_flow

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_FIX = "adopt another: python -m training.adopt flow FILE.onnx --out"


class NetworkFlow:
    """Dense flow between two frames by a network; keeps no state.

    Args:
        data: the ONNX file; it must hold its weights itself.
        layout: the network's input and output format.

    Raises:
        EngineError: when the runtime does not accept it, or it is no two-frame network of that layout.
    """

    def __init__(self, data: bytes, layout: FlowLayout) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = min(2, os.cpu_count() or 1)  # the show has many processes
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        available = ort.get_available_providers()
        selected = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
        try:
            self._session = ort.InferenceSession(data, options, providers=selected)
        except Exception as error:  # onnxruntime's own errors share no base class but Exception
            raise EngineError(f"ONNX Runtime does not accept it ({_line(error)})") from error
        inputs = self._session.get_inputs()
        count = 1 if layout.together else 2
        if len(inputs) != count:
            raise EngineError(f"it has {len(inputs)} inputs, and a network of layout {layout.name} has {count}")
        if unsupported := [one.type for one in inputs if one.type not in _TYPES]:
            raise EngineError(f"its input is {unsupported[0]}, not float, float16 or uint8")
        if not -len(self._session.get_outputs()) <= layout.output < len(self._session.get_outputs()):
            raise EngineError(f"it has no output number {layout.output}")
        self._inputs = [(one.name, _TYPES[one.type]) for one in inputs]
        self._output = self._session.get_outputs()[layout.output].name
        self.layout = _with_fixed_size(layout, [one.shape for one in inputs])
        device = "cuda" if self._session.get_providers()[0].startswith("CUDA") else "cpu"
        config = {"colour": layout.colour != "grey", "layout": layout.name}
        self.spec = EngineSpec("flow", "onnxruntime", device, config=config)

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """previous, current: uint8 [H, W] grey or [H, W, 3] BGR -> flow: float32 [2, H, W] in pixels.

        Raises:
            EngineError: when the network cannot be run on frames of this size.
        """
        arrays, fit = prepare_frames(self.layout, np.asarray(inputs["previous"]), np.asarray(inputs["current"]))
        feeds = {name: array.astype(kind) for (name, kind), array in zip(self._inputs, arrays, strict=True)}
        try:
            output = self._session.run([self._output], feeds)[0]
        except Exception as error:  # as above
            raise EngineError(f"the flow network cannot take frames of {fit.given} ({_line(error)})") from error
        return {"flow": read_flow(self.layout, output, fit)}

    def reset(self) -> None:
        """Nothing to forget."""


def open_network(folder: Path) -> NetworkFlow:
    """The flow network of a bundle.

    Raises:
        EngineError: when it cannot be trusted or used.
    """
    entry = network_entry(folder, "flow")
    data = read_file(folder, entry)
    try:
        return NetworkFlow(data, layout_from(entry.get("config", {})))
    except EngineError as error:
        raise InvalidBundleError(str(error), folder / str(entry.get("file")), f"{_FIX} {folder}") from error


def _with_fixed_size(layout: FlowLayout, shapes: list[list[Any]]) -> FlowLayout:
    """The layout with the input size that the file is fixed to, if any."""
    channels = (1 if layout.colour == "grey" else 3) * (2 if layout.together else 1)
    for shape in shapes:
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != channels):
            raise EngineError(f"its input is {shape}, and a network of layout {layout.name} has [1, {channels}, H, W]")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise EngineError(f"it is fixed to batches of {shape[0]}, and frames come one pair at a time")
    height, width = shapes[0][2:]
    fixed = isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0
    return replace(layout, size=(height, width)) if fixed else layout


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
