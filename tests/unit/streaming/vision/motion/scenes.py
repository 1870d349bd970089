"""Synthetic scenes for tests of motion features: a textured square before a textured wall, rendered at any rate."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import open_engine
from streaming.vision.frame_features import fit_square, smooth
from streaming.vision.motion.features import MotionFeatureExtractor, MotionFrame

Place = Callable[[float], tuple[float, float]]


@functools.lru_cache(maxsize=8)
def texture(side: int, seed: int, contrast: float = 40.0) -> NDArray[np.float32]:
    """A random texture of several octaves around mid grey: float32 [side, side]."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side), np.float32)
    for cells in (8, 16, 32, 64):
        noise = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(127.0 + contrast * total / total.std(), np.float32)


@dataclass
class Scene:
    """A square that moves before a wall.

    Attributes:
        square: middle of the square at a time, in sides of the view.
        camera: shift of the whole view at a time, in sides.
        light: brightness at a time, 1 as it is.
        size: side of the square, in sides of the view.
        height: height of the frames, in widths.
        noise: standard deviation of the pixels' noise, in grey levels.
        wall: contrast of the wall, in grey levels; 0 for a plain one.
    """

    square: Place = lambda t: (0.5, 0.5)
    camera: Place = lambda t: (0.0, 0.0)
    light: Callable[[float], float] = lambda t: 1.0
    size: float = 0.25
    height: float = 1.0
    noise: float = 0.0
    wall: float = 30.0

    def frame(self, time_s: float, side: int = 256) -> NDArray[np.uint8]:
        """The frame at a time: uint8 [height * side, side, 3]."""
        wall, patch = texture(2 * side, 1, self.wall), texture(side, 2)
        dx, dy = self.camera(time_s)
        shift = np.array([[1, 0, (dx - 0.5) * side], [0, 1, (dy - 0.5) * side]])
        shown = np.asarray(cv2.warpAffine(wall, shift, (side, side)))
        x, y = self.square(time_s)
        length = self.size * side
        corner = np.array([[self.size, 0, (x + dx) * side - length / 2], [0, self.size, (y + dy) * side - length / 2]])
        mask = cv2.warpAffine(np.ones((side, side), np.float32), corner, (side, side))
        shown = shown * (1 - mask) + cv2.warpAffine(patch, corner, (side, side)) * mask
        shown = shown * self.light(time_s)
        if self.noise:
            shown = shown + np.random.default_rng(round(time_s * 1e6)).normal(0.0, self.noise, shown.shape)
        grey = np.clip(shown, 0, 255).astype(np.uint8)
        rows = round(self.height * side)
        top = (side - rows) // 2
        return np.ascontiguousarray(np.repeat(grey[top : top + rows, :, None], 3, axis=2))


def frames_of(scene: Scene, times: Sequence[float]) -> Iterator[MotionFrame]:
    """The frames of a scene as the extractor takes them."""
    flow: Engine = open_engine("flow", backend="opencv")
    before = None
    view_before = None
    for time in times:
        image = scene.frame(time)
        grey = cv2.cvtColor(fit_square(image, 256), cv2.COLOR_BGR2GRAY)
        view = smooth(grey)
        dense: NDArray[np.float32] | None = None if before is None else flow.step(previous=before, current=grey)["flow"]
        yield MotionFrame(dense, view_before, view, image.shape[:2], time)
        before, view_before = grey, view


def features_of(
    scene: Scene, times: Sequence[float], extractor: MotionFeatureExtractor | None = None
) -> NDArray[np.float32]:
    """The features of a scene: float32 [T, MOTION_FEATURES]."""
    extractor = extractor or MotionFeatureExtractor()
    return np.stack([extractor.step(frame) for frame in frames_of(scene, times)])


def strokes(period_s: float = 0.6, depth: float = 0.3, swing_s: float = 0.2, top: float = 0.3) -> Place:
    """A square that strikes: down at a growing speed for `swing_s`, a dead stop at each whole period, slowly up."""

    def place(time_s: float) -> tuple[float, float]:
        phase = time_s % period_s
        lift = period_s - swing_s
        rising = 0.5 - 0.5 * np.cos(np.pi * phase / lift)
        height = rising if phase < lift else 1.0 - ((phase - lift) / swing_s) ** 2
        return 0.5, top + depth * (1.0 - float(height))

    return place


def times_at(rate_hz: float, seconds: float, phase_s: float = 0.003) -> list[float]:
    """Frame times in seconds."""
    return [phase_s + index / rate_hz for index in range(int(seconds * rate_hz))]
