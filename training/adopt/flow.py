"""Puts a published optical-flow network into a bundle: a two-frame ONNX file, with a layout or a manifest beside it.

    python -m training.adopt flow raft_small.onnx --layout raft --out BUNDLE

The file is copied unchanged, under its hash. Before that it is run on a texture with a known shift. What it reads is
printed, so that a wrong layout shows at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from engines.contract import Array, Engine, EngineError
from engines.flow.layout import LAYOUTS, FlowLayout, layout_from
from engines.flow.network import NetworkFlow
from models.codec.published_codecs import PublishedError
from training.adopt.licences import licence_of, require_acceptance
from training.bundling import write_ready

SHIFT = (6.0, -4.0)
"""Shift of the test texture in pixels: to the right, and down."""
FAR_OFF = 1.5
"""A larger mean error, in pixels, is reported."""
SIDE = 256


class FlowCandidate(NamedTuple):
    """A flow network that was read: the file, its layout, its licence, and the mean flow that it reads of `SHIFT`."""

    data: bytes
    layout: FlowLayout
    licence: str
    mean_flow: tuple[float, float]


def layout_of(name: str, file: Path) -> FlowLayout:
    """The layout of a name or of a manifest's path; "" for the manifest beside the network's file.

    Raises:
        PublishedError: when there is none, or it is not valid.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    path = Path(name) if name else file.with_suffix(".json")
    known = f"name a layout ({', '.join(LAYOUTS)}) or a JSON manifest with --layout"
    if not path.is_file():
        raise PublishedError(f"{path}: there is no such manifest; {known}")
    try:
        return layout_from(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise PublishedError(f"{path}: the manifest cannot be read ({error}); {known}") from error


def read_flow_network(source: str, layout: str) -> FlowCandidate:
    """Read a network's file and run it.

    Raises:
        PublishedError: when it is missing.
        EngineError: when it cannot run with its layout.
    """
    file = Path(source)
    if file.suffix != ".onnx" or not file.is_file():
        raise PublishedError("no such ONNX file; export the network to one (torch.onnx.export), weights inside")
    how = layout_of(layout, file)
    data = file.read_bytes()
    engine = NetworkFlow(data, how)
    return FlowCandidate(data, engine.layout, licence_of(source, file.parent), measure_flow(engine))


def texture_pair(side: int = SIDE) -> tuple[Array, Array]:
    """A texture, and the same shifted by `SHIFT`: uint8 [S, S, 3] each."""
    noise = np.random.default_rng(4).integers(0, 256, (side, side, 3)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 20, 235, cv2.NORM_MINMAX)
    move = np.array([[1, 0, SHIFT[0]], [0, 1, SHIFT[1]]], np.float32)
    shifted = cv2.warpAffine(texture, move, (side, side), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(texture, np.uint8), np.asarray(shifted, np.uint8)


def measure_flow(engine: Engine) -> tuple[float, float]:
    """The mean flow in pixels, x and y, that an engine reads in the middle of a texture shifted by `SHIFT`.

    Raises:
        EngineError: when it cannot run, or its output is not finite.
    """
    previous, current = texture_pair()
    middle = slice(SIDE // 8, -SIDE // 8)
    flow = engine.step(previous=previous, current=current)["flow"][:, middle, middle]
    if not np.isfinite(flow).all():
        raise EngineError("its flow is not finite: the layout may not fit this file; see docs/bundles.md")
    return float(flow[0].mean()), float(flow[1].mean())


def adopt_flow(source: str, layout: str, out: Path, *, accepted: bool) -> list[str]:
    """Put a flow network into a bundle; returns lines for the user.

    Raises:
        PublishedError: when it cannot be used, or its licence is not accepted.
        EngineError: when it cannot run with its layout.
    """
    network = read_flow_network(source, layout)
    require_acceptance(source, network.licence, accepted)
    training = {"adopted": Path(source).name, "licence": network.licence}
    write_ready(out, "flow", {"flow.onnx": network.data}, network.layout.as_dict(), training)
    text = "a texture moved by ({:.1f}, {:.1f}) pixels is read as ({:.1f}, {:.1f})".format(*SHIFT, *network.mean_flow)
    lines = [f"written: {out}; {text}"]
    if float(np.hypot(network.mean_flow[0] - SHIFT[0], network.mean_flow[1] - SHIFT[1])) > FAR_OFF:
        lines.append(f"that is far off: layout {network.layout.name!r} may not fit this file; see docs/bundles.md")
    return lines
