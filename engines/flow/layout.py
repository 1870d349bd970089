"""How a two-frame flow network wants its frames and says its flow: a small manifest, and what follows from it.

Such networks agree on little: the order of the colours, the range of the values, whether frames are padded or stretched
to a multiple, and in which pixels the flow is. All of it is plain values here, so any such ONNX file can be used.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import cv2
import numpy as np

from engines.contract import Array, EngineError

CHOICES = {"colour": ("rgb", "bgr", "grey"), "fit": ("pad", "stretch"), "unit": ("input", "output")}
"""What the words of a manifest may be."""


@dataclass(frozen=True)
class FlowLayout:
    """What a manifest says. A value v of 0 to 255 becomes (v / divide - mean) / spread.

    Attributes:
        name: of the layout, for people.
        colour: "rgb", "bgr" or "grey" (one channel).
        divide, mean, spread: the range of the values; mean and spread for each channel in the order of `colour`.
        pair_mean: take the mean of both frames away from both.
        together: one input with the frames behind one another in its channels; else two inputs.
        multiple: of which height and width must be.
        fit: "pad" with the frame's edges, half on each side, or "stretch".
        size: height and width that the network is fixed to; None for whatever comes.
        output: which of its outputs is the flow; -1 for the last one.
        scale: of the flow's values.
        unit: pixels of the network's "input", or of its own, maybe smaller, "output".
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
"""By name: RAFT (Teed and Deng 2020) as its authors' code has it, and as torchvision has it; NeuFlow v2 (Zhang et al.
2024), which divides by 255 itself, and ONNX files of it that leave this to the caller; FastFlowNet (Kong et al. 2021),
which says twentieths of its flow at a quarter of the size."""


def layout_from(values: Any) -> FlowLayout:
    """A layout from a manifest's plain values; what is left out is as `FlowLayout` has it.

    Raises:
        EngineError: for a name that is not known, or a value that cannot be.
    """
    if not isinstance(values, dict):
        raise EngineError("a flow network's manifest is a JSON object; see docs/bundles.md")
    known = {field.name for field in fields(FlowLayout)}
    if unknown := sorted(values.keys() - known):
        raise EngineError(f"a flow network's manifest has no {unknown[0]!r}; known are {', '.join(sorted(known))}")
    try:
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        layout = FlowLayout(**frozen)
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
    """How a frame lies in what the network is given: its own height and width, the network's, and its corner there."""

    own: tuple[int, int]
    given: tuple[int, int]
    corner: tuple[int, int] | None
    """None where it was stretched."""


def fit_of(layout: FlowLayout, own: tuple[int, int]) -> Fit:
    """How frames of a height and width are made to fit."""
    given = layout.size or _whole(own, layout.multiple)
    padded = layout.fit == "pad" and given[0] >= own[0] and given[1] >= own[1]
    return Fit(own, given, ((given[0] - own[0]) // 2, (given[1] - own[1]) // 2) if padded else None)


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
        Its one or two inputs, float32 [1, C, H', W'], and how the frames lie in them.
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
    """What the network says as float32 [2, H, W]: displacement in pixels of the frame, x right, y down.

    Raises:
        EngineError: when it is no flow.
    """
    found = np.asarray(output, np.float32)
    found = (
        found.reshape(found.shape[-3:]) if found.ndim in (4, 5) and found.size == np.prod(found.shape[-3:]) else found
    )
    if found.ndim != 3 or found.shape[0] != 2:
        raise EngineError(f"the flow network's output is {list(output.shape)}, not [1, 2, H, W]; name another output")
    (own_h, own_w), (high, wide) = fit.own, fit.given
    units = (high / found.shape[1], wide / found.shape[2]) if layout.unit == "output" else (1.0, 1.0)
    planes = [np.asarray(cv2.resize(plane, (wide, high), interpolation=cv2.INTER_LINEAR)) for plane in found]
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
        stretched = cv2.resize(np.ascontiguousarray(frame), fit.given[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(stretched).reshape(*fit.given, frame.shape[2])
    top, left = fit.corner
    below, right = fit.given[0] - fit.own[0] - top, fit.given[1] - fit.own[1] - left
    return np.pad(frame, ((top, below), (left, right), (0, 0)), mode="edge")


def _normalize(layout: FlowLayout, frame: Array) -> Array:
    """Float32 [C, H, W] in the network's range."""
    channels = frame.shape[2]
    mean, spread = (np.asarray(one[:channels], np.float32)[:, None, None] for one in (layout.mean, layout.spread))
    values = frame.transpose(2, 0, 1).astype(np.float32) / np.float32(layout.divide)
    ranged: Array = (values - mean) / spread
    return ranged
