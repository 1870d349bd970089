"""A browser, or OBS, as a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streaming.devices.browser.local_link import LocalLink, socket_path
from streaming.devices.cameras.frames import STILL_NS, Frame
from streaming.devices.cameras.live_capture import LiveCapture
from streaming.stage import Context

WAIT_S = 2.0
"""A browser that sends no picture for so long has gone."""
RETRY_S = 0.05
_STILL = np.full((360, 640, 3), 24, np.uint8)
_STILL.setflags(write=False)


class BrowserCapture:
    """Receives the pictures that a browser sends; see `live_capture.Capture`.

    Args:
        path: of the browser process's socket.
    """

    def __init__(self, path: Path) -> None:
        self._link: LocalLink | None = None
        self._image: Any = None
        try:
            self._link = LocalLink(path, "take", "camera")
        except OSError:
            return

    def grab(self) -> bool:
        """Wait for the next picture; False when none comes within `WAIT_S`, and without the browser process."""
        try:
            block = self._link.receive(WAIT_S) if self._link is not None else None
        except OSError:
            block = None
        if block is None or len(block.data) != block.width * block.height * 3 or not block.data:
            return False
        self._image = np.frombuffer(block.data, np.uint8).reshape(block.height, block.width, 3)
        return True

    def retrieve(self) -> tuple[bool, Any]:
        """The grabbed picture, uint8 [H, W, 3] BGR."""
        return self._image is not None, self._image

    def get(self, prop: int) -> float:
        """Nothing is known beforehand; a browser's camera gives 30 frames a second."""
        return 30.0 if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Disconnect."""
        if self._link is not None:
            self._link.close()
            self._link = None


class BrowserCamera(LiveCapture):
    """A camera that comes when somebody opens the page, and may go and come again. Until then it shows a dark still.

    Args:
        path: of the browser process's socket.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            lambda: BrowserCapture(path), "browser", "", open_timeout_s=0.0, retry_s=RETRY_S, comes_later=True
        )
        self._came = False
        self._still_ns = 0

    def poll(self, now_ns: int) -> Frame | None:
        """The newest frame; before the first one a dark still at 25 Hz, so that the stages are warm."""
        frame = super().poll(now_ns)
        if frame is not None:
            self._came = True
        if self._came or now_ns < self._still_ns:
            return frame
        self._still_ns = now_ns + STILL_NS
        return Frame(_STILL, 0, now_ns)

    def wake_ns(self) -> int | None:
        """Every 40 ms before the first frame."""
        return super().wake_ns() if self._came else self._still_ns


def open_camera(argument: str, context: Context) -> BrowserCamera:
    """The camera of a browser."""
    return BrowserCamera(socket_path(context.show.links.run_dir))
