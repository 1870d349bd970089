"""Reads a published EnCodec codec, from Transformers' files or audiocraft's checkpoint, and puts it into a bundle.

Both file layouts are read: Transformers' (`config.json`, `model.safetensors`) and audiocraft's own
(`compression_state_dict.bin`). A bundle's codec is safetensors, hashed in its manifest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.codec.encodec import Encodec
from models.codec.encodec_layers import EXACT, EncodecConfig
from models.codec.published_codecs import PublishedError, audiocraft_config, codec_tensors, transformers_config
from models.weights import WeightsError, unpack_weights
from streaming.conventions import CARDINALITY, NUM_CODEBOOKS, SAMPLE_RATE, TOKEN_FRAME_SAMPLES
from training.adopt.audiocraft import model_of, parts_of, resolve_config
from training.adopt.licences import CARD, licence_of, require_acceptance
from training.adopt.model_hub import fetch
from training.bundling import write_network

TRANSFORMERS = ("config.json", "model.safetensors")
AUDIOCRAFT = "compression_state_dict.bin"
LOOK_AHEADS = {"0": 0, "1": 1, "2": 2, "exact": EXACT}


@dataclass(frozen=True)
class PublishedCodec:
    """A published codec: its sizes, its tensors as `models.codec.encodec` names them, its licence and source.

    A stereo MusicGen has the same mono codec, used once for the left and once for the right channel.
    """

    config: EncodecConfig
    tensors: dict[str, Tensor]
    licence: str
    source: str
    stereo: bool = False


def read_published(source: str, look_ahead: int = EXACT, offline: bool = False) -> PublishedCodec:
    """Read a published codec, in either of the two file layouts.

    Args:
        source: a folder, or OWNER/NAME on the hub.
        look_ahead: see `EncodecConfig`.
        offline: never ask the hub.

    Raises:
        PublishedError: when it is missing or cannot be used.
    """
    stereo = False
    folder = fetch(source, offline, (*TRANSFORMERS, AUDIOCRAFT, CARD))
    config_path, weights_path = (folder / name for name in TRANSFORMERS)
    if config_path.is_file() and weights_path.is_file():
        values = _json(config_path)
        decoder = values.get("decoder")
        stereo = isinstance(decoder, dict) and decoder.get("audio_channels") == 2
        config = transformers_config(values, look_ahead)
        tensors = codec_tensors(_safetensors(weights_path), config.num_codebooks)
    elif (folder / AUDIOCRAFT).is_file():
        package = _package(folder / AUDIOCRAFT)
        if isinstance(other := package.get("pretrained"), str):
            # MusicGen's checkpoints say whose codec they use instead of holding it.
            return read_published(other, look_ahead, offline)
        config = audiocraft_config(resolve_config(package.get("xp.cfg")), look_ahead)
        state = package.get("best_state")
        if not isinstance(state, dict):
            raise PublishedError(f"{AUDIOCRAFT} holds no weights (best_state)")
        tensors = codec_tensors(state.get("model", state), config.num_codebooks)
    else:
        raise PublishedError(f"{folder} has neither {' and '.join(TRANSFORMERS)} nor {AUDIOCRAFT}")
    return PublishedCodec(config, tensors, licence_of(source, folder), source, stereo)


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishedError(f"{path.name} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise PublishedError(f"{path.name} is no configuration")
    return values


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return unpack_weights(path.read_bytes())
    except (OSError, WeightsError) as error:
        raise PublishedError(f"{path.name} cannot be read ({error})") from error


def _package(path: Path) -> dict[str, Any]:
    """Audiocraft's checkpoint, a pickle: the restricted reader returns tensors and plain values, and runs no code."""
    try:
        package = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:  # whatever a damaged or hostile archive makes the restricted reader raise
        line = " ".join(str(error).split())[:120]
        raise PublishedError(f"{path.name} is no checkpoint of plain tensors ({line})") from error
    if not isinstance(package, dict):
        raise PublishedError(f"{path.name} is no checkpoint")
    return package


def check_fits(config: EncodecConfig) -> None:
    """Refuse a codec whose sound a show cannot play.

    Raises:
        PublishedError: with what differs.
    """
    actual = (config.sample_rate, config.hop, config.num_codebooks, config.cardinality)
    required = (SAMPLE_RATE, TOKEN_FRAME_SAMPLES, NUM_CODEBOOKS, CARDINALITY)
    if actual != required:
        names = ("Hz", "samples a frame", "codebooks", "entries")
        text = ", ".join(f"{value} {name}" for value, name in zip(actual, names, strict=True))
        requirement = ", ".join(f"{value} {name}" for value, name in zip(required, names, strict=True))
        raise PublishedError(f"it has {text}; a show has {requirement}")


def encodec_of(codec: PublishedCodec) -> Encodec:
    """The codec as a network.

    Raises:
        PublishedError: when its tensors do not fit its sizes.
    """
    network = Encodec(codec.config)
    required = network.state_dict()
    if missing := required.keys() - codec.tensors.keys():
        raise PublishedError(f"tensor {min(missing)} is missing")
    if extra := codec.tensors.keys() - required.keys():
        raise PublishedError(f"tensor {min(extra)} is unexpected")
    for name, value in codec.tensors.items():
        if value.shape != required[name].shape:
            raise PublishedError(f"tensor {name} has another shape than its configuration says")
    network.load_state_dict(codec.tensors)
    return network.eval().requires_grad_(False)


def from_audiocraft(source: str, look_ahead: int = EXACT, offline: bool = False) -> PublishedCodec:
    """A codec that an installed audiocraft loads by name or file.

    Raises:
        PublishedError: when it is missing or cannot be used.
    """
    if offline and not Path(source).exists():
        raise PublishedError("audiocraft would ask the hub, but --offline was given; name a file")
    config, tensors, stereo = parts_of(model_of(source), look_ahead)
    return PublishedCodec(config, tensors, licence_of(source, Path(source).parent), source, stereo)


def adopt_codec(
    source: str, look_ahead: str, out: Path, *, offline: bool, accepted: bool, audiocraft: bool = False
) -> list[str]:
    """Put a codec into a bundle; returns lines for the user.

    Raises:
        PublishedError: when it cannot be used, or its licence is not accepted.
    """
    codec = (from_audiocraft if audiocraft else read_published)(source, LOOK_AHEADS[look_ahead], offline)
    require_acceptance(source, codec.licence, accepted)
    check_fits(codec.config)
    network = encodec_of(codec)
    write_network(out, "codec", network, {"adopted": source, "licence": codec.licence}, exact=True)
    lag_ms = 1000.0 * network.decoder.latency / SAMPLE_RATE
    mono = ["of a stereo MusicGen the codec is mono, used for both channels: that one was taken; a show is mono"]
    return [
        *(mono if codec.stereo else ()),
        f"written: {out}; its sound comes {lag_ms:.0f} ms later than the shipped codec's",
        f"next: train a translator on it: python -m training.train translator --out {out}",
    ]
