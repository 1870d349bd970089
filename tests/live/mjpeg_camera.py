"""A camera over HTTP (MJPEG) that does what a test wants: its pictures carry their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from streaming.devices.cameras.frames import Frame
from streaming.timing import clock

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
        frozen: sends the picture of this number for ever; 0 is black.
    """

    def __init__(self, port: int = 0) -> None:
        self.height, self.sends, self.garbage = 120, True, b""
        self.frozen: int | None = None
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
                        shown = number if camera.frozen is None else camera.frozen
                        data = camera.garbage or picture(shown, camera.height)
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
