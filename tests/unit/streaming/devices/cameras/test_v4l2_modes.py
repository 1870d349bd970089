"""What a camera lists, by a driver that answers as Linux does, and which of it is asked for."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from streaming.devices.cameras.v4l2_modes import CameraMode, choose_mode, list_modes, read_modes

LISTED = [
    CameraMode("YUYV", 640, 480, 30.0),
    CameraMode("YUYV", 640, 480, 15.0),
    CameraMode("YUYV", 1280, 720, 10.0),
    CameraMode("MJPG", 640, 480, 60.0),
    CameraMode("MJPG", 640, 480, 30.0),
    CameraMode("MJPG", 1280, 720, 30.0),
    CameraMode("MJPG", 320, 240, 120.0),
]


T = TypeVar("T")


class FakeDriver:
    """Answers the kernel's requests from a list of modes; the requests' numbers are those of linux/videodev2.h."""

    def __init__(self, modes: list[CameraMode]) -> None:
        self.modes = modes

    def __call__(self, request: int, data: bytes) -> bytes:
        number, size = request & 0xFF, request >> 16 & 0x3FFF
        assert request >> 30 == 3
        assert request >> 8 & 0xFF == ord("V")
        assert size == len(data)
        index, *asked = struct.unpack_from("=5I", data)
        if number == 2:
            assert asked[0] == 1
            code = self.code(self.entry(list(dict.fromkeys(mode.pixels for mode in self.modes)), index))
            return struct.pack("=III32sI", index, 1, 0, b"a format", code).ljust(size, b"\0")
        if number == 74:
            sizes = dict.fromkeys((m.width, m.height) for m in self.modes if self.code(m.pixels) == asked[0])
            return struct.pack("=5I", index, asked[0], 1, *self.entry(list(sizes), index)).ljust(size, b"\0")
        assert number == 75
        wanted = tuple(asked[:3])
        rates = [m.fps for m in self.modes if (self.code(m.pixels), m.width, m.height) == wanted]
        rate = self.entry(rates, index)
        return struct.pack("=7I", index, *wanted, 1, 1000, round(1000 * rate)).ljust(size, b"\0")

    @staticmethod
    def code(pixels: str) -> int:
        return int.from_bytes(pixels.encode(), "little")

    @staticmethod
    def entry(entries: Sequence[T], index: int) -> T:
        if index >= len(entries):
            raise OSError(22, "Invalid argument")
        return entries[index]


def test_everything_that_a_driver_lists_is_read() -> None:
    assert sorted(list_modes(FakeDriver(LISTED)), key=str) == sorted(LISTED, key=str)


def test_sizes_and_rates_in_steps_are_cut_to_what_a_show_wants() -> None:
    def driver(request: int, data: bytes) -> bytes:
        number = request & 0xFF
        (index,) = struct.unpack_from("=I", data)
        if index:
            raise OSError(22, "Invalid argument")
        if number == 2:
            answer = struct.pack("=III32sI", 0, 1, 0, b"", FakeDriver.code("YUYV"))
        elif number == 74:
            answer = struct.pack("=9I", 0, 0, 3, 160, 1920, 16, 120, 1080, 8)
        else:
            answer = struct.pack("=9I", 0, 0, 640, 480, 3, 1, 90, 1, 5)
        return answer.ljust(len(data), b"\0")

    assert list_modes(driver) == [CameraMode("YUYV", 640, 480, fps) for fps in (30.0, 60.0, 90.0)]


def test_a_driver_that_answers_nothing_or_without_end_lists_little() -> None:
    def refuses(request: int, data: bytes) -> bytes:
        raise OSError(25, "Inappropriate ioctl for device")

    def endless(request: int, data: bytes) -> bytes:
        return data[:4].ljust(len(data), b"\0")

    assert list_modes(refuses) == []
    assert len(list_modes(endless)) < 1000


@pytest.mark.parametrize(
    ("modes", "chosen"),
    [
        (LISTED, CameraMode("MJPG", 640, 480, 60.0)),
        (LISTED[:2], CameraMode("YUYV", 640, 480, 30.0)),
        ([*LISTED, CameraMode("YUYV", 640, 480, 60.0)], CameraMode("YUYV", 640, 480, 60.0)),
        ([*LISTED, CameraMode("MJPG", 640, 360, 120.0)], CameraMode("MJPG", 640, 360, 120.0)),
        ([*LISTED, CameraMode("H264", 640, 480, 120.0)], CameraMode("MJPG", 640, 480, 60.0)),
        ([*LISTED, CameraMode("MJPG", 1920, 1080, 60.0)], CameraMode("MJPG", 640, 480, 60.0)),
        ([*LISTED, CameraMode("YUYV", 640, 480, 240.0)], CameraMode("MJPG", 640, 480, 60.0)),
        ([CameraMode("GREY", 320, 240, 30.0)], None),
        ([], None),
    ],
)
def test_the_most_frames_then_the_best_size_then_no_compression(
    modes: list[CameraMode], chosen: CameraMode | None
) -> None:
    assert choose_mode(modes) == chosen


def test_a_file_that_is_no_camera_has_no_modes(tmp_path: Path) -> None:
    file = tmp_path / "video0"
    file.write_bytes(b"no camera")
    assert read_modes(str(file)) == []
    assert read_modes(str(tmp_path / "absent")) == []
