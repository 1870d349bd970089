"""NVIDIA's hardware flow is taken where OpenCV has it and it works, and only then; a fake stands for the hardware."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from engines.flow import select as flows
from engines.flow.nvidia import GRID, PRESET, nvidia_flow
from engines.flow.opencv import DisFlow


class OnGpu:
    """What stays on the GPU until it is asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def download(self) -> np.ndarray:
        return self.values


class Hardware:
    """OpenCV's object: flow in 32nds of a pixel, and what it cost."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size, self.gone = size, False

    def calc(self, previous: np.ndarray, current: np.ndarray, flow: None) -> tuple[np.ndarray, np.ndarray]:
        assert previous.shape == current.shape == self.size[::-1]
        found = np.zeros((*previous.shape, 2), np.int16)
        found[..., 0], found[..., 1] = 96, -32
        return found, np.zeros(previous.shape, np.uint32)

    def convertToFloat(self, flow: np.ndarray, into: None) -> Any:  # noqa: N802
        return OnGpu(flow.astype(np.float32) / 32)

    def collectGarbage(self) -> None:  # noqa: N802
        self.gone = True


class Library:
    """An OpenCV that was built with it."""

    def __init__(self, devices: int = 1) -> None:
        self.made: list[Hardware] = []
        self.cuda = SimpleNamespace(getCudaEnabledDeviceCount=lambda: devices)
        self.cuda_NvidiaOpticalFlow_2_0 = SimpleNamespace(create=self.create)

    def create(self, size: tuple[int, int], *, perfPreset: int, outputGridSize: int) -> Hardware:
        assert (perfPreset, outputGridSize) == (PRESET, GRID)
        self.made.append(Hardware(size))
        return self.made[-1]


def test_it_is_found_and_reads_pixels() -> None:
    library = Library()
    engine = nvidia_flow(library)
    assert engine is not None
    assert engine.spec.runtime == "nvidia"
    frame = np.zeros((96, 128), np.uint8)
    flow = engine.step(previous=frame, current=frame)["flow"]
    engine.step(previous=frame, current=frame)
    assert flow.shape == (2, 96, 128)
    assert flow.dtype == np.float32
    assert (flow[0] == 3.0).all()
    assert (flow[1] == -1.0).all()
    assert [made.size for made in library.made] == [(256, 256), (128, 96)], "made again for another size only"
    assert library.made[0].gone


def fails(*args: Any, **kwargs: Any) -> None:
    raise cv2.error("Nv OF not supported on this device")


@pytest.mark.parametrize("lack", ["build", "cuda", "device", "hardware", "interface"])
def test_without_it_there_is_none(lack: str) -> None:
    library: Any = Library(devices=0 if lack == "device" else 1)
    if lack == "build":
        library = SimpleNamespace()
    elif lack == "cuda":
        del library.cuda
    elif lack == "hardware":
        library.cuda_NvidiaOpticalFlow_2_0.create = fails
    elif lack == "interface":
        library.cuda_NvidiaOpticalFlow_2_0.create = lambda size: None
    assert nvidia_flow(library) is None


def test_auto_takes_it_and_a_named_backend_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "nvidia_flow", lambda: nvidia_flow(Library()))
    assert flows.open_flow("default", "auto").spec.runtime == "nvidia"
    assert isinstance(flows.open_flow("default", "onnxruntime"), DisFlow)
    monkeypatch.undo()
    assert flows.open_flow("default", "auto").spec.runtime == ("nvidia" if nvidia_flow() else "opencv")
