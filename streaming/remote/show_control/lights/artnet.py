"""The ArtDmx packet of Art-Net 4 (Artistic Licence, "Art-Net 4 Protocol Release 1.4"), and the head of all packets."""

from __future__ import annotations

from streaming.remote.show_control.lights.dmx_packet import CHANNELS, BadDmxError, DmxPacket

PORT = 6_454
IDENTIFIER = b"Art-Net\0"
OP_DMX = 0x5000
VERSION = 14
HEAD_BYTES = 18
HIGHEST_UNIVERSE = 0x7FFF
"""A Port-Address: net (7 bits), sub-net (4 bits), universe (4 bits)."""


def read_operation(datagram: bytes) -> int:
    """The operation code of a datagram: which of Art-Net's packets it is.

    Raises:
        BadDmxError: when it is not Art-Net.
    """
    if datagram[:8] != IDENTIFIER or len(datagram) < 10:
        raise BadDmxError("does not begin as Art-Net does")
    return int.from_bytes(datagram[8:10], "little")


def check_version(datagram: bytes) -> None:
    """Check the protocol's version in a packet of at least 12 bytes.

    Raises:
        BadDmxError: for one that is too old.
    """
    version = int.from_bytes(datagram[10:12], "big")
    if version < VERSION:
        raise BadDmxError(f"is of protocol version {version}, {VERSION} is needed")


def pack_artnet(packet: DmxPacket) -> bytes:
    """The datagram of a packet.

    Raises:
        ValueError: for a universe, a sequence or a number of channels that Art-Net has not.
    """
    if not 0 <= packet.universe <= HIGHEST_UNIVERSE:
        raise ValueError(f"universe {packet.universe} is not 0 to {HIGHEST_UNIVERSE}")
    if not 1 <= len(packet.levels) <= CHANNELS:
        raise ValueError(f"{len(packet.levels)} channels are not 1 to {CHANNELS}")
    # The length is even.
    levels = packet.levels + b"\0" * (len(packet.levels) % 2)
    head = IDENTIFIER + OP_DMX.to_bytes(2, "little") + VERSION.to_bytes(2, "big")
    head += bytes([packet.sequence, 0]) + packet.universe.to_bytes(2, "little") + len(levels).to_bytes(2, "big")
    return head + levels


def read_artnet(datagram: bytes) -> DmxPacket | None:
    """The packet of a datagram; None for Art-Net's other packets, which are none of the show's business.

    Raises:
        BadDmxError: when it is not Art-Net, or damaged.
    """
    if read_operation(datagram) != OP_DMX:
        return None
    if len(datagram) < HEAD_BYTES:
        raise BadDmxError(f"has {len(datagram)} bytes, an ArtDmx packet has at least {HEAD_BYTES + 2}")
    check_version(datagram)
    length = int.from_bytes(datagram[16:18], "big")
    # A receiver takes odd lengths and 1 too: not every sender keeps to the rules.
    if not 1 <= length <= CHANNELS:
        raise BadDmxError(f"says that it has {length} channels")
    if len(datagram) < HEAD_BYTES + length:
        raise BadDmxError(f"says that it has {length} channels, and has {len(datagram) - HEAD_BYTES}")
    universe = int.from_bytes(datagram[14:16], "little")
    if universe > HIGHEST_UNIVERSE:
        raise BadDmxError("has a universe that there is not")
    levels = datagram[HEAD_BYTES : HEAD_BYTES + length]
    return DmxPacket(universe, levels, datagram[12], numbered=datagram[12] != 0)


def next_sequence(sequence: int) -> int:
    """The sequence after one: 1 to 255, for 0 means that it does not count."""
    return sequence % 255 + 1
