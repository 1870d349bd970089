"""Optical flow on the CPU: OpenCV's Dense Inverse Search (Kroeger et al. 2016), fast preset."""

from __future__ import annotations

import cv2
import numpy as np

from engines.contract import Array, EngineSpec


class DisFlow:
    """Dense flow between two grey frames; keeps no state."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self.spec = EngineSpec("flow", "opencv")
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """previous, current: uint8 [H, W] -> flow: float32 [2, H, W] in pixels (x right, y down)."""
        flow = self._dis.calc(inputs["previous"], inputs["current"], None)
        return {"flow": np.ascontiguousarray(flow.transpose(2, 0, 1))}

    def reset(self) -> None:
        """Nothing to forget."""
