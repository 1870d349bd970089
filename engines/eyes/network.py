"""Opens a network of the eyes in ONNX Runtime, on one thread, behind the engine contract."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from engines.contract import Array, EngineError, EngineSpec
from engines.eyes.catalogue import EyeNetwork, cache_folder, find_network, read_network


class EyeEngine:
    """One network of the eyes; keeps no state.

    Args:
        network: its row in `engines.eyes.catalogue.WHEELS`.
        data: its ONNX file.
        threads: that share a picture's work.

    Raises:
        EngineError: when ONNX Runtime does not accept the file.
    """

    def __init__(self, network: EyeNetwork, data: bytes, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A thread that waits for work must not keep a core from the show's other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no base class but Exception
            raise EngineError(f"ONNX Runtime does not accept {network.name} ({_first_line(error)})") from error
        self._network = network
        self._names = [output.name for output in network.outputs]
        self.spec = EngineSpec(network.name, "onnxruntime", why="the eyes run in ONNX Runtime on the CPU")

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """image: uint8 [S, S, 3] BGR -> outputs as in `engines.eyes.catalogue`, without the batch's axis.

        Raises:
            EngineError: for a picture of another size, or when the runtime cannot go on.
        """
        image, side, low = np.asarray(inputs["image"]), self._network.side, self._network.low
        if image.shape != (side, side, 3):
            raise EngineError(f"{self._network.name} takes pictures of {side} x {side} x 3, not {image.shape}")
        scale = (1.0 - low) / 255.0
        offset = -low / scale  # the mean that is taken off, in channel values
        fed = cv2.dnn.blobFromImage(image, scale, mean=(offset, offset, offset), swapRB=True)
        try:
            found = self._session.run(self._names, {"image": fed})
        except Exception as error:  # as above
            raise EngineError(f"{self._network.name} cannot go on ({_first_line(error)})") from error
        outputs = zip(self._network.outputs, found, strict=True)
        return {output.name: array.reshape(output.shape) for output, array in outputs}

    def reset(self) -> None:
        """Nothing to forget."""


def open_eye(name: str, folder: Path | None = None, threads: int = 1) -> EyeEngine:
    """Open a network of the eyes after checking its hash.

    Args:
        name: of a row of `engines.eyes.catalogue.WHEELS`.
        folder: where the eyes lie; None for the user's cache.
        threads: that share a picture's work.

    Raises:
        EngineError: when it is not here, is damaged, or ONNX Runtime is missing or does not accept it.
    """
    folder = cache_folder() if folder is None else folder
    network = find_network(name)
    data, _ = read_network(folder, network)
    try:
        return EyeEngine(network, data, threads)
    except ImportError as error:
        raise EngineError("the eyes need ONNX Runtime, which is not installed; pip install onnxruntime") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
