"""The UDP socket at which light desks are heard: a thread of its own and a bounded queue."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable

from streaming.errors import UserError

MAX_BYTES = 1_500
MAX_QUEUE = 64
"""Datagrams that wait to be read; with more, the oldest are dropped and counted."""
Peer = tuple[str, int]


class LightSocket:
    """Receives the datagrams of light desks.

    Args:
        host, port: where to listen; port 0 for any free one.
        group: a multicast group to join, "" for none.
        wake: called from the thread after something has arrived.
        count: counts what is dropped, by name.

    Attributes:
        address: host and port that are listened at.

    Raises:
        UserError: when the port cannot be had.
    """

    def __init__(
        self, host: str, port: int, group: str, wake: Callable[[], None], count: Callable[[str], None]
    ) -> None:
        self._wake, self._count = wake, count
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            if group:
                asked = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(host or "0.0.0.0"))
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, asked)
        except OSError as error:
            self._socket.close()
            what = f"cannot be listened at ({error.strerror or error})"
            raise UserError(what, f"--dmx-in at {host}:{port}", "end the program that has the port") from error
        self.address: Peer = self._socket.getsockname()[:2]
        self._arrived: deque[tuple[bytes, Peer]] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="lights", daemon=True)
        self._thread.start()

    def take(self) -> list[tuple[bytes, Peer]]:
        """What has arrived since the last call, with its senders."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        host = "127.0.0.1" if self.address[0] == "0.0.0.0" else self.address[0]
        # A datagram to itself ends the wait.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            try:
                waker.sendto(b"\0", (host, self.address[1]))
            except OSError:
                self._count("unsent")
        self._thread.join(1.0)
        self._socket.close()

    def _receive(self) -> None:
        while not self._closing.is_set():
            try:
                datagram, peer = self._socket.recvfrom(MAX_BYTES)
            except OSError:
                if self._closing.wait(0.01):
                    return
                continue
            if self._closing.is_set():
                return
            if len(self._arrived) >= MAX_QUEUE:
                self._arrived.popleft()
                self._count("dmx_dropped")
            self._arrived.append((datagram, peer))
            self._wake()


class LightSender:
    """Sends datagrams to a light desk or a node, without waiting.

    Args:
        host, port: where to.
        count: counts what is not sent, by name.
    """

    def __init__(self, host: str, port: int, count: Callable[[str], None]) -> None:
        self._peer, self._count = (host, port), count
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, datagram: bytes) -> None:
        """Send one; what cannot be sent at once is dropped and counted."""
        try:
            self._socket.sendto(datagram, socket.MSG_DONTWAIT, self._peer)
        except OSError:
            self._count("dmx_unsent")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
