"""The torch runtime: a bundle's networks in torch, a tick at a time, on the GPU if there is one, else on the CPU."""

from __future__ import annotations

import torch

from engines.bundles import InvalidBundleError, find_bundle, network_entry, read_file, weights_of
from engines.contract import Array, Engine, EngineSpec
from engines.ticking import engine_of
from models.ticks import Tick, tick_of
from models.weights import WeightsError, network_from


class TorchRunner:
    """One network's tick, its state kept as tensors on the device.

    Args:
        tick: the module.
        device: where it runs.
    """

    def __init__(self, tick: Tick, device: torch.device) -> None:
        self._tick = tick.to(device)
        self._device = device
        self._types = {spec.name: spec.dtype for spec in tick.inputs}
        self.reset()

    def reset(self) -> None:
        """Back to the initial state."""
        self._state = self._tick.init_state()

    def state(self) -> list[Array]:
        """The state as it is now."""
        return [tensor.cpu().numpy() for tensor in self._state]

    @torch.inference_mode()
    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output."""
        tensors = [torch.tensor(inputs[name], dtype=kind, device=self._device) for name, kind in self._types.items()]
        output, *state = self._tick(*tensors, *self._state)
        self._state = tuple(state)
        found: Array = output.cpu().numpy()
        return found


def open_engine(network: str, *, bundle: str, seed: int = 0) -> Engine:
    """Open one network of a bundle.

    Raises:
        EngineError: when the bundle cannot be used.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)  # the show has many processes
    folder = find_bundle(bundle)
    weights = weights_of(folder, network)
    entry = network_entry(folder, weights)
    try:
        module = network_from(weights, entry.get("config", {}), read_file(folder, entry))
    except WeightsError as error:
        raise InvalidBundleError(str(error), folder / str(entry.get("file")), "restore the bundle") from error
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    tick = tick_of(network, module)
    config = dict(entry.get("config", {}))
    spec = EngineSpec(network, "torch", name, latency_samples=tick.latency_samples, config=config)
    return engine_of(network, TorchRunner(tick, device), spec, seed)


def missing() -> str:
    """Why this runtime cannot be used here, or ""."""
    return ""
