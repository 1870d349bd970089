"""The torch runtime: a bundle's networks in torch, a tick at a time, on the GPU if there is one, else on the CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from engines.artifacts import artifact_entry
from engines.bundles import InvalidBundleError, network_entry, read_file, weights_of
from engines.contract import Array, EngineError, EngineSpec, peak
from engines.network_row import resolve
from engines.networks import NETWORKS, all_weights
from models.tick_modules import TickModule as TickModule  # the other runtime that runs on torch takes it from here
from models.weights import WeightsError, network_from

WARM_UP = 3
"""Ticks that run before one is captured: in them libraries choose their kernels and allocate memory."""
LOWER_PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


class TorchRunner:
    """One network's tick; inputs and state are tensors on the device, allocated once and written in place.

    On a GPU a tick is captured as a CUDA graph at the first run and replayed from then on: one launch, whatever the
    number of its kernels.

    Args:
        tick: the module.
        device: where it runs.
        precision: "fp32"; "fp16" or "bf16" for products and convolutions in it. Weights, sums and the state stay in
            single precision, so that any runtime can continue from the state.
        compiled: whether torch.compile fuses the kernels, which takes a while at the first run.

    Raises:
        EngineError: when the device has no memory for it.
    """

    def __init__(
        self, tick: TickModule, device: torch.device, precision: str = "fp32", *, compiled: bool = False
    ) -> None:
        self._device, self._lower = device, LOWER_PRECISIONS.get(precision)
        with device_errors(device):
            self._tick: Any = tick.to(device)
            self._zero = tick.init_state()
            self._state = tuple(tensor.clone() for tensor in self._zero)
            self._sizes = [tensor.nbytes for tensor in self._zero]
            self._inputs = {spec.name: torch.zeros(spec.shape, dtype=spec.dtype, device=device) for spec in tick.inputs}
        if compiled:
            # The traced tick is compiled: plain operations, independent of the module's Python code.
            with torch.no_grad(), self._autocast():
                graph = make_fx(tick)(*self._inputs.values(), *self._state)
            self._tick = torch.compile(graph, fullgraph=True, dynamic=False)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output = torch.empty(0)

    @torch.inference_mode()
    def reset(self) -> None:
        """Back to the initial state."""
        for own, zero in zip(self._state, self._zero, strict=True):
            own.copy_(zero)

    def state(self) -> list[Array]:
        """The state as it is now, copied."""
        with device_errors(self._device):
            return [tensor.cpu().numpy().copy() for tensor in self._state]

    def state_sizes(self) -> Sequence[int]:
        """Bytes of each tensor of the state."""
        return self._sizes

    @torch.inference_mode()
    def state_peak(self, index: int) -> float:
        """The largest absolute value of one tensor of the state; NaN where an element is NaN."""
        with device_errors(self._device):
            own = self._state[index]
            if own.device.type == "cpu":
                return peak(own.numpy())
            return float(own.abs().max()) if own.numel() else 0.0

    @torch.inference_mode()
    def load(self, state: Sequence[Array]) -> None:
        """Continue from another runner's state."""
        for own, new in zip(self._state, state, strict=True):
            own.copy_(torch.from_numpy(np.ascontiguousarray(new)))

    def blank(self) -> dict[str, Array]:
        """Inputs of zeros."""
        return {name: np.zeros(own.shape, own.cpu().numpy().dtype) for name, own in self._inputs.items()}

    @torch.inference_mode()
    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output.

        Raises:
            EngineError: when the device has no memory for it.
        """
        with device_errors(self._device):
            for name, own in self._inputs.items():
                own.copy_(torch.from_numpy(np.ascontiguousarray(inputs[name])))
            if self._device.type != "cuda":
                self._output = self._compute()
            else:
                if self._graph is None:
                    self._capture()
                assert self._graph is not None
                self._graph.replay()
            output: Array = self._output.cpu().numpy()
        return output

    def _autocast(self) -> contextlib.AbstractContextManager[None]:
        lower = self._lower
        return contextlib.nullcontext() if lower is None else torch.autocast(self._device.type, lower)

    def _compute(self) -> torch.Tensor:
        with self._autocast():
            output, *after = self._tick(*self._inputs.values(), *self._state)
        for own, new in zip(self._state, after, strict=True):
            own.copy_(new)
        result: torch.Tensor = output.float() if output.is_floating_point() else output
        return result

    def _capture(self) -> None:
        """Capture a tick as a CUDA graph; the warm-up's changes to the state are undone."""
        before = [tensor.clone() for tensor in self._state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._compute()
        torch.cuda.current_stream().wait_stream(aside)
        for own, old in zip(self._state, before, strict=True):
            own.copy_(old)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile: the engine that will take over is built in one.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._output = self._compute()


@contextlib.contextmanager
def device_errors(device: torch.device) -> Iterator[None]:
    """Turn a device's errors into one line.

    Raises:
        EngineError: for a full memory or another error of the device.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineError(f"the memory of {name_of(device)} is full; close what else uses it") from error
    except torch.AcceleratorError as error:
        raise EngineError(f"{name_of(device)} cannot go on ({str(error).splitlines()[0][:200]})") from error


def name_of(device: torch.device) -> str:
    """A device's name in a spec."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def device_for(device_name: str = "auto", threads: int = 1) -> torch.device:
    """The GPU if there is one, unless "cpu" is requested; on the CPU, set the number of this process's threads."""
    device = torch.device("cuda" if device_name != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(threads)
    else:
        torch.backends.cudnn.allow_tf32 = False  # its error is 1e-3; for speed there are the lower precisions
    return device


def make_tick(network: str, module: nn.Module) -> TickModule:
    """A network's tick around its module, in evaluation mode."""
    tick: TickModule = resolve(NETWORKS[network].tick)(module)
    return tick.eval()


def load_tick(network: str, folder: Path) -> TickModule:
    """A network's tick with its weights, on the CPU.

    Raises:
        EngineError: when the bundle cannot be used.
    """
    weights = weights_of(folder, network)
    entry = network_entry(folder, weights)
    try:
        build = resolve(all_weights()[weights].build)
        module = network_from(weights, build, entry.get("config", {}), read_file(folder, entry))
    except WeightsError as error:
        raise InvalidBundleError(str(error), folder / str(entry.get("file")), "restore the bundle") from error
    return make_tick(network, module)


def open_runner(network: str, folder: Path, device: str = "auto", threads: int = 1) -> tuple[TorchRunner, EngineSpec]:
    """Open one network of a bundle.

    Args:
        network: one of `NETWORKS`.
        folder: the bundle's.
        device: "auto", or "cpu".
        threads: CPU threads that share a tick's work.

    Raises:
        EngineError: when the bundle cannot be used, or the device has no memory for it.
    """
    place = device_for(device, threads)
    tick = load_tick(network, folder)
    config = dict(network_entry(folder, weights_of(folder, network)).get("config", {}))
    entry = (artifact_entry(folder, "torch", network) or {}) if device == "auto" else {}
    precision, compiled = str(entry.get("precision", "fp32")), bool(entry.get("compiled"))
    spec = EngineSpec(network, "torch", name_of(place), precision, tick.latency_samples, config)
    return TorchRunner(tick, place, precision, compiled=compiled), spec
