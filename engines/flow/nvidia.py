"""Optical flow by NVIDIA's own hardware for it (Turing and newer), where OpenCV was built with its SDK."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from engines.contract import Array, EngineSpec

PRESET, GRID = 20, 1
"""The fastest preset, and a vector for every pixel; the library upsamples if the hardware gives every fourth only."""


def nvidia_flow(library: Any = cv2) -> NvidiaFlow | None:
    """The hardware's flow; None if OpenCV or the machine does not support it.

    The usual opencv-python does not; a build with CUDA and opencv_contrib may.
    """
    maker = getattr(library, "cuda_NvidiaOpticalFlow_2_0", None)
    if maker is None:
        return None
    try:
        if library.cuda.getCudaEnabledDeviceCount() < 1:
            return None
        engine = NvidiaFlow(maker)
        blank = np.zeros((256, 256), np.uint8)
        engine.step(previous=blank, current=blank)
    except (AttributeError, TypeError, ValueError, cv2.error):
        return None  # a GPU without the hardware, a driver without its library, or a build with another interface
    return engine


class NvidiaFlow:
    """Dense flow between two grey frames; its buffers are allocated for the first frames' size.

    Args:
        maker: OpenCV's `cuda_NvidiaOpticalFlow_2_0`.
    """

    def __init__(self, maker: Any) -> None:
        self.spec = EngineSpec("flow", "nvidia", "cuda")
        self._maker = maker
        self._hardware: Any = None
        self._shape: tuple[int, ...] = ()

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """previous, current: uint8 [H, W] -> flow: float32 [2, H, W] in pixels (x right, y down)."""
        previous, current = (np.ascontiguousarray(inputs[name], np.uint8) for name in ("previous", "current"))
        if previous.shape != self._shape:
            if self._hardware is not None:
                self._hardware.collectGarbage()
            height, width = self._shape = previous.shape
            self._hardware = self._maker.create((width, height), perfPreset=PRESET, outputGridSize=GRID)
        vectors = self._hardware.calc(previous, current, None)
        vectors = vectors[0] if isinstance(vectors, tuple) else vectors  # the flow, and what it cost to match
        flow = self._hardware.convertToFloat(vectors, None)
        flow = np.asarray(flow.download() if hasattr(flow, "download") else flow, np.float32)
        if flow.shape[:2] != self._shape:
            flow = np.asarray(cv2.resize(flow, self._shape[::-1], interpolation=cv2.INTER_LINEAR))
        return {"flow": np.ascontiguousarray(flow.transpose(2, 0, 1))}

    def reset(self) -> None:
        """Does nothing: it keeps no state."""
