"""The motion stage: how each frame moves since the last one, and what is seen in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import FLOW_GRID, TICK_NS
from streaming.schema.messages import Camera, Message, Motion, Picture
from streaming.stage import Context, Inputs, Stage
from streaming.vision.frame_features import VIEW_SIDE, fit_square, pool_flow
from streaming.vision.screen_detector import ScreenDetector
from streaming.vision.vision_engines import open_vision_engines

MIN_INTERVAL_S = 0.005
"""Two frames nearer than this are a burst of a late camera: dividing by less would make a jump of any noise."""
MAX_INTERVAL_S = 0.5
"""Frames further apart do not belong to one movement."""
CUT_SIDE = 16
CUT_DIFFERENCE = 45.0
"""Mean grey difference of 16x16 thumbnails above which the picture was cut; a fast player's frames reach 20."""

CHANGE_SIDE = VIEW_SIDE // 2
LOWEST_CHANGE, HIGHEST_CHANGE = 1.0, 3.0
"""Bounds of the change in grey levels, smoothed, below which nothing has moved: an 8-bit step, and the noise of a
webcam in the dark (8 levels per pixel)."""


def smooth(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A grey view without its pixel noise: float32 [128, 128]."""
    half = cv2.resize(grey, (CHANGE_SIDE, CHANGE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(half, (0, 0), 1.0), np.float32)


def change_weights(previous: NDArray[np.float32], current: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the picture has changed by more than noise.

    Where there is nothing to match (a plain wall), dense flow follows the noise: up to 0.5 sides per second on a
    performer who stands still. Where nothing has changed, nothing is seen to move. On rendered players this raised the
    correlation of the mean speed with the true one from 0.1 - 0.5 to 0.8 - 1.0.

    Args:
        previous: `smooth` view of the frame before.
        current: `smooth` view of the frame.

    Returns:
        float32 [256, 256], 0..1, to weight a dense flow with.
    """
    change = cv2.GaussianBlur(cv2.absdiff(previous, current), (0, 0), 2.0)
    # The noise is what the stillest quarter of the picture shows; if that is more than any noise, the camera moves.
    floor = max(1.6 * float(np.percentile(change[::4, ::4], 25)), LOWEST_CHANGE)
    floor = floor if floor <= HIGHEST_CHANGE else LOWEST_CHANGE
    weight = np.clip(change / np.float32(floor) - 1.0, 0.0, 1.0)
    return np.asarray(cv2.resize(weight, (VIEW_SIDE, VIEW_SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


class MotionReader:
    """Reads motion from frames, one after another; the same code live and for training.

    Args:
        flow_engine: network "flow" of the engine contract.
        embedding_engine: network "embedding".
        gate: see movement only where the picture has changed by more than noise.
    """

    def __init__(self, flow_engine: Engine, embedding_engine: Engine, *, gate: bool = True) -> None:
        self._flow, self._embedding, self._gate = flow_engine, embedding_engine, gate
        self._coloured = bool(flow_engine.spec.config.get("colour"))
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one does not move."""
        self._matched: NDArray[np.uint8] | None = None
        self._thumbnail: NDArray[np.uint8] | None = None
        self._smoothed: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._capture_ns = 0
        self._flow.reset()
        self._embedding.reset()

    def read(
        self,
        image: NDArray[np.uint8],
        capture_ns: int,
        foreign: Callable[[NDArray[np.uint8]], NDArray[np.float32] | None] | None = None,
    ) -> Motion:
        """Read one frame; the first one, and one after a gap, a cut or a change of size, does not move.

        Args:
            image: uint8 [H, W, 3], BGR.
            capture_ns: when it was captured.
            foreign: tells which part of the grey view counts, see `ScreenDetector.foreign`; None for all of it.

        Returns:
            Its motion, with `capture_ns` set.
        """
        view = fit_square(image, VIEW_SIDE)
        grey = cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)
        thumbnail = cv2.resize(grey, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA)
        calm = smooth(grey) if self._gate else None
        counts = foreign(grey) if foreign is not None else None
        interval_s = (capture_ns - self._capture_ns) / 1e9
        flow = np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32)
        speed = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)
        matched = view if self._coloured else grey
        if self._matched is not None and self._belongs(image, thumbnail, interval_s):
            dense = self._flow.step(previous=self._matched, current=matched)["flow"]
            if calm is not None and self._smoothed is not None:
                dense = dense * change_weights(self._smoothed, calm)
            if counts is not None:
                dense = dense * cv2.resize(counts, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
            flow, speed = pool_flow(dense, min(max(interval_s, MIN_INTERVAL_S), MAX_INTERVAL_S))
        embedding = self._embedding.step(image=view)["embedding"]
        interval_ms = interval_s * 1e3 if self._matched is not None else 0.0
        self._matched, self._thumbnail, self._smoothed = matched, thumbnail, calm
        self._shape, self._capture_ns = image.shape, capture_ns
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
        self._screen = ScreenDetector()
        self._found = False

    def setup(self, context: Context) -> None:
        """Open the engines and run them once, so that the first frame is not late."""
        self._context = context
        show = context.show
        if self._reader is None:
            engines = open_vision_engines(show, context.note)
            self._reader = MotionReader(*engines)
            context.info["flow"] = engines[0].spec.runtime
            context.info["embedding"] = engines[1].spec.runtime
            context.add_engines(*engines)
        blank = np.full((480, 640, 3), 127, np.uint8)
        for capture_ns in (1, TICK_NS):
            self._reader.read(blank, capture_ns)
        self._reader.reset()

    def wake_ns(self) -> int | None:
        """Never by time: a frame wakes it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Read the newest frame; the same frame again yields nothing."""
        for picture in inputs.all(Picture):
            self._screen.show(picture.image)
        camera = inputs.latest(Camera)
        if camera is None or self._reader is None or camera.capture_ns == self._last_ns:
            return ()
        self._last_ns = camera.capture_ns
        motion = self._reader.read(camera.image, camera.capture_ns, self._screen.foreign)
        self._tell()
        motion.stamps = dict(camera.stamps)
        return (motion,)

    def close(self) -> None:
        """Let the engines go."""
        self._screen.close()
        self._reader = None

    def _tell(self) -> None:
        """Say once when the screen comes into sight, or goes."""
        if self._screen.found != self._found:
            self._found = self._screen.found
            now = "sees the screen: what it shows does not count as movement" if self._found else "sees no screen now"
            self._context.note(f"the camera {now}")
        self._context.metrics.gauge("screen_in_sight", float(self._found))


def build() -> Stage:
    """The stage of the process table."""
    return MotionStage()
