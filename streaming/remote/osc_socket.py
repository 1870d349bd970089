"""The UDP socket of OSC: what arrives goes into a bounded queue, what is said goes to those who asked for it."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable

from streaming.errors import UserError
from streaming.remote.osc_messages import MAX_BYTES

MAX_QUEUE = 256
"""Datagrams that wait to be read; with more, the oldest are dropped and counted."""
MAX_LISTENERS = 16
LISTENS_NS = 60_000_000_000
"""A listener is forgotten so long after its last message."""

Peer = tuple[str, int]


class Listeners:
    """Who is told what happens: those who have sent something lately, and those who always are.

    Args:
        always: never forgotten.
    """

    def __init__(self, always: tuple[Peer, ...] = ()) -> None:
        self._always = always
        self._until_ns: dict[Peer, int] = {}
        self._reply_port: dict[Peer, int] = {}

    def hear_from(self, peer: Peer, now_ns: int, port: int | None = None) -> None:
        """Somebody has sent a message, and wants to be told at a port of its own choice, or at the one it sent from."""
        if port is not None:
            self._reply_port[peer] = port
        if peer not in self._until_ns and len(self._until_ns) >= MAX_LISTENERS:
            self.forget(min(self._until_ns, key=lambda one: self._until_ns[one]))
        self._until_ns[peer] = now_ns + LISTENS_NS

    def forget(self, peer: Peer) -> None:
        """Somebody wants to be told no more."""
        self._until_ns.pop(peer, None)
        self._reply_port.pop(peer, None)

    def at(self, now_ns: int) -> list[Peer]:
        """Where to send to at present."""
        for peer in [one for one, until_ns in self._until_ns.items() if now_ns >= until_ns]:
            self.forget(peer)
        told = [(host, self._reply_port.get((host, port), port)) for host, port in self._until_ns]
        return list(dict.fromkeys([*self._always, *told]))

    def reply_to(self, peer: Peer) -> Peer:
        """Where to answer somebody."""
        return peer[0], self._reply_port.get(peer, peer[1])


class OscSocket:
    """Receives in a thread of its own, and sends without waiting.

    Args:
        host, port: where to listen; port 0 for any free one.
        wake: called from the thread after something has arrived.
        count: counts what is dropped, by name.

    Attributes:
        address: host and port that are listened at.

    Raises:
        UserError: when the port cannot be had.
    """

    def __init__(self, host: str, port: int, wake: Callable[[], None], count: Callable[[str], None]) -> None:
        self._wake, self._count = wake, count
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.bind((host, port))
        except OSError as error:
            fix = "give --osc another port, or --osc off"
            raise UserError(
                f"cannot be listened at ({error.strerror or error})", f"--osc {host}:{port}", fix
            ) from error
        self.address: Peer = self._socket.getsockname()[:2]
        self._arrived: deque[tuple[bytes, Peer]] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="osc", daemon=True)
        self._thread.start()

    def take(self) -> list[tuple[bytes, Peer]]:
        """What has arrived since the last call, with its senders."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def send(self, datagram: bytes, peer: Peer) -> None:
        """Send to one; what cannot be sent at once is dropped and counted."""
        try:
            self._socket.sendto(datagram, socket.MSG_DONTWAIT, peer)
        except OSError:
            self._count("osc_unsent")

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        # A datagram to itself ends the wait.
        host = (
            "127.0.0.1" if self.address[0] in ("0.0.0.0", "") else "::1" if self.address[0] == "::" else self.address[0]
        )
        self.send(b"\0", (host, self.address[1]))
        self._thread.join(1.0)
        self._socket.close()

    def _receive(self) -> None:
        while not self._closing.is_set():
            try:
                datagram, peer = self._socket.recvfrom(MAX_BYTES + 1)
            except OSError:
                # A port that nobody listens at any more is reported here on some systems.
                if self._closing.wait(0.01):
                    return
                continue
            if self._closing.is_set():
                return
            if len(self._arrived) >= MAX_QUEUE:
                self._arrived.popleft()
                self._count("osc_dropped")
            self._arrived.append((datagram, peer[:2]))
            self._wake()
