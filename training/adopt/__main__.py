"""Puts published, pre-trained networks into a bundle, by their names on the model hub or from files.

    python -m training.adopt codec facebook/encodec_32khz --out BUNDLE --look-ahead 1
    python -m training.adopt flow raft_small.onnx --layout raft --out BUNDLE
    python -m training.adopt picture stabilityai/sd-turbo --prompt "a charcoal drawing" --out BUNDLE

Both of the codec's file layouts are read: Transformers' (`config.json`, `model.safetensors`) and audiocraft's own
(`compression_state_dict.bin`). What is written is the bundle's: safetensors, hashed in its manifest. A licence is
shown first, and has to be accepted. A codec that looks ahead is heard later; how much is said here and in every report.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.contract import EngineError
from engines.flow.layout import LAYOUTS
from models.codec.encodec import EXACT, Encodec, EncodecConfig
from models.codec.published_codecs import PublishedError, audiocraft_config, codec_tensors, transformers_config
from models.weights import WeightsError, unpack_weights
from training.adopt.audiocraft import model_of, parts_of, resolved
from training.adopt.licences import CARD, agree, licence_of
from training.adopt.model_hub import fetch
from training.bundling import write_network

TRANSFORMERS = ("config.json", "model.safetensors")
AUDIOCRAFT = "compression_state_dict.bin"
LOOK_AHEADS = {"0": 0, "1": 1, "2": 2, "exact": EXACT}
AUTOENCODER, PROMPT = "madebyollin/taesd", "an oil painting, rich colours, masterpiece"
SAMPLE_RATE, HOP, NUM_CODEBOOKS, CARDINALITY = 32_000, 640, 4, 2048
"""What a show's sound is made of."""


@dataclass(frozen=True)
class Published:
    """A published codec: its sizes, its tensors as `models.codec.encodec` names them, and on what terms it may be used.

    A stereo MusicGen has the same mono codec, which it uses on the left and on the right.
    """

    config: EncodecConfig
    tensors: dict[str, Tensor]
    licence: str
    source: str
    stereo: bool = False


def read_published(source: str, look_ahead: int = EXACT, offline: bool = False) -> Published:
    """Read a published codec, in whichever of the two layouts it has.

    Args:
        source: a folder, or OWNER/NAME of the hub.
        look_ahead: see `EncodecConfig`.
        offline: never ask the hub.

    Raises:
        PublishedError: when it is not there or cannot be used.
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
        config = audiocraft_config(resolved(package.get("xp.cfg")), look_ahead)
        state = package.get("best_state")
        if not isinstance(state, dict):
            raise PublishedError(f"{AUDIOCRAFT} holds no weights (best_state)")
        tensors = codec_tensors(state.get("model", state), config.num_codebooks)
    else:
        raise PublishedError(f"{folder} has neither {' and '.join(TRANSFORMERS)} nor {AUDIOCRAFT}")
    return Published(config, tensors, licence_of(source, folder), source, stereo)


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
    """Audiocraft's checkpoint. It is a pickle: only tensors and plain values are let out of it, nothing in it runs."""
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
    found = (config.sample_rate, config.hop, config.num_codebooks, config.cardinality)
    wanted = (SAMPLE_RATE, HOP, NUM_CODEBOOKS, CARDINALITY)
    if found != wanted:
        names = ("Hz", "samples a frame", "codebooks", "entries")
        said = ", ".join(f"{value} {name}" for value, name in zip(found, names, strict=True))
        raise PublishedError(f"it has {said}; a show has 32000 Hz, 640 samples a frame, 4 codebooks, 2048 entries")


def encodec_of(published: Published) -> Encodec:
    """The codec as a network.

    Raises:
        PublishedError: when its tensors are not those of its sizes.
    """
    network = Encodec(published.config)
    wanted = network.state_dict()
    if missing := wanted.keys() - published.tensors.keys():
        raise PublishedError(f"tensor {min(missing)} is missing")
    if extra := published.tensors.keys() - wanted.keys():
        raise PublishedError(f"tensor {min(extra)} is unexpected")
    for name, value in published.tensors.items():
        if value.shape != wanted[name].shape:
            raise PublishedError(f"tensor {name} has another shape than its configuration says")
    network.load_state_dict(published.tensors)
    return network.eval().requires_grad_(False)


def from_audiocraft(source: str, look_ahead: int = EXACT, offline: bool = False) -> Published:
    """A codec that audiocraft itself, where it is installed, loads by name or file.

    Raises:
        PublishedError: when it is not there or cannot be used.
    """
    if offline and not Path(source).exists():
        raise PublishedError("audiocraft asks the hub itself, and --offline was said; name a file")
    config, tensors, stereo = parts_of(model_of(source), look_ahead)
    return Published(config, tensors, licence_of(source, Path(source).parent), source, stereo)


def adopt_codec(
    source: str, look_ahead: str, out: Path, *, offline: bool, accepted: bool, audiocraft: bool = False
) -> list[str]:
    """Put a codec into a bundle; returns lines for the user.

    Raises:
        PublishedError: when it cannot be used, or its licence is not accepted.
    """
    published = (from_audiocraft if audiocraft else read_published)(source, LOOK_AHEADS[look_ahead], offline)
    agree(source, published.licence, accepted)
    check_fits(published.config)
    network = encodec_of(published)
    write_network(out, "codec", network, {"adopted": source, "licence": published.licence}, exact=True)
    lag_ms = 1000.0 * network.decoder.latency / SAMPLE_RATE
    mono = ["of a stereo MusicGen the codec is mono, one for both sides: that is what was taken; a show is mono"]
    return [
        *(mono if published.stereo else ()),
        f"written: {out}; what it says is heard {lag_ms:.0f} ms later than the shipped codec's",
        f"next: train a translator on it: python -m training.train translator --out {out}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Adopt a network; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.adopt", description=__doc__)
    parser.add_argument("network", choices=("codec", "flow", "picture"))
    parser.add_argument("source", help="a folder, or OWNER/NAME on the model hub; flow: an ONNX file")
    parser.add_argument("--out", type=Path, required=True, help="the bundle to write into, made if need be")
    parser.add_argument(
        "--look-ahead",
        choices=tuple(LOOK_AHEADS),
        default="exact",
        help="codec: token frames of 20 ms that it waits for; exact: all that it looks at, 3",
    )
    parser.add_argument("--audiocraft", action="store_true", help="codec: have the installed audiocraft load it")
    parser.add_argument(
        "--layout", default="", help=f"flow: {', '.join(LAYOUTS)}, or a JSON manifest; default: FILE.json beside it"
    )
    parser.add_argument("--prompt", default=PROMPT, help="picture: in words, what is painted; it cannot change live")
    parser.add_argument("--autoencoder", default=AUTOENCODER, help="picture: a folder, or OWNER/NAME; default: TAESD")
    parser.add_argument("--side", type=int, default=512, help="picture: of the squares it paints, in pixels")
    parser.add_argument("--offline", action="store_true", help="never ask the hub: only what is on this machine")
    parser.add_argument("--accept-licence", action="store_true", help="having read it")
    options = parser.parse_args(arguments)
    source, out, accepted = options.source, options.out, options.accept_licence
    try:
        if options.network == "flow":
            from training.adopt.flow import adopt_flow

            lines = adopt_flow(source, options.layout, out, accepted=accepted)
        elif options.network == "picture":
            from training.adopt.diffusion import Wish, adopt_picture

            wish = Wish(options.prompt, options.autoencoder, options.side)
            lines = adopt_picture(source, wish, out, offline=options.offline, accepted=accepted)
        else:
            how = {"offline": options.offline, "accepted": accepted, "audiocraft": options.audiocraft}
            lines = adopt_codec(source, options.look_ahead, out, **how)
    except (PublishedError, EngineError, OSError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
