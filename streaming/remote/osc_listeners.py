"""Who hears what an OSC stage says: those who have sent something lately."""

from __future__ import annotations

from streaming.remote.datagram_socket import Peer

MAX_LISTENERS = 16
LISTENS_NS = 60_000_000_000
"""A listener is forgotten so long after its last message."""


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
