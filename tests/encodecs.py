"""Seeded EnCodec models as Transformers makes them, and the same ones in audiocraft's names, for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import EncodecConfig, EncodecModel

SIZES: dict[str, Any] = {
    "upsampling_ratios": [8, 5, 4, 4],
    "num_filters": 2,
    "hidden_size": 8,
    "codebook_dim": 8,
    "codebook_size": 2048,
    "sampling_rate": 32_000,
    "target_bandwidths": [2.2],
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}


def seeded(sizes: dict[str, Any]) -> EncodecModel:
    """A model of these sizes with codebooks that differ."""
    torch.manual_seed(0)
    model = EncodecModel(EncodecConfig(**sizes)).eval()
    for layer in model.quantizer.layers:
        layer.codebook.embed.copy_(torch.randn_like(layer.codebook.embed))
    return model


def theirs() -> EncodecModel:
    """A small one of the published shape."""
    return seeded(SIZES)


def as_audiocraft(model: EncodecModel) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The same model's tensors and configuration as audiocraft names them."""
    config = model.config
    tensors = {}
    for name, value in model.state_dict().items():
        name = name.replace(".parametrizations.weight.original0", ".weight_g")
        name = name.replace(".parametrizations.weight.original1", ".weight_v")
        half, _, rest = name.partition(".layers.")
        if half == "quantizer":
            number, _, last = rest.partition(".codebook.")
            tensors[f"quantizer.vq.layers.{number}._codebook.{last}"] = value
            continue
        transposed = half == "decoder" and rest.split(".")[0] in ("3", "6", "9", "12")
        inner = "convtr.convtr." if transposed else "conv.conv."
        tensors[f"{half}.model.{rest}".replace("conv.", inner)] = value
    seanet = {
        "dimension": config.hidden_size,
        "n_filters": config.num_filters,
        "n_residual_layers": 1,
        "ratios": list(config.upsampling_ratios),
        "activation": "ELU",
        "norm": "weight_norm",
        "kernel_size": 7,
        "residual_kernel_size": 3,
        "last_kernel_size": 7,
        "dilation_base": 2,
        "pad_mode": config.pad_mode,
        "true_skip": True,
        "compress": 2,
        "lstm": 2,
        "disable_norm_outer_blocks": 0,
        "decoder": {"trim_right_ratio": 1.0},
    }
    encodec = {"quantizer": "rvq", "causal": False, "renormalize": False}
    rvq = {"n_q": len(model.quantizer.layers), "bins": config.codebook_size}
    return tensors, {"sample_rate": 32_000, "channels": 1, "seanet": seanet, "encodec": encodec, "rvq": rvq}
