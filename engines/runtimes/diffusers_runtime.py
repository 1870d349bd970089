"""The painter as latent diffusion: one step from the warped picture, through diffusers (SD-Turbo and the like).

`imagination` sets how much noise is mixed in; the step goes from that noise level straight to the picture (Sauer et al.
2023, "Adversarial Diffusion Distillation"). The result gets the prior image's colours: mean and spread of each latent
channel. The prompt was encoded when the network was adopted: no text is read in a show.
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
"""Share of the noise schedule that full imagination goes back; beyond it nothing of the warped picture is left."""


class DiffusionPainter:
    """The change to add to a warped picture, by one step of a latent diffusion network; no state.

    Args:
        folder: with the parts, in diffusers' layout.
        config: `side` of the square pictures in pixels, `colours`: 0 to 1, the weight of the prior image's colours.
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
        self._signal_shares = scheduler.alphas_cumprod.to(device, torch.float32)
        self._velocity = scheduler.config.prediction_type == "v_prediction"
        self._device, self._kind = device, kind
        self._side, self._colours = int(config.get("side", 512)), float(config.get("colours", 1.0))
        shape = [int(autoencoder.config.latent_channels), *[self._side // 8] * 2]
        name = torch.cuda.get_device_name(device) if gpu else "cpu"
        spec_config = {**config, "side": self._side, "noise": shape, "similar": True}
        self.spec = EngineSpec("painter", "diffusers", name, "fp16" if gpu else "fp32", config=spec_config)

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """warped, prior: uint8 [S, S, 3] BGR, imagination, noise: float32 [4, S/8, S/8] -> change: float32 [S, S, 3].

        The painter's other inputs are not used.
        """
        warped, prior = (self._picture(inputs[name]) for name in ("warped", "prior"))
        noise = torch.from_numpy(np.ascontiguousarray(inputs["noise"], np.float32)).to(self._device)[None]
        latent = self.imagine(self._encode(warped), noise, self.level(float(inputs["imagination"])))
        if self._colours:
            latent = torch.lerp(latent, match_colours(latent, self._encode(prior)), self._colours)
        picture = self._decode(latent).clamp(-1.0, 1.0)
        change = 127.5 * (picture - warped)[0].permute(1, 2, 0).flip(2)
        return {"change": np.ascontiguousarray(change.cpu().numpy(), np.float32)}

    def level(self, imagination: float) -> int:
        """The step of the schedule that an imagination goes back to; the higher, the more noise."""
        part = MAX_SCHEDULE_SHARE * min(1.0, max(0.0, imagination))
        return max(1, round(part * len(self._signal_shares))) - 1

    def imagine(self, latent: Tensor, noise: Tensor, level: int) -> Tensor:
        """Mix noise into a latent [1, 4, h, w] at a level, and denoise it in one step."""
        signal_share = self._signal_shares[level]
        sigma = ((1.0 - signal_share) / signal_share).sqrt()
        noisy = latent + noise * sigma
        unet_input = noisy / (sigma**2 + 1.0).sqrt()
        when = torch.tensor([level], device=self._device)
        prediction = self.unet(unet_input.to(self._kind), when, encoder_hidden_states=self.words).sample.float()
        if self._velocity:
            clean: Tensor = noisy / (sigma**2 + 1.0) - prediction * sigma / (sigma**2 + 1.0).sqrt()
        else:
            clean = noisy - sigma * prediction
        return clean

    def reset(self) -> None:
        """Nothing to forget."""

    def _picture(self, image: np.ndarray | float) -> Tensor:
        """BGR bytes as [1, 3, S, S] RGB, -1 to 1."""
        x = torch.from_numpy(np.ascontiguousarray(image, np.uint8)).to(self._device)
        return x.permute(2, 0, 1).flip(0)[None].float() / 127.5 - 1.0

    def _encode(self, picture: Tensor) -> Tensor:
        latents: Tensor = self._autoencoder.encode(picture.to(self._kind)).latents.float()
        return latents * float(self._autoencoder.config.scaling_factor)

    def _decode(self, latent: Tensor) -> Tensor:
        latents = latent / float(self._autoencoder.config.scaling_factor)
        picture: Tensor = self._autoencoder.decode(latents.to(self._kind)).sample.float()
        return picture


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
        backend: not used: it runs in torch.

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
        raise EngineError('this painter needs diffusers: pip install -e ".[diffusers]"') from error
    return diffusers
