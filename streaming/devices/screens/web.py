"""A page that shows the newest picture in any browser: motion JPEG from a server on this machine only."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.devices.screens.device import Count, Image, Note
from streaming.errors import SourceError

DEFAULT_PORT, LAST_PORT = 8025, 65_535
QUALITY = 90
MOST = 8
"""Browsers that may be connected at once."""
_WAIT_S = 1.0
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>Antiphon</title>
<style>html,body{margin:0;height:100%;background:#000}img{width:100%;height:100%;object-fit:contain;cursor:none}</style>
<img src="picture" alt="the moving picture" onclick="document.documentElement.requestFullscreen()">"""
_BORDER = b"antiphon"


class PictureServer:
    """Serves a page at `/` and the pictures as motion JPEG at `/picture`.

    A browser gets the newest picture when it has received the last one, so a slow browser misses pictures and delays
    nobody. Nothing is encoded while no browser is connected.

    Args:
        port: of 127.0.0.1; 0 for any.

    Attributes:
        url: the page's address.
        encoded: how many pictures were made into JPEG so far.

    Raises:
        SourceError: when the port cannot be opened.
    """

    def __init__(self, port: int) -> None:
        self._changed = threading.Condition()
        self._picture: NDArray[np.uint8] | None = None
        self._newest: tuple[int, bytes] = (0, b"")
        self.encoded = 0
        self._number = 0
        self._looking = 0
        self._ended = False
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        except OSError as error:
            fix = "end the program that uses it, or choose another: --screen web:PORT"
            raise SourceError(f"the port cannot be opened ({error.strerror})", f"127.0.0.1:{port}", fix) from error
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="web", daemon=True)
        self._thread.start()

    def offer(self, picture: NDArray[np.uint8]) -> None:
        """Make this the newest picture, uint8 [H, W, 3]; the caller must not write to it afterwards."""
        with self._changed:
            self._picture = picture
            self._number += 1
            self._changed.notify_all()

    def newer(self, than: int) -> tuple[int, bytes] | None:
        """Wait for a picture newer than number `than`; gives its number and JPEG data, or None once the server ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > than or self._ended, _WAIT_S)
            if self._ended:
                return None
            number, picture = self._number, self._picture
            if picture is None or number <= than:
                return than, b""
            if self._newest[0] == number:
                return self._newest
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        encoded = (number, data.tobytes() if done else b"")
        with self._changed:
            self.encoded += 1
            if number > self._newest[0]:
                self._newest = encoded
        return encoded

    def begin(self) -> bool:
        """Count a browser in; False when too many are connected."""
        with self._changed:
            if self._looking >= MOST:
                return False
            self._looking += 1
            return True

    def end(self) -> None:
        """Count a browser out."""
        with self._changed:
            self._looking -= 1

    def close(self) -> None:
        """Disconnect all browsers and close the port."""
        with self._changed:
            ended, self._ended = self._ended, True
            self._changed.notify_all()
        if not ended:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(2.0)


def _handler_of(server: PictureServer) -> type[BaseHTTPRequestHandler]:
    """The class that answers requests to one server."""

    class PageHandler(BaseHTTPRequestHandler):
        timeout = 10.0

        def log_message(self, *_: Any) -> None:
            """Print nothing into the show's terminal."""

        def do_GET(self) -> None:
            if self.path in ("/", "/index.html"):
                self._send("text/html; charset=utf-8", _PAGE)
            elif self.path.partition("?")[0] == "/picture":
                self._stream()
            else:
                self.send_error(404)

        def _send(self, kind: str, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self) -> None:
            if not server.begin():
                self.send_error(503, "too many browsers are connected")
                return
            try:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BORDER.decode()}")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                number = 0
                while (newer := server.newer(number)) is not None:
                    number, data = newer
                    if data:
                        head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (_BORDER, len(data))
                        self.wfile.write(head + data + b"\r\n")
            except OSError:
                return  # The browser has disconnected.
            finally:
                server.end()

    return PageHandler


class WebScreen:
    """A page on this machine that any browser shows, full screen if it likes.

    Args:
        port: of 127.0.0.1; 0 for any.

    Raises:
        UserError: when the port is taken.
    """

    def __init__(self, port: int = DEFAULT_PORT) -> None:
        self._server = PictureServer(port)
        self.name = self._server.url

    def set_size(self, size: tuple[int, int]) -> None:
        """Do nothing: a browser fits the picture into its window."""

    def show(self, tick: int, picture: Image) -> None:
        """Offer it to the browsers."""
        self._server.offer(picture)

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Do nothing: the sound comes from the speaker."""

    def requests(self) -> list[str]:
        """Nothing is asked for."""
        return []

    def close(self) -> None:
        """End the page."""
        self._server.close()


def open_page(port: str, note: Note, count: Count) -> WebScreen:
    """A page for browsers, on a port of this machine.

    Raises:
        UserError: when the port cannot be opened.
    """
    number = int(port) if port else DEFAULT_PORT
    if number > LAST_PORT:
        raise SourceError(f"has no such port; the last one is {LAST_PORT}", f"--screen web:{port}", "choose another")
    screen = WebScreen(number)
    note(f"the picture is at {screen.name}")
    return screen
