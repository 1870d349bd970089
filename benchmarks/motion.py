"""Times what reading motion from a frame costs: the flow, the motion features, the rest.

    python -m benchmarks.motion [FILM] [--frames 200] [--flow-preset fast|medium]

Without a film the frames are a synthetic drummer's, once before a steady and once before a hand-held camera. The
network "embedding" is left out: `run_live.py bench engines` times it. Figures are of one thread, each part in turn
within each frame, so that other load on the machine affects all of them alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineSpec
from performers.performer import SyntheticPerformer
from streaming.conventions import EMBEDDING_DIM
from streaming.stages.motion import MotionReader
from streaming.timing.clock import now_ns
from streaming.vision.motion.features import MotionFeatureExtractor, MotionFrame
from training.footage.reader import FootageError, camera_frames, examine

PRESETS = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
WARM_UP_FRAMES = 10

Frames = Iterable[tuple[NDArray[np.uint8], float]]


class TimedFlow:
    """OpenCV's DIS of a preset, timed; as an engine."""

    def __init__(self, preset: str) -> None:
        cv2.setNumThreads(1)
        self.spec = EngineSpec("flow", "opencv")
        self.took_ms: list[float] = []
        self._dis = cv2.DISOpticalFlow.create(PRESETS[preset])

    def step(self, **inputs: Any) -> dict[str, NDArray[Any]]:
        """The flow between two views, as `engines.flow.opencv`."""
        begun = now_ns()
        flow = np.ascontiguousarray(self._dis.calc(inputs["previous"], inputs["current"], None).transpose(2, 0, 1))
        self.took_ms.append((now_ns() - begun) / 1e6)
        return {"flow": flow}

    def reset(self) -> None:
        """Nothing to forget."""


class TimedExtractor(MotionFeatureExtractor):
    """A feature extractor, timed."""

    def __init__(self) -> None:
        super().__init__()
        self.took_ms: list[float] = []

    def step(self, frame: MotionFrame) -> NDArray[np.float32]:
        """The features of a frame."""
        begun = now_ns()
        features = super().step(frame)
        self.took_ms.append((now_ns() - begun) / 1e6)
        return features


class BlankEmbedding:
    """In place of the visual network: zeros, at once."""

    spec = EngineSpec("embedding", "none")

    def step(self, **inputs: Any) -> dict[str, NDArray[Any]]:
        """Zeros."""
        return {"embedding": np.zeros(EMBEDDING_DIM, np.float32)}

    def reset(self) -> None:
        """Nothing to forget."""


def performed(*, shaken: bool, rate_hz: float = 30.0) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """A synthetic drummer's frames, 640 x 480, without end."""
    performer = SyntheticPerformer("drums", 1, size=(640, 480), duration_s=60.0, undisturbed=True)
    index = 0
    while True:
        time_s = index / rate_hz
        frame = performer.frame(time_s % 60.0)
        if shaken:
            right, down = 6.0 * np.sin(2 * np.pi * 2.3 * time_s), 5.0 * np.sin(2 * np.pi * 3.1 * time_s)
            shift = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
            frame = np.asarray(cv2.warpAffine(frame, shift, (640, 480), borderMode=cv2.BORDER_REFLECT), np.uint8)
        yield frame, time_s
        index += 1


def measure(frames: Frames, count: int, preset: str, clock: Callable[[], int] = now_ns) -> dict[str, float]:
    """Median time in ms of each part over some frames."""
    flow, extractor, whole = TimedFlow(preset), TimedExtractor(), []
    reader = MotionReader(flow, BlankEmbedding(), extractor=extractor)
    for image, time_s in islice(frames, count + WARM_UP_FRAMES):
        begun = clock()
        reader.read(image, int((time_s + 10.0) * 1e9))
        whole.append((clock() - begun) / 1e6)
    parts = {"flow": flow.took_ms, "features": extractor.took_ms, "whole": whole}
    return {name: float(np.median(took[WARM_UP_FRAMES:])) for name, took in parts.items()}


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each case; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.motion", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", nargs="?", type=Path, help="a film; without one a synthetic drummer is read")
    parser.add_argument("--frames", type=int, default=200, help="frames that are timed (default: 200)")
    parser.add_argument("--flow-preset", choices=list(PRESETS), default="fast", help="of OpenCV's DIS (default: fast)")
    options = parser.parse_args(arguments)
    cases: dict[str, Frames] = {
        "steady camera": performed(shaken=False),
        "hand-held camera": performed(shaken=True),
    }
    if options.film is not None:
        try:
            cases = {options.film.name: camera_frames(examine(options.film))}
        except FootageError as error:
            print(f"{options.film}: {error}; name another film", file=sys.stderr)
            return 2
    for name, frames in cases.items():
        took = measure(frames, options.frames, options.flow_preset)
        rest = took["whole"] - took["flow"] - took["features"]
        print(f"{name}: flow {took['flow']:.2f} ms, motion features {took['features']:.2f} ms, rest {rest:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
