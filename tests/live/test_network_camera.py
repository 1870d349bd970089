"""A camera over HTTP (MJPEG) that is faster than its reader, stops, and comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from streaming.devices.cameras.live_capture import network_camera
from streaming.errors import SourceError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from tests.live.mjpeg_camera import mjpeg_camera, number_of

pytestmark = pytest.mark.live


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up_ns = clock.now_ns() + int(seconds * 1e9)
    while not what():
        assert clock.now_ns() < give_up_ns, "it never happened"
        threading.Event().wait(0.02)


def test_a_slow_reader_sees_the_newest_frame_and_a_lost_camera_comes_back() -> None:
    context = Context(Show(), Metrics())
    notes: list[str] = []

    def heard(text: str) -> bool:
        notes.extend(context.metrics.take().notes)
        return any(text in line for line in notes)

    with mjpeg_camera() as camera:
        port = camera.port
        source = network_camera(f"http://127.0.0.1:{port}/", retry_s=0.2)
        try:
            source.open(context)
            behind = []
            for _ in range(8):  # a reader at 4 frames a second
                threading.Event().wait(0.25)
                frame = source.poll(clock.now_ns())
                assert frame is not None
                behind.append(camera.number() - number_of(frame))
            # Without the draining thread it would be 6 more behind at each reading: 40 and more at the end.
            assert sorted(behind)[len(behind) // 2] <= 6
            assert behind[-1] <= 15
            assert context.metrics.take().counters["drops"] >= 10

            camera.close()
            wait_for(lambda: heard("camera lost"))
            source.poll(clock.now_ns())
            assert source.poll(clock.now_ns()) is None
            with mjpeg_camera(port):
                wait_for(lambda: heard("camera back"))
                wait_for(lambda: source.poll(clock.now_ns()) is not None)
            assert len([line for line in notes if "camera lost" in line]) == 1
        finally:
            source.close()


def test_an_address_where_nobody_listens_gets_one_line() -> None:
    with mjpeg_camera() as camera:
        port = camera.port
    source = network_camera(f"http://127.0.0.1:{port}/")
    with pytest.raises(SourceError, match="gives no picture"):
        source.open(Context(Show(), Metrics()))
    source.close()


def test_a_camera_that_hangs_sends_garbage_and_comes_back_with_another_size_goes_on() -> None:
    context = Context(Show(), Metrics())
    notes: list[str] = []
    counted: Counter[str] = Counter()

    def heard(text: str, times: int = 1) -> bool:
        health = context.metrics.take()
        notes.extend(health.notes)
        counted.update(health.counters)
        return sum(text in line for line in notes) >= times

    def shape() -> tuple[int, ...] | None:
        frame = source.poll(clock.now_ns())
        return None if frame is None else frame.image.shape[:2]

    def newest() -> int:
        frame = source.poll(clock.now_ns())
        return -1 if frame is None else number_of(frame)

    with mjpeg_camera() as camera:
        source = network_camera(f"http://127.0.0.1:{camera.port}/", retry_s=0.2)
        try:
            source.open(context)
            wait_for(lambda: shape() == (120, 240))
            camera.height = 200
            resized = camera.number() + 10
            # Within a connection FFmpeg's reader scales the pictures to the first one's size.
            wait_for(lambda: camera.number() > resized + 5 and newest() >= resized)
            camera.sends = False
            hung_ns = clock.now_ns()
            wait_for(lambda: heard("camera lost"))
            assert clock.now_ns() - hung_ns < 4_500_000_000
            camera.sends = True
            back_ns = clock.now_ns()
            wait_for(lambda: heard("camera back"))
            assert clock.now_ns() - back_ns < 4_500_000_000, "an attempt that hangs may have to time out first"
            camera.garbage = bytes(range(256)) * 40
            wait_for(lambda: heard("camera lost", 2))
            camera.garbage, camera.height = b"", 60
            wait_for(lambda: heard("camera back", 2))
            wait_for(lambda: shape() == (60, 240))
            heard("")
        finally:
            source.close()
    assert (counted["device_lost"], counted["device_back"]) == (2, 2)
    assert counted["away_ms"] > 0
    assert context.info["away"] is False
