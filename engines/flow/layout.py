"""The input and output format of a two-frame flow network: a small manifest, and the conversions it describes.

Such networks differ in the order of the colours, the range of the values, whether frames are padded or stretched to a
multiple, and in which pixels the flow is measured. All of it is plain values here, so any such ONNX file can be used.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import cv2
import numpy as np

from engines.contract import Array, EngineError

CHOICES = {"colour": ("rgb", "bgr", "grey"), "fit": ("pad", "stretch"), "unit": ("input", "output")}
"""The allowed words of a manifest."""


@dataclass(frozen=True)
class FlowLayout:
    """A network's manifest. A value v of 0 to 255 becomes (v / divide - mean) / spread.

    Attributes:
        name: of the layout, for people.
        colour: "rgb", "bgr" or "grey" (one channel).
        divide, mean, spread: the range of the values; mean and spread for each channel in the order of `colour`.
        pair_mean: whether the mean of both frames is subtracted from both.
        together: one input with both frames concatenated along its channels; else two inputs.
        multiple: height and width must be multiples of it.
        fit: "pad" with the frame's edges, half on each side, or "stretch".
        size: height and width that the network is fixed to; None for any.
        output: which of its outputs is the flow; -1 for the last one.
        scale: factor of the flow's values.
        unit: the flow is in pixels of the network's "input", or of its "output", which may be smaller.
    """

    name: str = "own"
    colour: str = "rgb"
    divide: float = 1.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    spread: tuple[float, ...] = (1.0, 1.0, 1.0)
    pair_mean: bool = False
    together: bool = False
    multiple: int = 8
    fit: str = "pad"
    size: tuple[int, int] | None = None
    output: int = -1
    scale: float = 1.0
    unit: str = "input"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)


LAYOUTS = {
    "raft": FlowLayout("raft"),
    "raft-torchvision": FlowLayout("raft-torchvision", divide=127.5, mean=(1.0, 1.0, 1.0)),
    "neuflow": FlowLayout("neuflow", colour="bgr", multiple=16, fit="stretch"),
    "neuflow-unit": FlowLayout("neuflow-unit", colour="bgr", divide=255.0, multiple=16, fit="stretch"),
    "fastflownet": FlowLayout(
        "fastflownet",
        colour="bgr",
        divide=255.0,
        pair_mean=True,
        together=True,
        multiple=64,
        fit="stretch",
        scale=20.0,
    ),
}
"""By name: RAFT (Teed and Deng 2020) in its authors' version and in torchvision's; NeuFlow v2 (Zhang et al. 2024),
which divides by 255 itself, and ONNX files of it that leave this to the caller; FastFlowNet (Kong et al. 2021), which
gives a twentieth of its flow at a quarter of the size."""


def layout_from(values: Any) -> FlowLayout:
    """A layout from a manifest's plain values; missing ones have `FlowLayout`'s defaults.

    Raises:
        EngineError: for an unknown name or an invalid value.
    """
    if not isinstance(values, dict):
        raise EngineError("a flow network's manifest is a JSON object; see docs/bundles.md")
    field_names = {field.name for field in fields(FlowLayout)}
    if unknown := sorted(values.keys() - field_names):
        raise EngineError(
            f"a flow network's manifest has no {unknown[0]!r}; known are {', '.join(sorted(field_names))}"
        )
    try:
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        layout = FlowLayout(**arguments)
        _check(layout)
    except (TypeError, ValueError) as error:
        raise EngineError(f"a flow network's manifest is not right: {error}; see docs/bundles.md") from error
    return layout


def _check(layout: FlowLayout) -> None:
    for name, choices in CHOICES.items():
        if getattr(layout, name) not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}")
    channels = 1 if layout.colour == "grey" else 3
    for name in ("mean", "spread"):
        if len(getattr(layout, name)) < channels:
            raise ValueError(f"{name} has a number for each channel")
    if not all(map(math.isfinite, (layout.divide, layout.scale, *layout.mean, *layout.spread))):
        raise ValueError("every number is finite")
    if not layout.divide or not all(layout.spread) or layout.multiple < 1:
        raise ValueError("divide and spread are not 0, and multiple is at least 1")
    if layout.size is not None and (len(layout.size) != 2 or any(length % layout.multiple for length in layout.size)):
        raise ValueError("size is height and width, multiples of multiple")


class Fit(NamedTuple):
    """How a frame lies in the network's input: its own height and width, the input's, and its corner in the input."""

    own: tuple[int, int]
    given: tuple[int, int]
    corner: tuple[int, int] | None
    """None if the frame was stretched."""


def fit_of(layout: FlowLayout, own: tuple[int, int]) -> Fit:
    """How frames of a height and width fit the network's input."""
    target = layout.size or _whole(own, layout.multiple)
    is_padded = layout.fit == "pad" and target[0] >= own[0] and target[1] >= own[1]
    return Fit(own, target, ((target[0] - own[0]) // 2, (target[1] - own[1]) // 2) if is_padded else None)


def _whole(own: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (-(-length // multiple) * multiple for length in own)
    return height, width


def prepare_frames(layout: FlowLayout, previous: Array, current: Array) -> tuple[list[Array], Fit]:
    """Two frames as the network's inputs.

    Args:
        layout: of the network.
        previous: uint8 [H, W] grey or [H, W, 3] BGR.
        current: the same.

    Returns:
        The network's one or two inputs, float32 [1, C, H', W'], and how the frames lie in them.
    """
    fit = fit_of(layout, (int(previous.shape[0]), int(previous.shape[1])))
    frames = [_normalize(layout, _fit_frame(_to_channels(layout, frame), fit)) for frame in (previous, current)]
    if layout.pair_mean:
        mean = (frames[0].mean((1, 2), keepdims=True) + frames[1].mean((1, 2), keepdims=True)) / 2
        frames = [frame - mean for frame in frames]
    if layout.together:
        frames = [np.concatenate(frames)]
    return [np.ascontiguousarray(frame[None], np.float32) for frame in frames], fit


def read_flow(layout: FlowLayout, output: Array, fit: Fit) -> Array:
    """The network's flow as float32 [2, H, W]: displacement in pixels of the frame, x right, y down.

    Raises:
        EngineError: when the output has not the shape of a flow.
    """
    planes_out = np.asarray(output, np.float32)
    planes_out = (
        planes_out.reshape(planes_out.shape[-3:])
        if planes_out.ndim in (4, 5) and planes_out.size == np.prod(planes_out.shape[-3:])
        else planes_out
    )
    if planes_out.ndim != 3 or planes_out.shape[0] != 2:
        raise EngineError(f"the flow network's output is {list(output.shape)}, not [1, 2, H, W]; name another output")
    (own_h, own_w), (high, wide) = fit.own, fit.given
    units = (high / planes_out.shape[1], wide / planes_out.shape[2]) if layout.unit == "output" else (1.0, 1.0)
    planes = [np.asarray(cv2.resize(plane, (wide, high), interpolation=cv2.INTER_LINEAR)) for plane in planes_out]
    if fit.corner is None:
        planes = [np.asarray(cv2.resize(plane, (own_w, own_h), interpolation=cv2.INTER_LINEAR)) for plane in planes]
        units = (units[0] * own_h / high, units[1] * own_w / wide)
    else:
        top, left = fit.corner
        planes = [plane[top : top + own_h, left : left + own_w] for plane in planes]
    flow = np.stack([planes[0] * (layout.scale * units[1]), planes[1] * (layout.scale * units[0])])
    return np.ascontiguousarray(flow, np.float32)


def _to_channels(layout: FlowLayout, frame: Array) -> Array:
    """Uint8 [H, W, C] in the network's own order."""
    if layout.colour == "grey":
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        return np.asarray(grey)[..., None]
    if frame.ndim == 2:
        return np.repeat(frame[..., None], 3, axis=2)
    return np.asarray(frame[..., ::-1] if layout.colour == "rgb" else frame)


def _fit_frame(frame: Array, fit: Fit) -> Array:
    if fit.own == fit.given:
        return frame
    if fit.corner is None:
        resized = cv2.resize(np.ascontiguousarray(frame), fit.given[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized).reshape(*fit.given, frame.shape[2])
    top, left = fit.corner
    below, right = fit.given[0] - fit.own[0] - top, fit.given[1] - fit.own[1] - left
    return np.pad(frame, ((top, below), (left, right), (0, 0)), mode="edge")


def _normalize(layout: FlowLayout, frame: Array) -> Array:
    """Float32 [C, H, W] in the network's range."""
    channels = frame.shape[2]
    mean, spread = (np.asarray(one[:channels], np.float32)[:, None, None] for one in (layout.mean, layout.spread))
    values = frame.transpose(2, 0, 1).astype(np.float32) / np.float32(layout.divide)
    normalized: Array = (values - mean) / spread
    return normalized
