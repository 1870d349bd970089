"""The data packet of streaming ACN (ANSI E1.31-2018): DMX over UDP, universe by universe."""

from __future__ import annotations

from streaming.remote.show_control.lights.dmx_packet import CHANNELS, BadDmxError, DmxPacket

PORT = 5_568
PREAMBLE = b"\x00\x10\x00\x00ASC-E1.17\x00\x00\x00"
ROOT_DATA, FRAME_DATA, DMP_SET = 0x0000_0004, 0x0000_0002, 0x02
HEAD_BYTES = 126
"""Everything before the first channel."""
HIGHEST_UNIVERSE = 63_999
HIGHEST_PRIORITY = 200
PREVIEW, ENDED = 0x80, 0x40
NAME_BYTES = 64


def multicast_group(universe: int) -> str:
    """The address at which everybody hears a universe."""
    return f"239.255.{universe >> 8}.{universe & 0xFF}"


def pack_sacn(packet: DmxPacket, name: str = "Antiphon") -> bytes:
    """The datagram of a packet.

    Args:
        packet: what to send; `source` has 16 bytes.
        name: of the source, for people.

    Raises:
        ValueError: for a universe, a priority, a source or a number of channels that sACN has not.
    """
    if not 1 <= packet.universe <= HIGHEST_UNIVERSE:
        raise ValueError(f"universe {packet.universe} is not 1 to {HIGHEST_UNIVERSE}")
    if not 0 <= packet.priority <= HIGHEST_PRIORITY or len(packet.source) != 16:
        raise ValueError("has no such priority, or no source of 16 bytes")
    if not 1 <= len(packet.levels) <= CHANNELS:
        raise ValueError(f"{len(packet.levels)} channels are not 1 to {CHANNELS}")
    size = HEAD_BYTES + len(packet.levels)
    text = name.encode()[: NAME_BYTES - 1].ljust(NAME_BYTES, b"\0")
    root = PREAMBLE + _length(size - 16) + ROOT_DATA.to_bytes(4, "big") + packet.source
    frame = _length(size - 38) + FRAME_DATA.to_bytes(4, "big") + text
    options = ENDED if packet.ended else 0
    frame += bytes([packet.priority, 0, 0, packet.sequence, options]) + packet.universe.to_bytes(2, "big")
    values = _length(size - 115) + bytes([DMP_SET, 0xA1, 0, 0, 0, 1]) + (len(packet.levels) + 1).to_bytes(2, "big")
    return root + frame + values + b"\0" + packet.levels


def read_sacn(datagram: bytes) -> DmxPacket | None:
    """The packet of a datagram; None for what is no level: previews, synchronisation, discovery, other start codes.

    Raises:
        BadDmxError: when it is not sACN, or damaged.
    """
    if datagram[:16] != PREAMBLE or len(datagram) < 38:
        raise BadDmxError("does not begin as sACN does")
    if int.from_bytes(datagram[18:22], "big") != ROOT_DATA:
        return None
    if len(datagram) < HEAD_BYTES:
        raise BadDmxError(f"has {len(datagram)} bytes, a data packet has at least {HEAD_BYTES}")
    if int.from_bytes(datagram[40:44], "big") != FRAME_DATA or datagram[117] != DMP_SET or datagram[118] != 0xA1:
        raise BadDmxError("has a layer that a data packet has not")
    for place in (16, 38, 115):
        claimed = int.from_bytes(datagram[place : place + 2], "big") & 0x0FFF
        if place + claimed > len(datagram):
            raise BadDmxError(f"says that it has {place + claimed} bytes, and has {len(datagram)}")
    count = int.from_bytes(datagram[123:125], "big") - 1
    if not 0 <= count <= CHANNELS or HEAD_BYTES + count > len(datagram):
        raise BadDmxError(f"says that it has {count} channels, and has {len(datagram) - HEAD_BYTES}")
    universe, priority, options = int.from_bytes(datagram[113:115], "big"), datagram[108], datagram[112]
    if not 1 <= universe <= HIGHEST_UNIVERSE or priority > HIGHEST_PRIORITY:
        raise BadDmxError("has a universe or a priority that there is not")
    if options & PREVIEW or datagram[125] != 0:
        return None
    levels = datagram[HEAD_BYTES : HEAD_BYTES + count]
    return DmxPacket(universe, levels, datagram[111], True, priority, datagram[22:38], ended=bool(options & ENDED))


def _length(size: int) -> bytes:
    """Flags and length of a layer."""
    return (0x7000 | size).to_bytes(2, "big")
