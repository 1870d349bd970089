"""Writes LiteRT's answers of the eyes, `eye_goldens.safetensors`, beside this file; run by hand where LiteRT is.

In an environment of its own: `pip install ai-edge-litert mediapipe==0.10.21 safetensors`, then, from the checkout,
`PYTHONPATH=. python tests/parity/eye_goldens.py WHEEL` with the wheel that `engines/eyes/catalogue.py` pins.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.eyes.catalogue import MEDIAPIPE, EyeNetwork

GOLDENS = Path(__file__).with_name("eye_goldens.safetensors")
PICTURES = ("waves", "grain")
ROWS = 24
"""So many rows of a detector's output are kept, evenly spaced."""


def picture(kind: str, side: int) -> NDArray[np.uint8]:
    """A synthetic picture, uint8 [side, side, 3] BGR, the same on every machine."""
    y, x, channel = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    if kind == "grain":
        mixed = (x * 7919 + y * 104_729 + channel * 1_299_709 + 12_345).astype(np.uint64) * np.uint64(2_654_435_761)
        grain: NDArray[np.uint8] = ((mixed >> np.uint64(16)) & np.uint64(255)).astype(np.uint8)
        return grain
    wave = np.sin(x * 0.11 + channel) * np.cos(y * 0.07 - channel) + 0.5 * np.sin((x + y) * 0.031)
    waves: NDArray[np.uint8] = np.round((wave / 3 + 0.5) * 255).astype(np.uint8)
    return waves


def kept(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of an output is stored: all of a small one, some rows of a large one."""
    step = max(1, len(values) // ROWS)
    return np.ascontiguousarray(values[::step]) if len(values) > 4 * ROWS else values


def answers(network: EyeNetwork, data: bytes) -> dict[str, NDArray[np.float32]]:
    """LiteRT's outputs for both pictures, by "network.picture.output"."""
    from ai_edge_litert.interpreter import Interpreter

    if network.name == "body_outline":
        return _outlines(network)
    interpreter: Any = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    begin = interpreter.get_input_details()[0]["index"]
    ends = sorted(interpreter.get_output_details(), key=lambda detail: str(detail["name"]))
    found = {}
    for kind in PICTURES:
        unit = picture(kind, network.side)[None, ..., ::-1].astype(np.float32) / 255
        interpreter.set_tensor(begin, unit * (1 - network.low) + network.low)
        interpreter.invoke()
        for output in network.outputs:
            values = interpreter.get_tensor(ends[output.number]["index"]).reshape(output.shape)
            found[f"{network.name}.{kind}.{output.name}"] = kept(values.astype(np.float32))
    return found


def _outlines(network: EyeNetwork) -> dict[str, NDArray[np.float32]]:
    """MediaPipe's answers, whose network has an operation of its own: LiteRT does not know it."""
    import mediapipe

    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as finder:
        found = {}
        for kind in PICTURES:
            image = np.ascontiguousarray(picture(kind, network.side)[..., ::-1])
            found[f"{network.name}.{kind}.people"] = kept(np.asarray(finder.process(image).segmentation_mask))
    return found


def main() -> int:
    """Write the file; returns the exit status."""
    from safetensors.numpy import save_file

    goldens: dict[str, NDArray[np.float32]] = {}
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        for network in MEDIAPIPE.networks:
            goldens |= answers(network, wheel.read(network.source))
    save_file(goldens, GOLDENS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
