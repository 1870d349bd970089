"""Webcams and network cameras: only the newest frame, and one that vanishes comes back."""

from __future__ import annotations

import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streaming.devices.cameras import live_capture
from streaming.devices.cameras.driver_stamps import ARRIVAL, DRIVER
from streaming.devices.cameras.live_capture import BUFFERS, LiveCapture, stable_name, webcam, without_password
from streaming.devices.cameras.v4l2_modes import CameraMode
from streaming.errors import DeviceLostError, SourceError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from tests.unit.streaming.devices.camera_clock import MS


class FakeCapture:
    """A camera fed by a test: an image, or None for a failed grab; "gone" when it cannot be opened.

    `stamp_ms`: what its driver stamps the newest frame with.
    """

    def __init__(self, feed: queue.Queue[Any], *, good: bool = True, stamp_ms: Callable[[], float] = float) -> None:
        self._feed, self._good, self._stamp_ms = feed, good, stamp_ms
        self.properties: list[tuple[int, float]] = []
        self._image: Any = None

    def grab(self) -> bool:
        if not self._good:
            return False
        try:
            self._image = self._feed.get(timeout=0.05)
        except queue.Empty:
            self._image = None
        return self._image is not None

    def retrieve(self) -> tuple[bool, Any]:
        return True, self._image

    def get(self, prop: int, /) -> float:
        return self._stamp_ms() if prop == cv2.CAP_PROP_POS_MSEC else 30.0

    def set(self, prop: int, value: float, /) -> bool:
        self.properties.append((prop, value))
        return True

    def release(self) -> None:
        self._image = None


class CaptureBench:
    """A fake camera, and a stage that counts its wakes."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self.feed: queue.Queue[Any] = queue.Queue(100)
        self.there = threading.Event()
        self.there.set()
        self.woken = threading.Semaphore(0)
        self.context = Context(Show(), Metrics(), wake=self.woken.release)
        self.time_ns = 0
        self.source = LiveCapture(
            self.connect, "webcam 9", "plug it in", open_timeout_s=timeout_s, now_ns=self.now_ns, retry_s=0.01
        )
        self.heard: list[str] = []
        self.counted: Counter[str] = Counter()

    def connect(self) -> FakeCapture:
        return FakeCapture(self.feed, good=self.there.is_set())

    def now_ns(self) -> int:
        self.time_ns += 33 * MS
        return self.time_ns

    def wait_for_note(self, text: str) -> None:
        give_up_ns = clock.now_ns() + 10_000 * MS
        while clock.now_ns() < give_up_ns:
            health = self.context.metrics.take()
            self.heard += health.notes
            self.counted.update(health.counters)
            if any(text in line for line in self.heard):
                return
            self.woken.acquire(timeout=0.05)
        raise AssertionError(f"no note with {text!r} in {self.heard}")


def picture(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def test_only_the_newest_frame_is_kept() -> None:
    bench = CaptureBench()
    for value in range(5):
        bench.feed.put(picture(value))
    bench.source.open(bench.context)
    for _ in range(5):
        assert bench.woken.acquire(timeout=5)
    frame = bench.source.poll(0)
    assert frame is not None
    assert (frame.index, int(frame.image[0, 0, 0]), frame.capture_ns) == (4, 4, 5 * 33 * MS)
    assert bench.source.poll(0) is None
    bench.source.close()
    assert bench.context.metrics.take().counters["drops"] == 4


def test_a_camera_that_vanishes_is_noted_once_and_comes_back() -> None:
    bench = CaptureBench()
    bench.feed.put(picture(1))
    bench.source.open(bench.context)
    bench.there.clear()
    bench.wait_for_note("camera lost")
    bench.source.poll(0)
    assert bench.source.poll(0) is None  # nothing is published while it is lost
    bench.feed.put(picture(2))
    bench.there.set()
    bench.wait_for_note("camera back")
    frame = bench.source.poll(0)
    bench.source.close()
    assert frame is not None
    assert frame.index == 1
    assert len([line for line in bench.heard if "camera lost" in line]) == 1
    assert bench.counted["device_lost"] == bench.counted["device_back"] == 1
    assert bench.context.info["away"] is False


def test_a_camera_that_is_not_there_gets_one_line() -> None:
    bench = CaptureBench()
    bench.there.clear()
    with pytest.raises(SourceError, match="webcam 9: the camera gives no picture; plug it in"):
        bench.source.open(bench.context)
    bench.source.close()


def test_a_restarted_stage_waits_for_a_camera_that_is_gone() -> None:
    bench = CaptureBench(timeout_s=0.0)
    bench.there.clear()
    bench.source.open(bench.context)
    bench.wait_for_note("camera lost")
    bench.feed.put(picture(2))
    bench.there.set()
    bench.wait_for_note("camera back")
    bench.source.close()


def test_a_driver_that_hangs_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    def connect() -> FakeCapture:
        release.wait(30)
        return FakeCapture(queue.Queue(), good=False)

    source = LiveCapture(connect, "webcam 9", "plug it in", open_timeout_s=0.05)
    context = Context(Show(), Metrics())
    with pytest.raises(SourceError):
        source.open(context)
    source.close()
    release.set()


def test_a_driver_that_hangs_while_performing_is_lost_and_left_to_a_new_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_capture, "SILENT_NS", 100 * MS)
    monkeypatch.setattr(live_capture, "STUCK_NS", 400 * MS)
    bench, release = CaptureBench(), threading.Event()

    class HangingCapture(FakeCapture):
        def grab(self) -> bool:
            if self._feed.empty():
                release.wait(30.0)
            return super().grab()

    source = LiveCapture(lambda: HangingCapture(bench.feed), "webcam 9", "plug it in")
    bench.feed.put(picture(1))
    source.open(bench.context)
    assert source.poll(0) is not None
    wake_ns = source.wake_ns()
    assert wake_ns is not None, "the stage looks after it also without frames"

    def look() -> None:
        for _ in range(1_000):
            source.poll(0)
            threading.Event().wait(0.01)

    with pytest.raises(DeviceLostError, match="webcam 9"):
        look()
    bench.wait_for_note("camera lost")
    release.set()
    source.close()


def test_a_grab_that_fails_after_a_long_wait_means_that_the_camera_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_capture, "SLOW_FAILURE_NS", 10 * MS)
    monkeypatch.setattr(live_capture, "MAX_FAILURES", 10_000)
    bench = CaptureBench()
    bench.feed.put(picture(1))
    bench.source.open(bench.context)
    bench.there.clear()
    bench.wait_for_note("camera lost")
    bench.source.close()


def test_an_error_that_comes_back_every_second_is_said_once() -> None:
    bench = CaptureBench()
    attempts = []

    def connect() -> FakeCapture:
        attempts.append(1)
        raise RuntimeError("a driver's error")

    source = LiveCapture(connect, "webcam 9", "plug it in", open_timeout_s=0.0, retry_s=0.01)
    source.open(bench.context)
    while len(attempts) < 5:
        threading.Event().wait(0.01)
    source.close()
    assert len([line for line in bench.context.metrics.take().notes if "a driver's error" in line]) == 1


def test_a_webcam_with_another_number_is_known_by_its_link(tmp_path: Path) -> None:
    old, new, links = tmp_path / "video3", tmp_path / "video5", tmp_path / "by-id"
    old.touch()
    links.mkdir()
    link = links / "usb-Maker_Camera-video-index0"
    link.symlink_to(old)
    assert stable_name(str(old), str(links)) == str(link)
    assert stable_name(str(new), str(links)) == ""
    assert stable_name(str(old), str(tmp_path / "none")) == ""
    feed: queue.Queue[Any] = queue.Queue(100)
    opened: list[int | str] = []

    def open_capture(device: int | str, backend: int) -> FakeCapture:
        opened.append(device)
        return FakeCapture(feed, good=Path(str(device)).exists())

    feed.put(picture(1))
    source = webcam(str(old), modes_of=lambda path: [], open_capture=open_capture, links=str(links))
    context = Context(Show(), Metrics())
    source.open(context)
    link.unlink()
    old.unlink()
    while "camera lost" not in " ".join(context.metrics.take().notes):
        threading.Event().wait(0.01)
    new.touch()
    link.symlink_to(new)
    feed.put(picture(2))
    while "camera back" not in " ".join(context.metrics.take().notes):
        threading.Event().wait(0.01)
    source.close()
    assert opened[0] == str(old)
    assert opened[-1] == str(new)


def test_a_password_is_not_shown() -> None:
    assert without_password("rtsp://user:secret@10.0.0.2:554/a") == "rtsp://***@10.0.0.2:554/a"
    assert without_password("http://10.0.0.2/a?b=c@d") == "http://10.0.0.2/a?b=c@d"


@pytest.mark.parametrize(("stamped", "delay_ms"), [(True, 21), (False, None)])
def test_a_frame_has_the_time_of_its_drivers_stamp_where_that_is_true(stamped: bool, delay_ms: int | None) -> None:
    feed: queue.Queue[Any] = queue.Queue(100)
    woken = threading.Semaphore(0)
    time_ns = 5_000 * MS

    def now_ns() -> int:
        nonlocal time_ns
        time_ns += 33 * MS
        return time_ns

    capture = FakeCapture(feed, stamp_ms=lambda: time_ns / MS - 21)
    source = LiveCapture(lambda: capture, "webcam 9", "plug it in", now_ns=now_ns, stamped=stamped)
    for value in range(20):
        feed.put(picture(value))
    source.open(Context(Show(), Metrics(), wake=woken.release))
    for _ in range(20):
        assert woken.acquire(timeout=5)
    frame = source.poll(0)
    source.close()
    assert frame is not None
    assert frame.capture_ns == (5_000 + 20 * 33 - (delay_ms or 0)) * MS
    assert (source.stamps, source.stamp_delay_ms) == (DRIVER if stamped else ARRIVAL, delay_ms)
    assert source.free_running


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Video4Linux is Linux")
@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ([CameraMode("YUYV", 640, 480, 30.0), CameraMode("MJPG", 640, 480, 60.0)], ("MJPG", 640, 480, 60.0)),
        ([], ("", 640, 480, 30.0)),
    ],
)
def test_a_webcam_is_asked_for_the_most_frames_that_it_lists(
    modes: list[CameraMode], wanted: tuple[str, int, int, float]
) -> None:
    feed: queue.Queue[Any] = queue.Queue(100)
    feed.put(picture(1))
    capture = FakeCapture(feed)
    asked: list[Any] = []

    def open_capture(device: int | str, backend: int) -> FakeCapture:
        asked.append((device, backend))
        return capture

    def modes_of(path: str) -> list[CameraMode]:
        asked.append(path)
        return modes

    source = webcam(3, modes_of=modes_of, open_capture=open_capture)
    source.open(Context(Show(), Metrics()))
    source.close()
    pixels, width, height, fps = wanted
    assert asked[:2] == ["/dev/video3", (3, cv2.CAP_V4L2)]
    code = [(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixels))] if pixels else []  # noqa: TID251 - only its code
    assert capture.properties == [
        (cv2.CAP_PROP_BUFFERSIZE, BUFFERS),
        *code,
        (cv2.CAP_PROP_FRAME_WIDTH, width),
        (cv2.CAP_PROP_FRAME_HEIGHT, height),
        (cv2.CAP_PROP_FPS, fps),
    ]
