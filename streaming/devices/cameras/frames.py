"""The interface of every camera, its frame, and the size that frames are reduced to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_NS
from streaming.stage import Context

MAX_SIDE = 640
"""Longest side of a published frame in pixels. The flow is computed at 256, and 640x640x3 is 1.2 MB per message."""
STILL_NS = TICK_NS
"""Period in ns at which the first picture is repeated before the performance begins, so that the stages are warm."""


@dataclass(frozen=True)
class Frame:
    """One frame of a camera.

    Attributes:
        image: uint8 [H, W, 3], BGR, longest side at most `MAX_SIDE`.
        index: frame number in the source; skipped frames leave gaps.
        capture_ns: monotonic time of capture.
    """

    image: NDArray[np.uint8]
    index: int
    capture_ns: int


class CameraSource(ABC):
    """One kind of camera. All methods are called from the stage's thread; a source may have a thread of its own.

    Attributes:
        rate_hz: frames per second, nominal or measured.
        description: what it is, in words for the user.
        finished: why no more frames will come; "" while there may be more.
        resume_ns: monotonic time of the source's time 0, for `start` of a restarted stage; 0 for a camera that runs on
            its own clock.
        free_running: it runs on its own clock, so its phase against the ticks drifts.
        stamps: where its frames' capture times come from, in words; "" where they are exact.
        stamp_delay_ms: by how much its frames arrive later than they are captured; None where nobody knows.
    """

    rate_hz: float = 25.0
    description: str = ""
    finished: str = ""
    resume_ns: int = 0
    free_running: bool = False
    stamps: str = ""
    stamp_delay_ms: float | None = None

    @abstractmethod
    def open(self, context: Context) -> None:
        """Open the camera.

        Raises:
            SourceError: when it cannot be used.
        """

    def start(self, origin_ns: int, now_ns: int) -> None:  # noqa: B027 - a live camera has nothing to start
        """Begin the performance: a file or a performer starts at `origin_ns`, which is not after `now_ns`."""

    def shift(self, by_ns: int) -> bool:
        """Shift the time of the coming frames by a few milliseconds; False for a camera that runs on its own clock."""
        return False

    @abstractmethod
    def poll(self, now_ns: int) -> Frame | None:
        """The newest frame captured by `now_ns` that was not returned before, or None; does not block."""

    @abstractmethod
    def wake_ns(self) -> int | None:
        """When `poll` should be called next; None where the camera calls `context.wake` instead."""

    @abstractmethod
    def close(self) -> None:
        """Release the camera within bounded time; may be called twice, and after a failed `open`."""


def fitted_size(width: int, height: int, pixel_aspect: float = 1.0) -> tuple[int, int]:
    """The size (width, height) of a frame reduced to `MAX_SIDE`; small frames keep theirs.

    Args:
        width: stored width in pixels.
        height: stored height in pixels.
        pixel_aspect: width over height of one stored pixel.
    """
    shown = width * pixel_aspect if pixel_aspect > 0 else float(width)
    scale = min(1.0, MAX_SIDE / max(shown, height, 1.0))
    return max(1, round(shown * scale)), max(1, round(height * scale))


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A BGR frame whose longest side is at most `MAX_SIDE`.

    Args:
        image: uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4].

    Returns:
        uint8 [H', W', 3], contiguous.
    """
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    size = fitted_size(image.shape[1], image.shape[0])
    if size != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image)


def upright(image: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a picture counterclockwise by the multiple of 90 degrees nearest to `degrees` (a display matrix's angle)."""
    turns = round(degrees / 90) % 4
    if turns == 0:
        return image
    code = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)[turns - 1]
    return np.ascontiguousarray(cv2.rotate(image, code))
