"""The picture formats, sizes and rates that a Video4Linux camera lists, and which of them a show asks for."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from streaming.devices.cameras.frames import MAX_SIDE

# linux/videodev2.h: _IOWR('V', number, size of the structure).
_ENUM_FORMAT, _FORMAT = 0xC0405602, struct.Struct("=III32sIIIII")
_ENUM_SIZE, _SIZE = 0xC02C564A, struct.Struct("=III6III")
_ENUM_INTERVAL, _INTERVAL = 0xC034564B, struct.Struct("=IIIII6III")
_CAPTURE, _DISCRETE = 1, 1
_MOST = 64
"""At most so many entries of one list are asked for: a broken driver may never end it."""
PLAIN, COMPRESSED = ("YUYV", "NV12", "YU12", "UYVY", "BGR3", "RGB3", "GREY"), ("MJPG",)
"""Formats that OpenCV decodes, the preferred ones first."""
MAX_FPS = 120.0
LEAST_SIDE = 480
"""A smaller picture hides the hands."""
MOST_PIXELS_PER_S = 41e6
"""640x480 at 120 a second. A JPEG of 640x480 takes 2 ms of a core to decode."""


@dataclass(frozen=True)
class CameraMode:
    """One way in which a camera sends pictures.

    Attributes:
        pixels: the format's four letters.
        width, height: in pixels.
        fps: frames per second.
    """

    pixels: str
    width: int
    height: int
    fps: float


Ask = Callable[[int, bytes], bytes]
"""Sends a request of the driver with a structure, and gives the structure that it has filled in; raises `OSError`."""


def list_modes(ask: Ask) -> list[CameraMode]:
    """Every mode that a camera lists; of sizes and rates in steps only those that a show may want."""
    modes = []
    for pixels in _formats(ask):
        code = int.from_bytes(pixels.encode(), "little")
        for width, height in _sizes(ask, code):
            modes += [CameraMode(pixels, width, height, fps) for fps in _rates(ask, code, width, height)]
    return modes


def choose_mode(modes: list[CameraMode]) -> CameraMode | None:
    """The mode that a show asks for: the most frames, then the size nearest to what is used, then no compression.

    None where no mode can be used, so that the driver's own choice stays.
    """
    usable = [
        mode
        for mode in modes
        if mode.pixels in (*PLAIN, *COMPRESSED)
        and max(mode.width, mode.height) >= LEAST_SIDE
        and mode.fps <= 1.01 * MAX_FPS
        and mode.width * mode.height * mode.fps <= MOST_PIXELS_PER_S
    ]
    return max(usable, key=_worth, default=None)


def _worth(mode: CameraMode) -> tuple[float, float, int, int]:
    formats = (*PLAIN, *COMPRESSED)
    too_small = -abs(max(mode.width, mode.height) - MAX_SIDE)
    return round(mode.fps), too_small, mode.height, -formats.index(mode.pixels)


def read_modes(path: str) -> list[CameraMode]:
    """The modes of the camera with a device file; none where the system or the driver does not tell."""
    with contextlib.suppress(ImportError, OSError), _opened(path) as ask:
        return list_modes(ask)
    return []


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Ask]:
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield lambda request, data: fcntl.ioctl(handle, request, data)
    finally:
        os.close(handle)


def _answers(ask: Ask, request: int, structure: struct.Struct, *fields: Any) -> Iterator[tuple[Any, ...]]:
    """The entries of one of the driver's lists, until it says that there are no more."""
    for index in range(_MOST):
        empty = bytearray(structure.size)
        struct.pack_into(f"={1 + len(fields)}I", empty, 0, index, *fields)
        try:
            yield structure.unpack(ask(request, bytes(empty)))
        except OSError:
            return


def _formats(ask: Ask) -> list[str]:
    codes = [entry[4] for entry in _answers(ask, _ENUM_FORMAT, _FORMAT, _CAPTURE)]
    return [code.to_bytes(4, "little").decode("latin-1") for code in codes]


def _sizes(ask: Ask, code: int) -> list[tuple[int, int]]:
    sizes = []
    for entry in _answers(ask, _ENUM_SIZE, _SIZE, code):
        if entry[2] == _DISCRETE:
            sizes.append((entry[3], entry[4]))
        else:
            low_w, high_w, _, low_h, high_h, _ = entry[3:9]
            return [(min(max(640, low_w), high_w), min(max(480, low_h), high_h))]
    return sizes


def _rates(ask: Ask, code: int, width: int, height: int) -> list[float]:
    rates = []
    for entry in _answers(ask, _ENUM_INTERVAL, _INTERVAL, code, width, height):
        shortest, longest = (entry[5], entry[6]), (entry[7], entry[8])
        if not all(shortest):
            continue
        fps = shortest[1] / shortest[0]
        if entry[4] != _DISCRETE:
            least = longest[1] / longest[0] if all(longest) else fps
            return [min(fps, max(least, rate)) for rate in (30.0, 60.0, MAX_FPS)]
        rates.append(fps)
    return rates
