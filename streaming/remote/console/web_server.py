"""The console's server: uvicorn, one event loop in one thread, and the beat at which browsers are told of the show."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streaming.errors import UserError
from streaming.remote.console.access import AccessRules
from streaming.remote.console.client_outbox import VIEWS, WANTED
from streaming.remote.console.cue_fades import Wish
from streaming.remote.console.web_app import MAX_MESSAGE, ConsoleRoom, make_app
from streaming.settings.network_place import check_certificate
from streaming.system.realtime import take_normal_priority
from streaming.timing import clock

BEAT_S = 0.04
_LEAST_BEAT_NS = 36_000_000
VIEW_NS, STATUS_NS = 100_000_000, 500_000_000
"""Between two thumbnails, and between two questions to the supervisor."""
MOST_CONNECTIONS = 48
HEAD_S = 5.0
"""In which a request must have come."""
TAKE_S = 10.0
"""In which a browser must take what is sent."""
MAX_HEAD_BYTES = 16_384
SEND_BYTES = 262_144
"""Kernel buffer of a connection: what lies in it when a newer picture comes is shown late."""
MOST_WISHES = 256
"""Wishes that wait to be sent to the supervisor; with more, the oldest are dropped."""
_CLOSE_S = 2.0
_FULL = "picture, full"


class BoundedLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers give up a TLS handshake that takes as long as a request may."""

    async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
        """See `asyncio.loop.create_server`."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", HEAD_S)
        return await super().create_server(*arguments, **options)


class BoundedProtocol(H11Protocol):
    """A connection that must send its request in time, and take what is sent.

    Of too many, the oldest that has sent no request makes room.
    """

    since_s = 0.0
    _full: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the request."""
        if len(self.connections) >= MOST_CONNECTIONS:
            others = [one for one in self.connections if isinstance(one, BoundedProtocol) and one.cycle is None]
            oldest = min(others, key=_since, default=None)
            (transport if oldest is None else oldest.transport).abort()
        self.since_s = self.loop.time()
        peer: socket.socket = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        super().connection_made(transport)
        self.loop.call_later(HEAD_S, self._end_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait until it takes what was sent."""
        super().pause_writing()
        self._wait_no_more()
        self._full = self.loop.call_later(TAKE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken it."""
        self._wait_no_more()
        super().resume_writing()

    def _wait_no_more(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None

    def _end_if_silent(self) -> None:
        if self.cycle is None and self in self.connections:
            self.transport.abort()


def _since(connection: object) -> float:
    return connection.since_s if isinstance(connection, BoundedProtocol) else 0.0


class ConsoleServer:
    """Serves a room of browsers until it is closed.

    Args:
        host, port: where to listen; port 0 for any free one.
        rules: makes the rules of access from the port.
        room: makes the room; called with what is to be called when something has changed. Used in the server's thread
            only.
        wake: called when there are wishes, or when other topics are wanted; any thread, never blocks.
        certificate: the PEM files of the certificate and of its key, with which all is encrypted; None for plain text.

    Attributes:
        port: that is listened at.

    Raises:
        UserError: when the port cannot be had, or the certificate cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        rules: Callable[[int], AccessRules],
        room: Callable[[Callable[[], None]], ConsoleRoom],
        wake: Callable[[], None],
        certificate: tuple[str, str] | None = None,
    ) -> None:
        if certificate is not None:
            check_certificate(*certificate)
        cert, key = certificate or ("", "")
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
        except OSError as error:
            fix = "give --console another port, or --console off"
            raise UserError(
                f"cannot be listened at ({error.strerror or error})", f"--console {host}:{port}", fix
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self._wake = wake
        self._loop = BoundedLoop()
        self._changed = asyncio.Event()
        self._room = room(self._changed.set)
        config = uvicorn.Config(
            make_app(self._room, rules(self.port)),
            http=BoundedProtocol,
            ws=WebSocketsSansIOProtocol,
            ws_max_size=4 * MAX_MESSAGE,
            ws_max_queue=8,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            ssl_certfile=cert or None,
            ssl_keyfile=key or None,
        )
        self._server = uvicorn.Server(config)
        self._wishes: deque[Wish] = deque(maxlen=MOST_WISHES)
        self._asks_status = False
        self.wanted: frozenset[str] = frozenset()
        """The topics that some browser shows."""
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call something in the server's thread; any thread."""

        def called() -> None:
            function(*arguments)
            self._changed.set()

        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(called)

    def take_wishes(self) -> list[Wish]:
        """What the supervisor is to be asked for since the last call; any thread."""
        taken = []
        while self._wishes:
            taken.append(self._wishes.popleft())
        return taken

    def take_status_wish(self) -> bool:
        """Whether the supervisor is to be asked how the show is; any thread."""
        asked, self._asks_status = self._asks_status, False
        return asked

    @property
    def awaits_status(self) -> bool:
        """Whether somebody waits for the supervisor's answer; any thread."""
        return self._room.pages.waiting > 0

    def close(self) -> None:
        """Disconnect all browsers and close the port."""
        self._server.should_exit = True
        self._thread.join(_CLOSE_S)
        self._socket.close()

    def _run(self) -> None:
        take_normal_priority()
        asyncio.set_event_loop(self._loop)
        try:
            beat = self._loop.create_task(self._beat())
            self._loop.run_until_complete(self._server.serve(sockets=[self._socket]))
            beat.cancel()
            self._loop.run_until_complete(asyncio.gather(beat, return_exceptions=True))
        finally:
            self._loop.close()

    async def _beat(self) -> None:
        """Tell the browsers of the show, and pass on what they want; nothing while there is none."""
        room, due_ns, status_ns, beat_ns = self._room, 0, 0, 0
        numbers: dict[str, int] = {}
        while True:
            if not (room.clients or room.desk.busy or room.pages.waiting or room.stream.viewers):
                await self._changed.wait()
            else:
                # Full pictures are looked for twice a beat, so that none waits for the next one.
                is_full = room.stream.viewers or any(client.view == VIEWS[2] for client in room.clients)
                await asyncio.sleep(BEAT_S / 2 if is_full else BEAT_S)
            self._changed.clear()
            now_ns = clock.now_ns()
            wishes = []
            if now_ns - beat_ns >= _LEAST_BEAT_NS:
                wishes, beat_ns = room.desk.beat(now_ns), now_ns
            self._wishes.extend(wishes)
            views = [*(client.view for client in room.clients), *(VIEWS[2] for _ in range(room.stream.viewers))]
            wanted = frozenset[str]().union(*(WANTED[view] for view in views))
            asks = bool(room.clients or room.pages.waiting) and now_ns - status_ns >= STATUS_NS
            if asks:
                status_ns, self._asks_status = now_ns, True
            is_due = now_ns - due_ns >= VIEW_NS - round(5e8 * BEAT_S)
            due_ns = now_ns if is_due else due_ns
            self._tell_view(numbers, is_due=is_due)
            if wishes or asks or wanted != self.wanted:
                self.wanted = wanted
                self._wake()

    def _tell_view(self, numbers: dict[str, int], *, is_due: bool) -> None:
        """Send what is newer than the last time: full pictures to performance views at once, the others when due."""
        pictures = self._room.watch.pictures
        news = {topic for topic, one in pictures.items() if numbers.get(topic) != one.number}
        newest = pictures["picture"].number
        is_newer, numbers[_FULL] = numbers.get(_FULL) != newest, newest
        if is_newer:
            self._room.stream.wake()
        for client in self._room.clients:
            if client.view == VIEWS[2]:
                client.put(*(["picture"] if is_newer else []))
            elif is_due:
                client.put("view", *sorted(news & WANTED[client.view]))
        if is_due:
            numbers.update({topic: one.number for topic, one in pictures.items()})
