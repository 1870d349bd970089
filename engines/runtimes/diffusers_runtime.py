"""The painter as latent diffusion: one step from the moved picture, through diffusers (SD-Turbo and the like).

How much noise is mixed in follows from `imagination`: the step goes from that noise level straight to the picture
(Sauer et al. 2023, "Adversarial Diffusion Distillation"). What is painted gets the prior image's colours: mean and
spread of each latent channel. The words were made an embedding when the network was adopted: no text is read live.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from engines.bundles import InvalidBundleError, find_bundle, network_entry, verified_files
from engines.contract import Array, EngineError, EngineSpec

PROMPT = "prompt.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"
MAX_SCHEDULE_SHARE = 0.75
"""Part of the schedule that full imagination goes back; from more on nothing of the moved picture is left."""


class DiffusionPainter:
    """What is to be added to a moved picture, by one step of a latent diffusion network; no state.

    Args:
        folder: with the parts, in diffusers' layout.
        config: `side` of the square pictures in pixels, `colours`: 0 to 1, how far the prior's colours are kept.
        device: where it runs; in half precision on a GPU.
    """

    def __init__(self, folder: Path, config: dict[str, Any], device: torch.device) -> None:
        library = _diffusers()
        gpu = device.type == "cuda"
        kind = torch.float16 if gpu else torch.float32
        how = {"local_files_only": True, "use_safetensors": True, "torch_dtype": kind}
        try:
            unet = library.UNet2DConditionModel.from_pretrained(str(folder / "unet"), **how)
            autoencoder = library.AutoencoderTiny.from_pretrained(str(folder / "autoencoder"), **how)
            scheduler = library.EulerDiscreteScheduler.from_pretrained(str(folder / "scheduler"))
            words = load((folder / PROMPT).read_bytes())["prompt"]
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise EngineError(f"diffusers cannot read it ({' '.join(str(error).split())[:160]})") from error
        self.unet = unet.to(device).eval().requires_grad_(False)
        self._autoencoder = autoencoder.to(device).eval().requires_grad_(False)
        self.words = words.to(device, kind)
        self._kept = scheduler.alphas_cumprod.to(device, torch.float32)
        self._velocity = scheduler.config.prediction_type == "v_prediction"
        self._device, self._kind = device, kind
        self._side, self._colours = int(config.get("side", 512)), float(config.get("colours", 1.0))
        shape = [int(autoencoder.config.latent_channels), *[self._side // 8] * 2]
        name = torch.cuda.get_device_name(device) if gpu else "cpu"
        told = {**config, "side": self._side, "noise": shape, "similar": True}
        self.spec = EngineSpec("painter", "diffusers", name, "fp16" if gpu else "fp32", config=told)

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """warped, prior: uint8 [S, S, 3] BGR, imagination, noise: float32 [4, S/8, S/8] -> change: float32 [S, S, 3].

        What else a painter is told is not used.
        """
        warped, prior = (self._picture(inputs[name]) for name in ("warped", "prior"))
        noise = torch.from_numpy(np.ascontiguousarray(inputs["noise"], np.float32)).to(self._device)[None]
        latent = self.imagined(self._encoded(warped), noise, self.level(float(inputs["imagination"])))
        if self._colours:
            latent = torch.lerp(latent, match_colours(latent, self._encoded(prior)), self._colours)
        painted = self._decoded(latent).clamp(-1.0, 1.0)
        change = 127.5 * (painted - warped)[0].permute(1, 2, 0).flip(2)
        return {"change": np.ascontiguousarray(change.cpu().numpy(), np.float32)}

    def level(self, imagination: float) -> int:
        """The step of the schedule that an imagination goes back to; the higher, the more noise."""
        part = MAX_SCHEDULE_SHARE * min(1.0, max(0.0, imagination))
        return max(1, round(part * len(self._kept))) - 1

    def imagined(self, latent: Tensor, noise: Tensor, level: int) -> Tensor:
        """A latent [1, 4, h, w] with noise mixed in at a level, and taken out again in one step."""
        kept = self._kept[level]
        sigma = ((1.0 - kept) / kept).sqrt()
        noised = latent + noise * sigma
        scaled = noised / (sigma**2 + 1.0).sqrt()
        when = torch.tensor([level], device=self._device)
        said = self.unet(scaled.to(self._kind), when, encoder_hidden_states=self.words).sample.float()
        if self._velocity:
            clean: Tensor = noised / (sigma**2 + 1.0) - said * sigma / (sigma**2 + 1.0).sqrt()
        else:
            clean = noised - sigma * said
        return clean

    def reset(self) -> None:
        """Nothing to forget."""

    def _picture(self, image: np.ndarray | float) -> Tensor:
        """BGR bytes as [1, 3, S, S] RGB, -1 to 1."""
        x = torch.from_numpy(np.ascontiguousarray(image, np.uint8)).to(self._device)
        return x.permute(2, 0, 1).flip(0)[None].float() / 127.5 - 1.0

    def _encoded(self, picture: Tensor) -> Tensor:
        found: Tensor = self._autoencoder.encode(picture.to(self._kind)).latents.float()
        return found * float(self._autoencoder.config.scaling_factor)

    def _decoded(self, latent: Tensor) -> Tensor:
        given = latent / float(self._autoencoder.config.scaling_factor)
        found: Tensor = self._autoencoder.decode(given.to(self._kind)).sample.float()
        return found


def match_colours(latent: Tensor, like: Tensor) -> Tensor:
    """A latent with another's mean and spread in each channel (Huang and Belongie 2017)."""
    dims = (2, 3)
    spread = latent.std(dims, keepdim=True).clamp_min(1e-4)
    plain = (latent - latent.mean(dims, keepdim=True)) / spread
    return plain * like.std(dims, keepdim=True) + like.mean(dims, keepdim=True)


def gpu_here() -> bool:
    """Whether torch has a GPU to run it on."""
    return torch.cuda.is_available()


def open_painter(bundle: str, backend: str = "auto") -> DiffusionPainter:
    """The diffusion network of a bundle, after every one of its files has been checked.

    Args:
        bundle: its name or folder.
        backend: not looked at: it runs in torch.

    Raises:
        EngineError: when it cannot be trusted or run.
    """
    folder = find_bundle(bundle)
    entry = network_entry(folder, "diffusion")
    verified_files(folder, entry)
    device = torch.device("cuda" if gpu_here() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)  # the show has many processes
    try:
        return DiffusionPainter(folder / "diffusion", entry.get("config", {}), device)
    except EngineError as error:
        fix = f"adopt it again: python -m training.adopt picture OWNER/NAME --out {folder}"
        raise InvalidBundleError(str(error), folder / "diffusion", fix) from error


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as error:
        raise EngineError("this painter needs diffusers: pip install 'antiphon[diffusers]'") from error
    return diffusers
