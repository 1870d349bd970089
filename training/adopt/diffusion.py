"""Puts a published latent-diffusion network (such as SD-Turbo) and a tiny autoencoder into a bundle as its painter.

    python -m training.adopt picture stabilityai/sd-turbo --prompt "a charcoal drawing" --out BUNDLE

Weights are read in diffusers' own layout, from the hub or a folder. The prompt is embedded once, here: the bundle has
the embedding, the two networks and the schedule, each file under its hash, and no text encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from engines.runtimes.diffusers_runtime import PROMPT, SCHEDULER, DiffusionPainter
from models.codec.published_codecs import PublishedError
from training.adopt.licences import CARD, licence_of, require_acceptance
from training.adopt.model_hub import fetch
from training.bundling import write_ready

WEIGHTS = ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors")
"""Names of the weights in a diffusers folder, in order of preference."""
FILE_PATTERNS = (
    *("unet/config.json", f"unet/{WEIGHTS[0]}", "scheduler/*.json"),
    *("text_encoder/config.json", "text_encoder/model.fp16.safetensors", "tokenizer/*", CARD),
)


@dataclass(frozen=True)
class DiffusionSettings:
    """What the painter paints: the prompt, the autoencoder, and the side of its squares in pixels."""

    prompt: str
    autoencoder: str
    side: int = 512


def files_of(source: str, settings: DiffusionSettings, offline: bool) -> tuple[Path, Path, dict[str, bytes | Path]]:
    """The folders of the network and its autoencoder, and the bundle's files: name in the bundle -> content or path.

    Raises:
        PublishedError: when something is missing.
    """
    folder = fetch(source, offline, FILE_PATTERNS)
    autoencoder = fetch(settings.autoencoder, offline, ("config.json", WEIGHTS[1], CARD))
    files: dict[str, bytes | Path] = {}
    for part, where in (("unet", folder / "unet"), ("autoencoder", autoencoder)):
        weights = next((where / name for name in WEIGHTS if (where / name).is_file()), None)
        if weights is None or not (where / "config.json").is_file():
            raise PublishedError(f"{where} lacks config.json or {WEIGHTS[1]}; weights must be safetensors")
        files |= {f"diffusion/{part}/config.json": where / "config.json", f"diffusion/{part}/{WEIGHTS[1]}": weights}
    schedule = folder / SCHEDULER
    if not schedule.is_file():
        raise PublishedError(f"{folder} lacks {SCHEDULER}; name a folder in the layout of diffusers")
    return folder, autoencoder, files | {f"diffusion/{SCHEDULER}": schedule}


@torch.inference_mode()
def prompt_embedding(folder: Path, prompt: str) -> Tensor:
    """The prompt's embedding by the network's own text encoder: float32 [1, L, W].

    Raises:
        PublishedError: when there is no text encoder, or it cannot be read.
    """
    try:
        from transformers import CLIPTextModel, CLIPTokenizer
    except ImportError as error:
        raise PublishedError('the prompt needs Transformers: pip install -e ".[diffusers]"') from error
    half = not (folder / "text_encoder" / "model.safetensors").is_file()
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
        encoder = CLIPTextModel.from_pretrained(
            str(folder / "text_encoder"),
            local_files_only=True,
            use_safetensors=True,
            variant="fp16" if half else None,
            dtype=torch.float32,
        )
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        line = " ".join(str(error).split())[:160]
        raise PublishedError(f"{folder}: its text_encoder and tokenizer cannot be read ({line})") from error
    length = tokenizer.model_max_length
    token_batch = tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    words: Tensor = encoder.eval()(token_batch.input_ids)[0]
    return words.float().contiguous()


def adopt_picture(source: str, settings: DiffusionSettings, out: Path, *, offline: bool, accepted: bool) -> list[str]:
    """Put a diffusion network into a bundle as its painter; returns lines for the user.

    Raises:
        PublishedError: when it cannot be used, or its licence is not accepted.
        EngineError: when what was written cannot be opened.
    """
    if settings.side % 64 or settings.side < 64:
        raise PublishedError(f"--side {settings.side}: use a multiple of 64, for example 512")
    folder, autoencoder, files = files_of(source, settings, offline)
    licences = {source: licence_of(source, folder), settings.autoencoder: licence_of(settings.autoencoder, autoencoder)}
    for name, licence in licences.items():
        require_acceptance(name, licence, accepted)
    files[f"diffusion/{PROMPT}"] = save({"prompt": prompt_embedding(folder, settings.prompt)})
    config: dict[str, Any] = {"side": settings.side, "colours": 1.0, "prompt": settings.prompt}
    training = {"adopted": source, "licence": licences[source], "autoencoder": settings.autoencoder}
    write_ready(out, "diffusion", files, config, training)
    DiffusionPainter(out / "diffusion", config, torch.device("cpu"))
    return [
        f"written: {out}; it paints {settings.prompt!r} in squares of {settings.side} pixels",
        "with a GPU it is this bundle's painter; without one, only if the bundle has no other painter",
    ]
