"""What the console serves for browsers as devices: the page, and WHIP and WHEP for OBS and others.

WHIP (RFC 9725) takes a sender's camera and microphone, WHEP gives the show's pictures and sound: an offer is posted,
the answer comes back with the address at which the connection is ended. The console only passes them on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streaming.devices.browser.local_link import MAX_LINE
from streaming.devices.browser.offer_text import MAX_OFFER

OFFER_S, ANSWER_S = 5.0, 20.0
"""In which an offer must have come, and in which the browser process must answer."""
STATIC = Path(__file__).with_name("static")
FILES = {
    "/play": ("play.html", "text/html; charset=utf-8"),
    "/play.js": ("play.js", "text/javascript; charset=utf-8"),
    "/play.css": ("play.css", "text/css; charset=utf-8"),
}
WAYS = {"/whip": "publish", "/whep": "view"}


class BrowserRoutes:
    """The routes.

    Args:
        path: of the browser process's socket.
        headers: of every answer.
    """

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        self._path, self._headers = path, dict(headers)

    def routes(self) -> list[Route]:
        """All of them."""
        found = [Route(place, self._file(*file), methods=["GET"]) for place, file in FILES.items()]
        found.append(Route("/play/kinds", self._kinds, methods=["GET"]))
        for place, do in WAYS.items():
            found.append(Route(place, self._offer(place, do), methods=["POST"]))
            found.append(Route(f"{place}/{{name}}", self._end, methods=["DELETE"]))
        return found

    def _file(self, name: str, kind: str) -> Callable[[Request], Response]:
        data = (STATIC / name).read_bytes()
        return lambda request: Response(data, 200, self._headers, kind)

    async def _kinds(self, request: Request) -> Response:
        """Which devices of the show are browsers."""
        return JSONResponse(await self._ask({"do": "kinds"}), 200, self._headers)

    def _offer(self, place: str, do: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/sdp":
                return self._refuse(415, "an offer is application/sdp")
            try:
                async with asyncio.timeout(OFFER_S):
                    offer = await _body(request)
            except (TimeoutError, ClientDisconnect):
                return self._refuse(408, "the offer did not come in time")
            except UnicodeDecodeError:
                return self._refuse(400, "the offer is no text")
            if offer is None:
                return self._refuse(413, f"the offer is too long: {MAX_OFFER} bytes are taken")
            reply = await self._ask({"do": do, "offer": offer})
            if reply.get("status") != 201:
                return self._refuse(int(reply.get("status", 503)), str(reply.get("refused", "no answer")))
            headers = {**self._headers, "Location": f"{place}/{reply['name']}"}
            return Response(str(reply["answer"]), 201, headers, "application/sdp")

        return answer

    async def _end(self, request: Request) -> Response:
        reply = await self._ask({"do": "end", "name": request.path_params["name"]})
        if reply.get("status") != 200:
            return self._refuse(404, "there is no such connection")
        return Response(b"", 200, self._headers)

    def _refuse(self, status: int, why: str) -> Response:
        return PlainTextResponse(why + "\n", status, self._headers)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The browser process's answer; one with status 503 where there is none."""
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=MAX_LINE)
                try:
                    writer.write(json.dumps(question).encode() + b"\n")
                    await writer.drain()
                    reply = json.loads(await reader.readline())
                finally:
                    writer.close()
        except (OSError, ValueError, AttributeError, TimeoutError):
            why = "no device of this show is a browser: start it with --camera browser, for example"
            return {"status": 503, "refused": why, "kinds": []}
        return reply if isinstance(reply, dict) else {"status": 503, "refused": "no answer", "kinds": []}


async def _body(request: Request) -> str | None:
    """A request's body as text; None when it is too long."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_OFFER:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_OFFER:
            return None
        parts.append(part)
    return b"".join(parts).decode()
