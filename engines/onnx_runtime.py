"""The ONNX Runtime runtime: a bundle's exported networks on the CPU, one thread each, a tick at a time."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime as ort

from engines.bundles import (
    InvalidBundleError,
    artifact_entry,
    artifacts_of,
    find_bundle,
    network_entry,
    read_file,
    weights_of,
)
from engines.contract import Array, Engine, EngineError, EngineSpec
from engines.ticking import engine_of

STATE = "state."
"""Prefix of the state's inputs; the outputs that follow them are `after.` and the same number."""
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}


class OnnxRunner:
    """One network's tick as an ONNX Runtime session; its state goes from each run's outputs into the next one's inputs.

    Args:
        data: the ONNX file.
        threads: that share a tick's work.

    Raises:
        EngineError: when the runtime does not accept it.
    """

    def __init__(self, data: bytes, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # A thread that waits for work must not keep a core from the show's other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no base class but Exception
            raise EngineError(f"ONNX Runtime does not accept it ({str(error).splitlines()[0][:200]})") from error
        self._state_names = [i.name for i in self._session.get_inputs() if i.name.startswith(STATE)]
        self._zeros = {
            i.name: np.zeros(i.shape, _TYPES[i.type]) for i in self._session.get_inputs() if i.name.startswith(STATE)
        }
        self._names = {i.name for i in self._session.get_inputs()}
        self.reset()

    def reset(self) -> None:
        """Back to the initial state: zeros."""
        self._state: dict[str, Array] = dict(self._zeros)

    def state(self) -> list[Array]:
        """The state as it is now."""
        return [self._state[name] for name in self._state_names]

    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output."""
        fed = {name: value for name, value in inputs.items() if name in self._names}
        output, *state = self._session.run(None, fed | self._state)
        self._state = dict(zip(self._state_names, state, strict=True))
        found: Array = output
        return found


def _threads_for(network: str) -> int:
    """The show has many processes, and each network a thread; only what is seen is worth two, where there are two."""
    return min(2, os.cpu_count() or 1) if network == "embedding" else 1


def open_engine(network: str, *, bundle: str, seed: int = 0) -> Engine:
    """Open one network of a bundle.

    Raises:
        EngineError: when the bundle cannot be used or has no artifact of its present weights for this runtime.
    """
    folder = find_bundle(bundle)
    artifact = artifact_entry(folder, "onnxruntime", network)
    if artifact is None:
        raise InvalidBundleError(
            f"no ONNX file of the bundle's present {network}",
            folder,
            f"run: python -m export {bundle} --backend onnxruntime",
        )
    config = network_entry(folder, weights_of(folder, network)).get("config", {})
    data = read_file(artifacts_of(folder), artifact, f"export it again: python -m export {bundle}")
    try:
        runner = OnnxRunner(data, _threads_for(network))
    except EngineError as error:
        path = artifacts_of(folder) / str(artifact.get("file"))
        raise InvalidBundleError(str(error), path, f"run: python -m export {bundle} --backend onnxruntime") from error
    precision = str(artifact.get("precision", "fp32"))
    late = int(artifact.get("latency_samples", 0))
    spec = EngineSpec(network, "onnxruntime", precision=precision, latency_samples=late, config=dict(config))
    return engine_of(network, runner, spec, seed)
