"""The UDP socket by which light desks and nodes are sent what shines."""

from __future__ import annotations

import socket
from collections.abc import Callable


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
