"""The torch runtime: a bundle's networks in torch, a tick at a time, on the GPU if there is one, else on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from engines.bundles import InvalidBundleError, find_bundle, network_entry, read_file, weights_of
from engines.contract import Array, Engine, EngineSpec
from engines.ticking import engine_of
from models.ticks import Tick, tick_of
from models.weights import WeightsError, network_from

WARM_UP = 3
"""Ticks that are run before one is captured: libraries choose their kernels and allocate in them."""


class TorchRunner:
    """One network's tick; inputs and state are tensors on the device that are made once and written in place.

    On a GPU a tick is captured as a CUDA graph at the first run and replayed from then on: one launch, whatever the
    number of its kernels.

    Args:
        tick: the module.
        device: where it runs.
    """

    def __init__(self, tick: Tick, device: torch.device) -> None:
        self._tick = tick.to(device)
        self._device = device
        self._inputs = {spec.name: torch.zeros(spec.shape, dtype=spec.dtype, device=device) for spec in tick.inputs}
        self._zero = self._tick.init_state()
        self._state = tuple(tensor.clone() for tensor in self._zero)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output = torch.empty(0)

    @torch.inference_mode()
    def reset(self) -> None:
        """Back to the initial state."""
        for own, zero in zip(self._state, self._zero, strict=True):
            own.copy_(zero)

    def state(self) -> list[Array]:
        """The state as it is now."""
        return [tensor.cpu().numpy().copy() for tensor in self._state]

    @torch.inference_mode()
    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output."""
        for name, own in self._inputs.items():
            own.copy_(torch.from_numpy(np.ascontiguousarray(inputs[name])))
        if self._device.type != "cuda":
            self._output = self._compute()
        else:
            if self._graph is None:
                self._capture()
            assert self._graph is not None
            self._graph.replay()
        found: Array = self._output.cpu().numpy()
        return found

    def _compute(self) -> torch.Tensor:
        output, *after = self._tick(*self._inputs.values(), *self._state)
        for own, new in zip(self._state, after, strict=True):
            own.copy_(new)
        found: torch.Tensor = output
        return found

    def _capture(self) -> None:
        """Record a tick; what running it warm did to the state is undone."""
        before = [tensor.clone() for tensor in self._state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._compute()
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = self._compute()
        for own, old in zip(self._state, before, strict=True):
            own.copy_(old)


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
