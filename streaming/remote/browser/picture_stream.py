"""The pictures of `--screen web`: what the console serves, a bare page, and motion JPEG for VLC, FFmpeg and OBS too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

STATIC = Path(__file__).with_name("static")
FILES = {
    "/screen": ("screen.html", "text/html; charset=utf-8"),
    "/screen.js": ("screen.js", "text/javascript; charset=utf-8"),
    "/screen.css": ("screen.css", "text/css; charset=utf-8"),
}
MOST_VIEWERS = 8
"""That are sent pictures at once."""
_BORDER = "antiphon"


class PictureStream:
    """Sends every viewer the newest picture when it has taken the last one.

    A slow viewer misses pictures and delays nobody; one that takes nothing is cut off by the server. Used in the
    server's thread only.

    Args:
        jpeg: gives the newest picture; empty where there is none. It is made once for all viewers.
        changed: called when a viewer has come or gone.
        headers: of every answer.

    Attributes:
        viewers: how many are sent pictures.
    """

    def __init__(self, jpeg: Callable[[], bytes], changed: Callable[[], object], headers: Mapping[str, str]) -> None:
        self._jpeg, self._changed, self._headers = jpeg, changed, dict(headers)
        self.viewers = 0
        self._news = asyncio.Event()

    def routes(self) -> list[Route]:
        """All of them."""
        pages = [Route(place, self._file(*file), methods=["GET"]) for place, file in FILES.items()]
        return [*pages, Route("/picture", self._answer, methods=["GET"])]

    def wake(self) -> None:
        """There is a newer picture."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def send_to(self, receive: Receive, send: Send) -> None:
        """Send pictures to one viewer until it goes."""
        self.viewers += 1
        self._changed()
        gone, sent = asyncio.create_task(_until_gone(receive)), b""
        gone.add_done_callback(lambda _: self.wake())
        try:
            head = {**self._headers, "Content-Type": f"multipart/x-mixed-replace; boundary={_BORDER}"}
            fields = [(name.lower().encode(), value.encode()) for name, value in head.items()]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            while not gone.done():
                news, data = self._news, self._jpeg()
                if data is not sent and data:
                    sent = data
                    part = f"--{_BORDER}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    body = part.encode() + data + b"\r\n"
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                await news.wait()
        finally:
            gone.cancel()
            self.viewers -= 1
            self._changed()

    async def _answer(self, request: Request) -> Response:
        if self.viewers >= MOST_VIEWERS:
            return PlainTextResponse(f"{MOST_VIEWERS} see the pictures already\n", 503, self._headers)
        return _Pictures(self)

    def _file(self, name: str, kind: str) -> Callable[[Request], Response]:
        data = (STATIC / name).read_bytes()
        return lambda request: Response(data, 200, self._headers, kind)


class _Pictures(Response):
    """The answer that does not end."""

    def __init__(self, stream: PictureStream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stream.send_to(receive, send)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
