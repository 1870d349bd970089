"""Published codecs' tensors and sizes under this project's names: Transformers' layout, and audiocraft's own.

Both store SEANet's convolutions as direction and length (weight normalization, Salimans and Kingma 2016). The two are
multiplied here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from models.codec.encodec_layers import EXACT, EncodecConfig

_SIZES = (
    "num_filters",
    "upsampling_ratios",
    "kernel_size",
    "last_kernel_size",
    "residual_kernel_size",
    "dilation_growth_rate",
    "num_residual_layers",
    "compress",
    "num_lstm_layers",
)
_PAIRS = (
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
    (".weight_g", ".weight_v"),
)
"""Suffixes of lengths and directions in newer and in older versions of torch."""


class PublishedError(ValueError):
    """Published weights or sizes that cannot be used, and why."""


def transformers_config(values: Mapping[str, Any], look_ahead: int = EXACT) -> EncodecConfig:
    """The sizes in a `config.json` of an `EncodecModel`, or of a MusicGen model with one in it.

    Raises:
        PublishedError: for another kind of model, or one that cannot be streamed.
    """
    values = values.get("audio_encoder", values)
    if values.get("model_type") != "encodec":
        raise PublishedError(f"its config.json is of {values.get('model_type', 'no known')!r}, not of an EnCodec model")
    # Transformers' defaults, for the values that config.json leaves out.
    sizes_given: dict[str, Any] = {
        "num_filters": 32,
        "upsampling_ratios": [8, 5, 4, 2],
        "kernel_size": 7,
        "last_kernel_size": 7,
        "residual_kernel_size": 3,
        "dilation_growth_rate": 2,
        "num_residual_layers": 1,
        "compress": 2,
        "num_lstm_layers": 2,
        "hidden_size": 128,
        "codebook_size": 1024,
        "sampling_rate": 24_000,
        "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
        "use_causal_conv": True,
        "use_conv_shortcut": True,
        "norm_type": "weight_norm",
        "pad_mode": "reflect",
        "normalize": False,
        "audio_channels": 1,
        "trim_right_ratio": 1.0,
    } | {name: value for name, value in values.items() if value is not None}
    sizes: dict[str, Any] = {name: sizes_given[name] for name in _SIZES}
    sizes["upsampling_ratios"] = tuple(sizes["upsampling_ratios"])
    config = EncodecConfig(
        look_ahead=look_ahead,
        **sizes,
        causal=sizes_given["use_causal_conv"],
        shortcut=sizes_given["use_conv_shortcut"],
        mirrored=sizes_given["pad_mode"] == "reflect",
        latent_dim=sizes_given["hidden_size"],
        cardinality=sizes_given["codebook_size"],
        sample_rate=sizes_given["sampling_rate"],
    )
    frame_rate = config.sample_rate / config.hop
    bits = (config.cardinality - 1).bit_length()
    books = int(1000 * sizes_given["target_bandwidths"][-1] // (frame_rate * bits))
    _refuse(
        norm=sizes_given["norm_type"],
        padding=sizes_given["pad_mode"],
        normalized=sizes_given["normalize"],
        audio_channels=sizes_given["audio_channels"],
        trim=sizes_given["trim_right_ratio"],
    )
    return _with_books(config, books)


def audiocraft_config(values: Mapping[str, Any], look_ahead: int = EXACT) -> EncodecConfig:
    """The sizes in audiocraft's configuration of a compression model (its `xp.cfg`, read from YAML).

    Raises:
        PublishedError: for another kind of model, or one that cannot be streamed.
    """
    try:
        seanet, encodec, rvq = values["seanet"], values["encodec"], values["rvq"]
        decoder = seanet.get("decoder") or {}
        _refuse(
            norm=seanet["norm"],
            padding=seanet["pad_mode"],
            normalized=encodec["renormalize"],
            audio_channels=values["channels"],
            trim=decoder.get("trim_right_ratio", 1.0),
        )
        if encodec["quantizer"] != "rvq" or seanet["activation"] != "ELU" or seanet["disable_norm_outer_blocks"]:
            raise PublishedError("it is no plain SEANet around a residual quantizer")
        return EncodecConfig(
            look_ahead=look_ahead,
            num_filters=seanet["n_filters"],
            upsampling_ratios=tuple(seanet["ratios"]),
            kernel_size=seanet["kernel_size"],
            last_kernel_size=seanet["last_kernel_size"],
            residual_kernel_size=seanet["residual_kernel_size"],
            dilation_growth_rate=seanet["dilation_base"],
            num_residual_layers=seanet["n_residual_layers"],
            compress=seanet["compress"],
            num_lstm_layers=seanet["lstm"],
            causal=encodec["causal"],
            shortcut=not seanet["true_skip"],
            mirrored=seanet["pad_mode"] == "reflect",
            latent_dim=seanet["dimension"],
            num_codebooks=rvq["n_q"],
            cardinality=rvq["bins"],
            sample_rate=values["sample_rate"],
        )
    except (KeyError, TypeError) as error:
        raise PublishedError(f"its configuration is not a compression model's ({error})") from error


def _refuse(*, norm: str, padding: str, normalized: bool, audio_channels: int, trim: float) -> None:
    """Refuse properties that a stream of one channel cannot have."""
    if norm != "weight_norm":
        raise PublishedError(f"its layers are normalized over the whole sound ({norm}): it cannot be streamed")
    if normalized:
        raise PublishedError("it scales sound by the loudness of whole pieces: it cannot be streamed")
    if padding not in ("reflect", "constant"):
        raise PublishedError(f"its padding {padding!r} is unknown; reflect and constant are")
    if audio_channels != 1:
        raise PublishedError(f"it takes {audio_channels} channels at once; codecs of one channel are used here")
    if trim != 1.0:
        raise PublishedError(f"trim_right_ratio {trim}: only 1 is used here")


def _with_books(config: EncodecConfig, books: int) -> EncodecConfig:
    return EncodecConfig.from_dict(config.as_dict() | {"num_codebooks": books})


def codec_tensors(tensors: Mapping[str, Tensor], num_codebooks: int) -> dict[str, Tensor]:
    """A published codec's tensors, of either layout, as `models.codec.encodec.Encodec` names them, in fp32.

    Args:
        tensors: of an `EncodecModel`, of a MusicGen model with one in it, or of audiocraft's compression model.
        num_codebooks: how many of the codebooks are used; published codecs for several bit rates have more.

    Raises:
        PublishedError: when a tensor is missing.
    """
    inner = "audio_encoder."
    if any(name.startswith(inner) for name in tensors):
        tensors = {name.removeprefix(inner): value for name, value in tensors.items() if name.startswith(inner)}
    renamed: dict[str, Tensor] = {}
    books: dict[int, Tensor] = {}
    for name, value in tensors.items():
        half, _, rest = name.partition(".")
        if half == "quantizer":
            if rest.endswith(("codebook.embed", "_codebook.embed")):
                books[int(next(part for part in rest.split(".") if part.isdigit()))] = value.float()
            continue
        if half not in ("encoder", "decoder"):
            continue
        plain = rest.replace("conv.conv.", "conv.").replace("convtr.convtr.", "conv.")
        renamed[f"{half}.layers.{plain.partition('.')[2]}"] = value.float()
    out = _merge_weight_norm(renamed)
    missing = [number for number in range(num_codebooks) if number not in books]
    if missing or not out:
        raise PublishedError(f"codebook {missing[0]} is missing" if missing else "it has no encoder and decoder")
    out["quantizer.codebooks"] = torch.stack([books[number] for number in range(num_codebooks)])
    return out


def _merge_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Multiply directions by lengths; there is one length for each row of the first dimension."""
    out: dict[str, Tensor] = {}
    for name, value in tensors.items():
        for length, direction in _PAIRS:
            if name.endswith(direction):
                lengths = tensors.get(name.removesuffix(direction) + length)
                if lengths is None:
                    raise PublishedError(f"tensor {name.removesuffix(direction) + length} is missing")
                norm = value.flatten(1).norm(dim=1).reshape(-1, *[1] * (value.ndim - 1))
                out[name.removesuffix(direction) + ".weight"] = value * (lengths / norm)
                break
            if name.endswith(length):
                break
        else:
            out[name] = value
    return out
