"""The motion stage: how each frame moves since the last one, and what is seen in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine, EngineError
from engines.registry import open_engine
from streaming.errors import BundleError
from streaming.features import EMBEDDING_SIDE, FLOW_SIDE, fit_square, pool_flow
from streaming.messages import FLOW_GRID, Camera, Message, Motion
from streaming.stage import Context, Inputs, Stage

MIN_INTERVAL_S = 0.005
"""Two frames nearer than this are a burst of a late camera: dividing by less would make a jump of any noise."""
MAX_INTERVAL_S = 0.5
"""Frames further apart do not belong to one movement."""
CUT_SIDE = 16
CUT_DIFFERENCE = 45.0
"""Mean grey difference of 16x16 thumbnails above which the picture was cut; a fast player's frames reach 20."""


class MotionReader:
    """Reads motion from frames, one after another; the same code live and for training.

    Args:
        flow_engine: network "flow" of the engine contract.
        embedding_engine: network "embedding".
    """

    def __init__(self, flow_engine: Engine, embedding_engine: Engine) -> None:
        self._flow, self._embedding = flow_engine, embedding_engine
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one does not move."""
        self._grey: NDArray[np.uint8] | None = None
        self._thumbnail: NDArray[np.uint8] | None = None
        self._shape: tuple[int, ...] = ()
        self._capture_ns = 0
        self._flow.reset()
        self._embedding.reset()

    def read(self, image: NDArray[np.uint8], capture_ns: int) -> Motion:
        """Read one frame; the first one, and one after a gap, a cut or a change of size, does not move.

        Args:
            image: uint8 [H, W, 3], BGR.
            capture_ns: when it was captured.

        Returns:
            Its motion, with `capture_ns` set.
        """
        grey = cv2.cvtColor(fit_square(image, FLOW_SIDE), cv2.COLOR_BGR2GRAY)
        thumbnail = cv2.resize(grey, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA)
        interval_s = (capture_ns - self._capture_ns) / 1e9
        flow = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        speed = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)
        if self._grey is not None and self._belongs(image, thumbnail, interval_s):
            dense = self._flow.step(previous=self._grey, current=grey)["flow"]
            flow, speed = pool_flow(dense, min(max(interval_s, MIN_INTERVAL_S), MAX_INTERVAL_S))
        embedding = self._embedding.step(image=fit_square(image, EMBEDDING_SIDE))["embedding"]
        interval_ms = interval_s * 1e3 if self._grey is not None else 0.0
        self._grey, self._thumbnail, self._shape, self._capture_ns = grey, thumbnail, image.shape, capture_ns
        return Motion(
            flow=flow,
            speed=speed,
            embedding=np.asarray(embedding, np.float32),
            interval_ms=interval_ms,
            capture_ns=capture_ns,
        )

    def _belongs(self, image: NDArray[np.uint8], thumbnail: NDArray[np.uint8], interval_s: float) -> bool:
        if self._shape != image.shape or self._thumbnail is None or not 0.0 < interval_s <= MAX_INTERVAL_S:
            return False
        difference = float(np.mean(cv2.absdiff(thumbnail, self._thumbnail)))
        return difference <= CUT_DIFFERENCE


class MotionStage:
    """`Camera` in, `Motion` out.

    Args:
        reader: what reads the motion; by default made of the show's bundle.
    """

    def __init__(self, reader: MotionReader | None = None) -> None:
        self._reader = reader
        self._last_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Open the engines and run them once, so that the first frame is not late."""
        show = context.show
        if self._reader is None:
            try:
                engines = [
                    open_engine(name, bundle=show.bundle, backend=show.backend) for name in ("flow", "embedding")
                ]
            except EngineError as error:
                raise BundleError(str(error), "", "run: python run_live.py doctor") from error
            self._reader = MotionReader(*engines)
            context.info["flow"] = engines[0].spec.runtime
            context.info["embedding"] = engines[1].spec.runtime
        blank = np.full((480, 640, 3), 127, np.uint8)
        for capture_ns in (1, 40_000_000):
            self._reader.read(blank, capture_ns)
        self._reader.reset()

    def wake_ns(self) -> int | None:
        """Never by time: a frame wakes it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Read the newest frame; the same frame again yields nothing."""
        camera = inputs.latest(Camera)
        if camera is None or self._reader is None or camera.capture_ns == self._last_ns:
            return ()
        self._last_ns = camera.capture_ns
        motion = self._reader.read(camera.image, camera.capture_ns)
        motion.stamps = dict(camera.stamps)
        return (motion,)

    def close(self) -> None:
        """Let the engines go."""
        self._reader = None


def build() -> Stage:
    """The stage of the process table."""
    return MotionStage()
