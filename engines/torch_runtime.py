"""The torch runtime: loads a bundle's networks and runs them a tick at a time, their streaming state kept here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engines.contract import Array, Engine, EngineError, EngineSpec
from models.bundle import InvalidBundleError, find_bundle, load_network
from models.codec import Codec
from models.streaming import State
from models.translator import Seen, Translator


def available() -> str:
    """Why this runtime cannot be used, or ""."""
    return ""


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


class EmbeddingEngine:
    """The visual front-end; no state."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._network = network.to(device)
        self.spec = EngineSpec("embedding", "torch", _name(device), config=network.config.as_dict())  # type: ignore[union-attr,operator]

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """image: uint8 [128, 128, 3] BGR -> embedding: float32 [128]."""
        image = torch.from_numpy(np.ascontiguousarray(inputs["image"])).to(self._device)
        return {"embedding": self._network(image[None])[0].cpu().numpy()}

    def reset(self) -> None:
        """Nothing to forget."""


class TranslatorEngine:
    """The translator with its windows, its last codes and its source of chance."""

    def __init__(self, network: Translator, device: torch.device, seed: int) -> None:
        self._device = device
        self._network = network.to(device)
        self._seed = seed
        self.spec = EngineSpec("translator", "torch", _name(device), config=network.config.as_dict())
        self.reset()

    def reset(self) -> None:
        """Forget the past; chance starts again at the seed."""
        config = self._network.config
        self._state: State = self._network.init_state(1)
        self._previous = torch.zeros(1, 1, config.num_codebooks, config.frames, dtype=torch.int64, device=self._device)
        self._known = torch.zeros(1, 1, device=self._device)
        self._rng = np.random.default_rng(self._seed)

    def _row(self, value: np.ndarray | float, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.as_tensor(value, dtype=dtype, device=self._device)[None, None]

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.contract.NETWORKS`."""
        net = self._network
        seen = Seen(
            flow=self._row(inputs["flow"]),
            speed=self._row(inputs["speed"]),
            embedding=self._row(inputs["embedding"]),
            age_s=self._row(inputs["age_s"]),
            time_s=self._row(inputs["time_s"], torch.float64),
            anticipation_s=self._row(inputs["anticipation_s"]),
        )
        context, self._state = net.step(self._previous, self._known, seen, self._state)
        uniforms = self._rng.random((1, net.config.codes_per_tick), dtype=np.float32)
        heat = torch.tensor([[max(1e-3, float(inputs["temperature"]))]], device=self._device)
        flat = net.depth.sample(context[:, 0], net.codebooks, torch.from_numpy(uniforms).to(self._device), heat)
        codes = net.from_emission_order(flat)
        self._previous = codes[:, None]
        self._known = torch.ones_like(self._known)
        return {"codes": codes[0].to(torch.int16).cpu().numpy()}


class EncoderEngine:
    """Sound to codes, a tick at a time."""

    def __init__(self, codec: Codec, device: torch.device) -> None:
        self._device = device
        self._codec = codec.to(device)
        self.spec = EngineSpec("encoder", "torch", _name(device), config=codec.config.as_dict())
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state: State = self._codec.encoder.init_state(1)

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """pcm: float32 [1280] -> codes: int16 [4, 2]."""
        pcm = torch.as_tensor(inputs["pcm"], dtype=torch.float32, device=self._device)[None, None]
        latents, self._state = self._codec.encoder.step(pcm, self._state)
        return {"codes": self._codec.quantizer.encode(latents)[0].to(torch.int16).cpu().numpy()}


class DecoderEngine:
    """Codes to sound, a tick at a time."""

    def __init__(self, codec: Codec, device: torch.device) -> None:
        self._device = device
        self._codec = codec.to(device)
        self.spec = EngineSpec("decoder", "torch", _name(device), config=codec.config.as_dict())
        self.reset()

    def reset(self) -> None:
        """Forget what was played."""
        self._state: State = self._codec.decoder.init_state(1)

    @torch.inference_mode()
    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """codes: int16 [4, 2] -> pcm: float32 [1280]."""
        codes = torch.as_tensor(inputs["codes"], dtype=torch.int64, device=self._device)[None]
        sound, self._state = self._codec.decoder.step(self._codec.quantizer.decode(codes), self._state)
        return {"pcm": sound[0, 0].cpu().numpy()}


def open_engine(network: str, *, bundle: str, seed: int = 0) -> Engine:
    """Open one network of a bundle on the GPU if there is one, else the CPU (one thread: the show has many processes).

    Raises:
        EngineError: when the bundle cannot be used.
    """
    device = _device()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        folder: Path = find_bundle(bundle)
        module = load_network(folder, "codec" if network in ("encoder", "decoder") else network)
    except InvalidBundleError as error:
        raise EngineError(str(error)) from error
    if isinstance(module, Translator):
        return TranslatorEngine(module, device, seed)
    if isinstance(module, Codec):
        return EncoderEngine(module, device) if network == "encoder" else DecoderEngine(module, device)
    return EmbeddingEngine(module, device)
