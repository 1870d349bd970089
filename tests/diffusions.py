"""SD-Turbo in its own layout and architecture for tests, narrow: four levels, a tiny autoencoder, a reader of words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

UNET: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "norm_num_groups": 32,
}
"""SD-Turbo's."""
NARROW = UNET | {
    "sample_size": 8,
    "block_out_channels": (8, 16, 16, 16),
    "attention_head_dim": (1, 2, 2, 2),
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
}
SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "trailing",
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def tokenizer(folder: Path) -> CLIPTokenizer:
    """Reads letters."""
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def published(folder: Path, *, half: bool = False, prediction: str = "epsilon") -> tuple[Path, Path]:
    """The folders of a network and of an autoencoder, as the hub has them."""
    torch.manual_seed(0)
    network, autoencoder = folder / "turbo", folder / "taesd"
    variant = "fp16" if half else None
    UNet2DConditionModel(**NARROW).save_pretrained(network / "unet", variant=variant)
    EulerDiscreteScheduler(**SCHEDULE | {"prediction_type": prediction}).save_pretrained(network / "scheduler")
    reader = tokenizer(folder / "letters")
    reader.save_pretrained(network / "tokenizer")
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": reader.bos_token_id, "eos_token_id": reader.eos_token_id}
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(reader), projection_dim=16, **size, **ends))
    text.save_pretrained(network / "text_encoder", variant=variant)
    thin = (8, 8, 8, 8)
    AutoencoderTiny(encoder_block_out_channels=thin, decoder_block_out_channels=thin).save_pretrained(autoencoder)
    (network / "README.md").write_text("---\nlicense: other\n---\n")
    (autoencoder / "README.md").write_text("---\nlicense: mit\n---\n")
    return network, autoencoder


def pipeline(network: Path, autoencoder: Path) -> StableDiffusionImg2ImgPipeline:
    """Diffusers' own."""
    return StableDiffusionImg2ImgPipeline(
        vae=AutoencoderTiny.from_pretrained(autoencoder),
        text_encoder=CLIPTextModel.from_pretrained(network / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(network / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(network / "unet"),
        scheduler=EulerDiscreteScheduler.from_pretrained(network / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
