"""The discovery of Art-Net 4: a light desk's ArtPoll is answered with an ArtPollReply for each port of the show."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from dataclasses import dataclass

from streaming.remote.datagram_socket import Peer
from streaming.remote.show_control.lights.artnet import (
    HIGHEST_UNIVERSE,
    IDENTIFIER,
    PORT,
    check_version,
    read_operation,
)
from streaming.remote.show_control.lights.dmx_packet import BadDmxError

OP_POLL, OP_POLL_REPLY = 0x2000, 0x2100
SHORTEST_POLL, WHOLE_POLL = 12, 18
"""Bytes of an ArtPoll: it has grown with the versions of the protocol, and what an old one lacks is zero."""
TARGETED = 0x20
"""Flag of an ArtPoll: only who has a universe of the range is to answer."""
REPLY_BYTES = 239
OEM_UNKNOWN = 0x00FF
ESTA_PROTOTYPE = 0x7FF0
"""ESTA's first code for who has none of their own."""
SHORT_NAME, LONG_NAME = "Antiphon", "Antiphon, a live instrument between sight and sound"
POWER_OK = 0x0001
SET_HERE = 0x10
"""Status1: the universe is set at the show, not over the network."""
FIFTEEN_BITS = 0x08
"""Status2: universes have 15 bits."""
TO_SHOW, FROM_SHOW, DATA = 0x80, 0x40, 0x80
"""PortTypes: the network's data goes out of it here, or data enters the network; and that data flows."""
NO_RDM_CONTINUOUS = 0xC0
SPREAD_NS = 1_000_000_000
"""An answer is sent up to so long after its poll, at random, so that not everybody answers at once."""
PAUSE_NS = 1_000_000_000
"""A desk that was answered is not answered again for so long; the protocol asks every 2.5 to 3 s."""
MOST_DESKS = 8
"""Desks that are answered within spread and pause."""


@dataclass(frozen=True)
class ArtPoll:
    """What a light desk asks for.

    Attributes:
        lowest, highest: the universes that it looks for, both included.
    """

    lowest: int = 0
    highest: int = HIGHEST_UNIVERSE

    def asks_for(self, universe: int) -> bool:
        """Whether who has a universe is to answer."""
        return self.lowest <= universe <= self.highest


@dataclass(frozen=True)
class ArtPort:
    """A universe that the show hears or sends.

    Attributes:
        universe: 0 to 32767.
        is_sent: the show sends it; else it hears it.
        is_active: data flows.
    """

    universe: int
    is_sent: bool
    is_active: bool


def read_poll(datagram: bytes) -> ArtPoll | None:
    """The poll of a datagram; None for Art-Net's other packets.

    Raises:
        BadDmxError: when it is not Art-Net, or a damaged poll.
    """
    if read_operation(datagram) != OP_POLL:
        return None
    if len(datagram) < SHORTEST_POLL:
        raise BadDmxError(f"has {len(datagram)} bytes, an ArtPoll packet has at least {SHORTEST_POLL}")
    check_version(datagram)
    whole = datagram.ljust(WHOLE_POLL, b"\0")
    if not whole[12] & TARGETED:
        return ArtPoll()
    highest, lowest = int.from_bytes(whole[14:16], "big"), int.from_bytes(whole[16:18], "big")
    if not lowest <= highest <= HIGHEST_UNIVERSE:
        raise BadDmxError(f"asks for the universes {lowest} to {highest}, which there are not")
    return ArtPoll(lowest, highest)


def pack_reply(port: ArtPort, host: str, index: int, count: int) -> bytes:
    """The ArtPollReply of one port: Art-Net 4 wants one packet for each.

    Args:
        port: what it is.
        host: this machine's IPv4 address, as the desk reaches it.
        index: the port's number among those of the show, from 1 on.
        count: of the replies so far.
    """
    address, universe = socket.inet_aton(host), port.universe & 0x0F
    report = f"#{POWER_OK:04x} [{count % 10_000:04d}] {'sends' if port.is_sent else 'hears'} {port.universe}"
    heard, sent = (0, universe) if port.is_sent else (universe, 0)
    flow = DATA if port.is_active else 0
    parts = [
        IDENTIFIER,
        OP_POLL_REPLY.to_bytes(2, "little"),
        address,
        PORT.to_bytes(2, "little"),
        bytes([0, 0, port.universe >> 8, port.universe >> 4 & 0x0F]),  # no firmware; net, sub-net
        OEM_UNKNOWN.to_bytes(2, "big"),
        bytes([0, SET_HERE]),
        ESTA_PROTOTYPE.to_bytes(2, "little"),
        _text(SHORT_NAME, 18),
        _text(LONG_NAME, 64),
        _text(report, 64),
        (1).to_bytes(2, "big"),  # ports in this packet
        _first(FROM_SHOW if port.is_sent else TO_SHOW),
        _first(flow if port.is_sent else 0),  # good input
        _first(0 if port.is_sent else flow),  # good output
        _first(sent),
        _first(heard),
        bytes(3 + 3 + 1 + 6),  # priority, macro, remote; spare; the style of a node; no hardware address
        address,
        bytes([index, FIFTEEN_BITS]),
        _first(0 if port.is_sent else NO_RDM_CONTINUOUS),
    ]
    return b"".join(parts).ljust(REPLY_BYTES, b"\0")


class PollAnswers:
    """Which desks are to be answered, and when: each once in a while, and not many.

    Args:
        chance: gives numbers from 0 to 1.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._waiting: dict[Peer, tuple[int, ArtPoll]] = {}
        self._answered: dict[Peer, int] = {}

    def hear(self, poll: ArtPoll, peer: Peer, now_ns: int) -> bool:
        """Take in a poll; whether it will be answered."""
        self._answered = {desk: at for desk, at in self._answered.items() if now_ns - at < PAUSE_NS}
        if peer in self._waiting or peer in self._answered or len(self._waiting) + len(self._answered) >= MOST_DESKS:
            return False
        self._waiting[peer] = now_ns + round(self._chance() * SPREAD_NS), poll
        return True

    def due(self, now_ns: int) -> list[tuple[ArtPoll, Peer]]:
        """The polls to be answered now, each with its desk."""
        due = [(poll, peer) for peer, (at, poll) in self._waiting.items() if at <= now_ns]
        for _, peer in due:
            del self._waiting[peer]
            self._answered[peer] = now_ns
        return due


def _text(text: str, size: int) -> bytes:
    """A text with a zero at its end, in a field of so many bytes."""
    return text.encode("ascii")[: size - 1].ljust(size, b"\0")


def _first(value: int) -> bytes:
    """A value of the first of four ports; the others are not there."""
    return bytes([value, 0, 0, 0])
