"""A virtual camera as a screen: the pictures can be chosen as a webcam in any other program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streaming.conventions import TICKS_PER_SECOND
from streaming.devices.optional import missing
from streaming.devices.screens.device import Count, Image, Note, NullScreen, size_within
from streaming.errors import UserError
from streaming.system.files import reason

HEIGHT = 720
WIDTH = HEIGHT * 16 // 9
"""Programs expect a webcam's picture: the show's is put into the middle of one."""


DRIVER = "Linux: modprobe v4l2loopback; macOS and Windows: install OBS and start its virtual camera once"
LOOPBACK = Path("/sys/module/v4l2loopback")


class VirtualCamera(NullScreen):
    """A virtual camera of pyvirtualcam: v4l2loopback on Linux, OBS's on macOS and Windows.

    Args:
        device: which one; "" for the first.

    Raises:
        UserError: when there is none, or no library for it.
    """

    def __init__(self, device: str = "") -> None:
        where, instead = f"--screen camera{device and ':' + device}", "use --screen window, web or ndi"
        try:
            from pyvirtualcam import Camera, PixelFormat
        except (ImportError, OSError) as error:
            raise missing("virtualcamera", where, error, instead) from error
        try:
            self._camera: Any = Camera(
                width=WIDTH, height=HEIGHT, fps=TICKS_PER_SECOND, fmt=PixelFormat.BGR, device=device or None
            )
        except RuntimeError as error:
            raise UserError(
                f"there is no virtual camera ({reason(error)})", where, f"{DRIVER}; or {instead}"
            ) from error
        self.name = f"virtual camera {self._camera.device}"
        self._canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._filled = (0, 0)

    def show(self, tick: int, picture: Image) -> None:
        """Send it, as large as it fits, in its own proportions."""
        size = size_within((WIDTH, HEIGHT), picture.shape)
        if size != self._filled:
            self._canvas[:], self._filled = 0, size
        left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
        fitted = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        self._canvas[top : top + size[1], left : left + size[0]] = fitted
        self._camera.send(self._canvas)

    def close(self) -> None:
        """Release the camera; may be called twice."""
        self._camera.close()


def describe_driver(platform: str = sys.platform, loopback: Path = LOOPBACK) -> str:
    """The driver that gives virtual cameras, where a system says whether it is here: Linux.

    Raises:
        UserError: when it is not here.
    """
    if platform != "linux":
        return ""
    if not loopback.exists():
        raise UserError("the kernel module v4l2loopback is not loaded", "--screen camera", DRIVER)
    return "v4l2loopback"


def open_camera(device: str, note: Note, count: Count) -> VirtualCamera:
    """A virtual camera.

    Raises:
        UserError: when there is none, or no library for it.
    """
    return VirtualCamera(device)
