"""The console's web application: a page, a WebSocket for each browser, and the shelf of images."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from streaming.devices.browser.local_link import socket_path
from streaming.errors import UserError
from streaming.remote.browser.browser_routes import BrowserRoutes
from streaming.remote.browser.picture_stream import PictureStream
from streaming.remote.console.access import HEADERS, AccessGuard, AccessRules
from streaming.remote.console.client_outbox import VIEWS, ClientOutbox
from streaming.remote.console.console_desk import ConsoleDesk
from streaming.remote.console.prior_shelf import MAX_UPLOAD, PriorShelf
from streaming.remote.console.show_watch import ShowWatch
from streaming.remote.installation.status_pages import StatusPages
from streaming.timing import clock

STATIC = Path(__file__).with_name("static")
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
MOST_CLIENTS = 8
"""Browsers that are connected at once."""
MAX_MESSAGE = 4_096
"""Characters of what a browser sends."""
APART_S, APART_BAD_S = 0.004, 0.05
"""Two messages of one browser are read at least so far apart; the longer after one that was refused."""
TAKE_S, UPLOAD_S = 10.0, 60.0
"""In which a browser must take a message, and send an image."""
_BINARY = {"camera": b"\x01", "picture": b"\x02"}


class ConsoleRoom:
    """The browsers that are connected, and what they share.

    Args:
        desk: of the console.
        watch: what is seen and heard.
        hello: what a browser is told first.
        changed: called when browsers have come, gone, turned to another view, or asked for something.
    """

    def __init__(
        self, desk: ConsoleDesk, watch: ShowWatch, hello: dict[str, Any], changed: Callable[[], object]
    ) -> None:
        self.desk, self.watch, self._hello, self._changed = desk, watch, hello, changed
        self.clients: set[ClientOutbox] = set()
        self.refused = 0
        self._uploading, self._decoding = asyncio.Lock(), asyncio.Lock()
        self.pages = StatusPages(lambda: desk.status, changed, HEADERS)
        self.stream = PictureStream(lambda: watch.pictures["picture"].jpeg(full=True), changed, HEADERS)

    def tell(self, kind: str) -> None:
        """Send a kind of state to every browser."""
        if kind == "status":
            self.pages.status_came()
        for client in self.clients:
            client.put(kind)

    def tell_line(self, line: str) -> None:
        """Send a refusal to every browser: the supervisor does not say whose it is."""
        for client in self.clients:
            client.answer({"refused": line})

    def payload(self, kind: str, client: ClientOutbox) -> bytes | dict[str, Any]:
        """What is sent to a browser for a kind: bytes, or what becomes JSON; empty for nothing."""
        if kind in _BINARY:
            jpeg = self.watch.pictures[kind].jpeg(full=client.view == "performance")
            return _BINARY[kind] + jpeg if jpeg else b""
        if kind == "view":
            client.column, values = self.watch.meters(client.column)
            return values
        if kind == "lines":
            lines = list(client.lines)
            client.lines.clear()
            return {"type": "lines", "lines": lines}
        return {"type": "hello", **self._hello} if kind == "hello" else self.desk.payload(kind)

    async def talk(self, socket: WebSocket) -> None:
        """One browser, until it goes."""
        if len(self.clients) >= MOST_CLIENTS:
            self.refused += 1
            await socket.accept()
            await socket.close(1013, f"{MOST_CLIENTS} browsers are connected already")
            return
        await socket.accept()
        client = ClientOutbox()
        client.put("hello", "values", "book", "shelf", "status")
        self.clients.add(client)
        self._changed()
        sending = asyncio.create_task(self._send_all(socket, client))
        try:
            await self._receive_all(socket, client)
        except (WebSocketDisconnect, RuntimeError):
            pass  # It has gone, or it was closed because it took nothing.
        finally:
            self.clients.discard(client)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            self._changed()

    async def _send_all(self, socket: WebSocket, client: ClientOutbox) -> None:
        try:
            while True:
                payload = self.payload(await client.take(), client)
                if not payload:
                    continue
                async with asyncio.timeout(TAKE_S):
                    if isinstance(payload, bytes):
                        await socket.send_bytes(payload)
                    else:
                        await socket.send_text(json.dumps(payload, separators=(",", ":")))
        except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            with contextlib.suppress(Exception):
                if socket.application_state is WebSocketState.CONNECTED:
                    await socket.close(1008)

    async def _receive_all(self, socket: WebSocket, client: ClientOutbox) -> None:
        while True:
            text = await socket.receive_text()
            apart_s = APART_S
            try:
                self._take(text, client)
            except UserError as error:
                apart_s = APART_BAD_S
                client.answer({"refused": str(error)})
            self._changed()
            await asyncio.sleep(apart_s)

    def _take(self, text: str, client: ClientOutbox) -> None:
        if len(text) > MAX_MESSAGE:
            raise UserError("is too long", "what was sent", "reload the page")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError("is no JSON", "what was sent", "reload the page") from error
        if isinstance(message, dict) and message.get("do") == "view":
            client.view = message["view"] if message.get("view") in VIEWS else VIEWS[0]
            return
        self.desk.do(message, clock.now_ns())

    # The shelf.

    async def upload(self, request: Request) -> Response:
        """Take an image, one at a time."""
        shelf, name = self.desk.shelf, request.path_params["name"]
        try:
            if self._uploading.locked():
                raise UserError("is busy with another image", "the shelf", "try again")
            async with self._uploading:
                async with asyncio.timeout(UPLOAD_S):
                    path = await _store(request, shelf)
                async with self._decoding:
                    kept = await asyncio.to_thread(shelf.admit, path, name)
        except UserError as error:
            self.refused += 1
            return JSONResponse({"refused": str(error)}, 413 if "too large" in error.what else 400, HEADERS)
        except (TimeoutError, ClientDisconnect):
            return JSONResponse({"refused": "the image did not come in time"}, 408, HEADERS)
        self.tell("shelf")
        return JSONResponse({"name": kept}, 201, HEADERS)

    async def thumbnail(self, request: Request) -> Response:
        """A small image of the shelf; without a name the shipped one."""
        try:
            async with self._decoding:
                data = await asyncio.to_thread(self.desk.shelf.thumbnail, request.path_params.get("name", ""))
        except UserError as error:
            return JSONResponse({"refused": error.what}, 404, HEADERS)
        return Response(data, 200, {**HEADERS, "Cache-Control": "private, max-age=60"}, "image/jpeg")


async def _store(request: Request, shelf: PriorShelf) -> Path:
    """Write a request's body to a new file on the shelf's folder, as far as it is not too large."""
    too_large = UserError(f"is too large: {MAX_UPLOAD // 1_000_000} MB are taken", "the image", "send a smaller one")
    length = Headers(scope=request.scope).get("content-length", "")
    if length.isdigit() and int(length) > MAX_UPLOAD:
        raise too_large
    handle, path = shelf.new_upload()
    try:
        with os.fdopen(handle, "wb") as file:
            taken = 0
            async for part in request.stream():
                taken += len(part)
                if taken > MAX_UPLOAD:
                    raise too_large
                file.write(part)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise UserError("cannot be kept", "the image", "make room") from error
        raise
    return path


def make_app(room: ConsoleRoom, rules: AccessRules) -> ASGIApp:
    """The whole application: what is served is known beforehand, no path leads to a file."""
    routes: list[Route | WebSocketRoute] = [
        Route(f"/{'' if path.name == 'index.html' else path.name}", _serve(path), methods=["GET"])
        for path in sorted(STATIC.iterdir())
        if path.suffix in KINDS
    ]
    routes += [
        WebSocketRoute("/live", room.talk),
        Route("/shelf/", room.thumbnail, methods=["GET"]),
        Route("/shelf/{name}", room.thumbnail, methods=["GET"]),
        Route("/shelf/{name}", room.upload, methods=["PUT"]),
        *room.pages.routes(),
        *room.stream.routes(),
        *BrowserRoutes(socket_path(), HEADERS).routes(),
    ]
    return AccessGuard(Starlette(routes=routes), rules)


def _serve(path: Path) -> Callable[[Request], Response]:
    data, kind = path.read_bytes(), KINDS[path.suffix]

    def serve(request: Request) -> Response:
        return Response(data, 200, HEADERS, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)

    return serve
