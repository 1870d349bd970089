"""A UDP socket that receives in a thread of its own, into a bounded queue, and sends without waiting."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable

from streaming.errors import UserError

LOOK_S = 0.1
"""So often a socket at which nothing arrives looks whether it is to be closed."""
Peer = tuple[str, int]


class DatagramSocket:
    """Receives and sends datagrams.

    Args:
        host, port: where to listen; port 0 for any free one.
        wake: called from the thread after something has arrived.
        count: counts what is dropped: `NAME_dropped` on the way in, `NAME_unsent` on the way out.
        name: of the protocol.
        option: by which the user has named the place, and what to do where the port cannot be had.
        max_bytes: of a datagram; what is longer is cut.
        max_queue: datagrams that wait to be read; with more, the oldest are dropped.
        family: of the addresses; by default that of the host's first one.
        group: a multicast group to join, "" for none.
        shared: other programs may listen at the same port.

    Attributes:
        address: host and port that are listened at.

    Raises:
        UserError: when the port cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        wake: Callable[[], None],
        count: Callable[[str], None],
        *,
        name: str,
        option: tuple[str, str],
        max_bytes: int,
        max_queue: int,
        family: int = socket.AF_UNSPEC,
        group: str = "",
        shared: bool = False,
    ) -> None:
        self._wake, self._count, self._name = wake, count, name
        self._max_bytes, self._max_queue = max_bytes, max_queue
        try:
            self._socket = _listen(host, port, family, group, shared=shared)
        except OSError as error:
            what, (given, fix) = f"cannot be listened at ({error.strerror or error})", option
            raise UserError(what, f"{given} {host}:{port}", fix) from error
        self.address: Peer = self._socket.getsockname()[:2]
        self._arrived: deque[tuple[bytes, Peer]] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=name, daemon=True)
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
            self._socket.sendto(datagram, peer)
        except OSError:
            self._count(f"{self._name}_unsent")

    def host_towards(self, peer: Peer) -> str:
        """The address by which a peer reaches this socket; at "0.0.0.0" that of the way to it. Nothing is sent."""
        host = str(self.address[0])
        if host != "0.0.0.0":
            return host
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            try:
                way.connect(peer)
            except OSError:
                return host
            return str(way.getsockname()[0])

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        self._thread.join(1.0)
        self._socket.close()

    def _receive(self) -> None:
        with selectors.DefaultSelector() as arrival:
            arrival.register(self._socket, selectors.EVENT_READ)
            while not self._closing.is_set():
                if arrival.select(LOOK_S):
                    self._take_in()

    def _take_in(self) -> None:
        try:
            datagram, peer = self._socket.recvfrom(self._max_bytes)
        except OSError:
            # A port that nobody listens at any more is reported here on some systems.
            self._closing.wait(0.01)
            return
        if len(self._arrived) >= self._max_queue:
            self._arrived.popleft()
            self._count(f"{self._name}_dropped")
        self._arrived.append((datagram, peer[:2]))
        self._wake()


def _listen(host: str, port: int, family: int, group: str, *, shared: bool) -> socket.socket:
    """A socket that never waits.

    Raises:
        OSError: when the port cannot be had.
    """
    opened = socket.socket(socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0][0], socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        if group:
            asked = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(host))
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, asked)
    except OSError:
        opened.close()
        raise
    return opened
