"""Frames that move, and the engines and shows that tests of the motion stage read them with."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from engines.contract import EngineSpec
from engines.flow.opencv import DisFlow
from streaming.conventions import EMBEDDING_DIM
from streaming.schema.messages import Camera, Motion, Set
from streaming.stage import Inputs
from streaming.stages.motion import MotionStage

MS = 1_000_000
"""Nanoseconds."""


class FakeEmbedding:
    """The mean colour, repeated."""

    spec = EngineSpec("embedding", "fake")

    def __init__(self) -> None:
        self.shapes: set[tuple[int, ...]] = set()

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.shapes.add(inputs["image"].shape)
        return {"embedding": np.full(EMBEDDING_DIM, inputs["image"].mean(), np.float32)}

    def reset(self) -> None:
        pass


class CountingFlow(DisFlow):
    """Counts its steps."""

    steps = 0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.steps += 1
        return super().step(**inputs)


def scene(shift: float = 0.0, size: tuple[int, int] = (256, 256)) -> np.ndarray:
    """A smooth texture moved to the right by some pixels."""
    rng = np.random.default_rng(4)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (size[1], size[0], 3)).astype(np.float32), (0, 0), 4)
    texture = cv2.normalize(texture, None, 30, 220, cv2.NORM_MINMAX)
    move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(texture, move, size, borderMode=cv2.BORDER_REFLECT)).astype(np.uint8)


def falling(time_s: float) -> np.ndarray:
    """A textured square before a wall: down and up again every 0.6 s."""
    frame = scene(size=(320, 240))
    place = round(60 + 50 * abs(np.sin(np.pi * time_s / 0.6)))
    frame[place : place + 80, 120:200] = scene(9.0, (80, 80))[::-1]
    return frame


def perform(stage: MotionStage, frames: int, first: int = 0, **controls: float | str) -> list[Motion]:
    """Show the stage frames at 25 a second; controls come with the first one."""
    sets = [Set(name=name, value=value) for name, value in controls.items()]
    found: list[Motion] = []
    for index in range(first, first + frames):
        camera = Camera(image=falling(index / 25), capture_ns=1 + index * 40 * MS)
        inputs = Inputs({"camera": [camera]}, controls=sets if index == first else [])
        found += [message for message in stage.step(inputs, 0) if isinstance(message, Motion)]
    return found
