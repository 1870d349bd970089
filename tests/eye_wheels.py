"""Makes a small wheel of tiny eyes: real TFLite files in a real archive, with the hashes pinned as of the real one."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from engines.eyes.catalogue import EyeNetwork, EyeOutput, PublishedWheel
from tests.tflite_files import TfliteFile

SIDE = 4
WHEEL_NAME = "tiny-1.0-py3-none-any.whl"


def tiny_network(factor: float) -> bytes:
    """A TFLite file that gives the picture times a factor: float32 [1, 4, 4, 3]."""
    file = TfliteFile((1, SIDE, SIDE, 3))
    weight = np.eye(3, dtype=np.float32)[:, None, None] * np.float32(factor)
    options = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    made = file.operation("CONV_2D", (0, file.constant(weight)), file.shape, **options, FusedActivationFunction=0)
    return file.data(made)


def tiny_wheel(folder: Path, distribution: str = "tiny") -> tuple[Path, PublishedWheel]:
    """A wheel with two tiny networks, `near` with a picture from 0 to 1 and `far` with one from -1 to 1."""
    path = folder / WHEEL_NAME.replace("tiny", distribution)
    networks = []
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{distribution}-1.0.dist-info/LICENSE", "tiny licence")
        for name, factor, low in (("near", 2.0, 0.0), ("far", 3.0, -1.0)):
            data, source = tiny_network(factor), f"tiny/{name}.tflite"
            archive.writestr(source, data)
            digest = hashlib.sha256(data).hexdigest()
            outputs = (EyeOutput("picture", 0, (SIDE, SIDE, 3)),)
            networks.append(EyeNetwork(name, f"sees {name}", source, digest, SIDE, low, outputs))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path, PublishedWheel(distribution, "1.0", "any", "311", digest, 1, "Tiny-1.0", tuple(networks))
