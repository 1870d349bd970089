"""A web server on this machine for one page: the newest picture as motion JPEG. One thread, one event loop.

What strangers may do is bounded: so many connections, so many browsers, so long for a request and for taking a picture.
A page of another site cannot use it: the names `Host` and `Origin` must be this machine's own, so that a name that is
pointed at 127.0.0.1 (DNS rebinding) is refused.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.errors import SourceError
from streaming.system.realtime import take_normal_priority

QUALITY = 90
MAX_BROWSERS = 8
"""Browsers that are sent pictures at once."""
MAX_CONNECTIONS = 32
"""Connections at once, those that have not sent their request yet included; of these the oldest makes room."""
HEAD_S, TAKE_S = 5.0, 10.0
"""Seconds in which a request must have come, and in which a browser must take a picture."""
MAX_HEAD_BYTES = 8_192
_SEND_BYTES = 262_144
"""Kernel buffer of a connection: what lies in it when a new picture comes is shown late."""
_SCRIPT = "document.querySelector('img').onclick=()=>document.documentElement.requestFullscreen()"
_PAGE = f"""<!doctype html><meta charset="utf-8"><title>Antiphon</title>
<style>html,body{{margin:0;height:100%;background:#000}}img{{width:100%;height:100%;object-fit:contain;cursor:none}}</style>
<img src="picture" alt="the moving picture"><script>{_SCRIPT}</script>""".encode()
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_SAFE_HEADERS = (
    "Cache-Control: no-store",
    "Connection: close",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Content-Security-Policy: default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_BORDER = "antiphon"
_REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 503: "Busy"}


class PictureServer:
    """Serves a page at `/` and the pictures as motion JPEG at `/picture`.

    A browser gets the newest picture when it has received the last one, so a slow browser misses pictures and delays
    nobody. Nothing is encoded while no browser is connected.

    Args:
        port: of 127.0.0.1; 0 for any.

    Attributes:
        url: the page's address.
        encoded: how many pictures were made into JPEG so far.
        refused: how many connections and requests were turned away so far.

    Raises:
        SourceError: when the port cannot be opened.
    """

    def __init__(self, port: int) -> None:
        self.encoded = self.refused = 0
        self._picture: NDArray[np.uint8] | None = None
        self._number = 0
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._browsers = 0
        self._waiting: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._socket = _listen(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._loop = asyncio.new_event_loop()
        self._end, self._changed = asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def offer(self, picture: NDArray[np.uint8]) -> None:
        """Make this the newest picture, uint8 [H, W, 3]; the caller must not write to it afterwards."""
        self._picture, self._number = picture, self._number + 1
        if self._browsers:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Disconnect all browsers and close the port; may be called twice."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(2.0)

    def _run(self) -> None:
        # A screen has a real-time priority for its pictures; strangers' requests have none.
        take_normal_priority()
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket, limit=MAX_HEAD_BYTES)
        await self._end.wait()
        server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _wake(self) -> None:
        """Let every browser's task see that there is a newer picture."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a connection in a task of its own, or turn it away."""
        if len(self._connections) >= MAX_CONNECTIONS:
            self.refused += 1
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                writer.transport.abort()
                return
            self._waiting.pop(oldest).transport.abort()
            self._connections.discard(oldest)
            oldest.cancel()
        task = self._loop.create_task(self._answer(reader, writer))
        self._connections.add(task)
        self._waiting[task] = writer
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._waiting.pop(task, None)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            if (task := asyncio.current_task()) is not None:
                self._waiting.pop(task, None)
            status, path = check_request(head)
            if status == 200 and path == "/picture":
                await self._stream(writer)
                return
            if status != 200:
                self.refused += 1
                writer.write(_refusal(status))
            else:
                writer.write(_head(200, "text/html; charset=utf-8", len(_PAGE)) + _PAGE)
            await _drain(writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            return  # It has disconnected, sends no request, or does not take the answer.
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        """Send pictures until the browser disconnects, or takes none for `TAKE_S`."""
        if self._browsers >= MAX_BROWSERS:
            self.refused += 1
            writer.write(_refusal(503))
            await _drain(writer)
            return
        self._browsers += 1
        try:
            peer: socket.socket = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
            writer.transport.set_write_buffer_limits(high=0)
            writer.write(_head(200, f"multipart/x-mixed-replace; boundary={_BORDER}"))
            await _drain(writer)
            number = 0
            while not self._end.is_set():
                changed = self._changed
                if self._number == number:
                    await changed.wait()
                    continue
                number, data = self._encode()
                if data:
                    head = f"--{_BORDER}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    writer.write(head.encode() + data + b"\r\n")
                    await _drain(writer)
        finally:
            self._browsers -= 1

    def _encode(self) -> tuple[int, bytes]:
        """The newest picture's number and JPEG data, made once for all browsers."""
        number, picture = self._number, self._picture
        if self._jpeg[0] != number and picture is not None:
            done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            self._jpeg = (number, data.tobytes() if done else b"")
            self.encoded += 1
        return self._jpeg


def check_request(head: bytes) -> tuple[int, str]:
    """The status with which a request is answered, and its path without what follows a question mark.

    Args:
        head: the request up to the empty line.
    """
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return 400, ""
    fields: dict[str, str] = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or (name == "host" and name in fields):
            return 400, ""
        fields[name] = value.strip()
    host = fields.get("host", "")
    if not _OWN_HOST.fullmatch(host) or fields.get("origin", f"http://{host}").lower() != f"http://{host}".lower():
        return 403, ""
    if fields.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return 403, ""
    if words[0] != "GET":
        return 405, ""
    path = words[1].partition("?")[0]
    return (200, path) if path in ("/", "/index.html", "/picture") else (404, "")


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=MAX_CONNECTIONS)
    except OSError as error:
        fix = "end the program that uses it, or choose another: --screen web:PORT"
        raise SourceError(f"the port cannot be opened ({error.strerror})", f"127.0.0.1:{port}", fix) from error


def _head(status: int, kind: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'OK')}", f"Content-Type: {kind}", *_SAFE_HEADERS]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def _refusal(status: int) -> bytes:
    text = f"{status} {_REASONS[status]}\n".encode()
    return _head(status, "text/plain; charset=utf-8", len(text)) + text


async def _drain(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(TAKE_S):
        await writer.drain()
