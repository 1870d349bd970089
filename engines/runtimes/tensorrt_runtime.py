"""The TensorRT runtime: plans that torch-tensorrt built on this machine for its GPU, a tick at a time.

A plan is a network's whole tick in TensorRT's own format: no pickle, no code. TensorRT runs it on torch's tensors and
in torch's stream, so a tick is captured and replayed as a CUDA graph like torch's own ticks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.artifacts import artifact_entry, read_artifact, rebuild_hint
from engines.bundles import InvalidBundleError, artifacts_of, network_entry, weights_of
from engines.contract import Array, EngineError, EngineSpec
from engines.runtimes.torch_runtime import TickModule, TorchRunner, device_for, load_tick, name_of


class PlanTick:
    """A plan in the place of a tick's module: the same inputs, state and output.

    Args:
        tick: the module that the plan was traced from.
        data: the plan.
        names: names of the plan's inputs, in the order of the tick's inputs and state, and of its outputs.
        device: the GPU.

    Raises:
        EngineError: when TensorRT does not accept it.
    """

    def __init__(self, tick: TickModule, data: bytes, names: dict[str, list[str]], device: torch.device) -> None:
        import tensorrt

        self.inputs, self._tick = tick.inputs, tick
        self._engine: Any = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR)).deserialize_cuda_engine(data)
        if self._engine is None:
            raise EngineError("TensorRT does not accept it")
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"the memory of {name_of(device)} is full; close what else uses it")
        tensor_names = {self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)}
        # The compiler leaves out an input that the outputs do not depend on.
        self._places = [(n, name) for n, name in enumerate(names["inputs"]) if name in tensor_names]
        if not set(names["outputs"]) <= tensor_names:
            raise EngineError("the plan has other outputs than its manifest says")
        self._names = names["outputs"]
        state = [tensor.to(device) for tensor in tick.init_state()]
        shape = tuple(self._engine.get_tensor_shape(self._names[0]))
        kind = torch.int64 if self._engine.get_tensor_dtype(self._names[0]) == tensorrt.int64 else torch.float32
        self._outputs = [torch.empty(shape, dtype=kind, device=device), *(torch.empty_like(one) for one in state)]
        self._device = device

    def to(self, device: torch.device) -> PlanTick:
        """Does nothing: the plan is on its device already."""
        return self

    def init_state(self) -> tuple[Tensor, ...]:
        """The state before the first tick."""
        return tuple(tensor.to(self._device) for tensor in self._tick.init_state())

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Inputs and state -> the output and the next state; queued in the current stream."""
        for place, name in self._places:
            self._context.set_tensor_address(name, tensors[place].data_ptr())
        for name, tensor in zip(self._names, self._outputs, strict=True):
            self._context.set_tensor_address(name, tensor.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream(self._device).cuda_stream):
            raise EngineError("TensorRT cannot go on")
        return tuple(self._outputs)


class PlanRunner(TorchRunner):
    """A plan's ticks; values in double precision are computed before each tick, outside the plan."""

    def __init__(self, tick: TickModule, plan: Any, device: torch.device) -> None:
        super().__init__(plan, device)
        self._whole = tick

    @torch.inference_mode()
    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output.

        Raises:
            EngineError: when the GPU has no memory for it.
        """
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in inputs.items()}
        return super().run({name: tensor.numpy() for name, tensor in self._whole.prepare(tensors).items()})

    def blank(self) -> dict[str, Array]:
        """Inputs of zeros."""
        return {spec.name: torch.zeros(spec.shape, dtype=spec.dtype).numpy() for spec in self._whole.inputs}


def open_runner(network: str, folder: Path, device: str = "auto", threads: int = 1) -> tuple[PlanRunner, EngineSpec]:
    """Open one network of a bundle.

    Args:
        network: one of `NETWORKS`.
        folder: the bundle's.
        device: "auto"; there is no TensorRT on a CPU.
        threads: not used: no CPU threads are needed.

    Raises:
        EngineError: when there is no plan for this GPU, or it cannot be run.
    """
    place = device_for(device)
    if place.type != "cuda":
        raise EngineError("TensorRT needs an NVIDIA GPU, and there is none; use --backend auto")
    artifact = artifact_entry(folder, "tensorrt", network)
    fix = rebuild_hint(folder, "tensorrt")
    if artifact is None:
        raise InvalidBundleError(f"no plan of the bundle's present {network} for this GPU", folder, fix)
    tick, data = load_tick(network, folder), read_artifact(folder, artifact, "tensorrt")
    try:
        runner = PlanRunner(tick, PlanTick(tick.single(), data, artifact["bindings"], place), place)
    except EngineError as error:
        raise InvalidBundleError(str(error), artifacts_of(folder) / str(artifact.get("file")), fix) from error
    config = dict(network_entry(folder, weights_of(folder, network)).get("config", {}))
    precision = str(artifact.get("precision", "fp32"))
    return runner, EngineSpec(network, "tensorrt", name_of(place), precision, tick.latency_samples, config)
