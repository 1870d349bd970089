"""A camera over HTTP (MJPEG) that is faster than its reader, stops, and comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from streaming.devices.cameras.frames import Frame
from streaming.devices.cameras.live_capture import network_camera
from streaming.errors import SourceError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock

pytestmark = pytest.mark.live

PERIOD_NS = 40_000_000
BITS = 12


def picture(number: int, height: int = 120) -> bytes:
    """A JPEG that carries its number as black and white stripes."""
    image = np.zeros((height, 20 * BITS, 3), np.uint8)
    for bit in range(BITS):
        image[:, 20 * bit : 20 * bit + 20] = 255 * (number >> bit & 1)
    good, data = cv2.imencode(".jpg", image)
    assert good
    return bytes(data.tobytes())


def number_of(frame: Frame) -> int:
    return sum(int(frame.image[60, 20 * bit + 10, 0] > 128) << bit for bit in range(BITS))


class MjpegCamera:
    """Serves frame n at its time; knows when each was sent.

    Attributes:
        height: of its pictures, in pixels.
        sends: whether it sends any; a camera that hangs keeps its connection.
        garbage: sends this in place of pictures.
    """

    def __init__(self, port: int = 0) -> None:
        self.height, self.sends, self.garbage = 120, True, b""
        self.stop = threading.Event()
        self.begun_ns = clock.now_ns()
        camera = self

        class CameraHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    while not camera.stop.is_set():
                        number = camera.number()
                        if not camera.sends:
                            camera.stop.wait(0.05)
                            continue
                        data = camera.garbage or picture(number, camera.height)
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        self.wfile.write(head.encode() + data + b"\r\n")
                        clock.sleep_until(camera.begun_ns + (number + 1) * PERIOD_NS)
                except OSError:
                    return

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), CameraHandler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def number(self) -> int:
        return (clock.now_ns() - self.begun_ns) // PERIOD_NS

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@contextmanager
def mjpeg_camera(port: int = 0) -> Iterator[MjpegCamera]:
    camera = MjpegCamera(port)
    try:
        yield camera
    finally:
        camera.close()


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
