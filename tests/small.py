"""A bundle with nothing but a small, untrained, seeded codec, for tests."""

from __future__ import annotations

from pathlib import Path

import torch

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec
from training.bundling import write_network


def codec_config(cardinality: int = 8) -> CodecConfig:
    """Its sizes."""
    return CodecConfig(
        width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=4, cardinality=cardinality
    )


def small_bundle(folder: Path, cardinality: int = 8) -> Path:
    """Make it in a folder "mine" of this one; not exported."""
    torch.manual_seed(0)
    write_network(folder / "mine", "codec", Codec(codec_config(cardinality)), {"command": "none"})
    return folder / "mine"
