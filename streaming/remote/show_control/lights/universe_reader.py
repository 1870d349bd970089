"""Which source a universe follows, and what it has on its channels."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.remote.show_control.lights.dmx_packet import CHANNELS, DmxPacket

SILENT_NS = 2_500_000_000
"""A source that is silent for so long is gone (network data loss, E1.31)."""
MOST_SOURCES = 8
LATE = 20
"""A packet whose number is up to so many before the newest one is a late one."""


@dataclass
class _Source:
    priority: int
    sequence: int
    heard_ns: int


class UniverseReader:
    """Follows the source of the highest priority; of several the one that was there first.

    Attributes:
        levels: the channels, 512 bytes.
        seen: how many channels the source has.
        late: packets that came after a newer one.
    """

    def __init__(self) -> None:
        self.levels = bytes(CHANNELS)
        self.seen = self.late = 0
        self._sources: dict[object, _Source] = {}

    def is_heard(self, now_ns: int) -> bool:
        """Whether a source is there."""
        return any(now_ns - one.heard_ns < SILENT_NS for one in self._sources.values())

    def take(self, packet: DmxPacket, sender: object, now_ns: int) -> bool:
        """Take in a packet.

        Args:
            packet: of the universe.
            sender: who sent it: an identifier or an address.
            now_ns: the time.

        Returns:
            Whether the levels are now those of the packet.
        """
        self._sources = {name: one for name, one in self._sources.items() if now_ns - one.heard_ns < SILENT_NS}
        if packet.ended:
            self._sources.pop(sender, None)
            return False
        known = self._sources.get(sender)
        if known is None:
            if len(self._sources) >= MOST_SOURCES:
                return False
            known = self._sources[sender] = _Source(packet.priority, packet.sequence, now_ns)
        elif packet.numbered and -LATE < (packet.sequence - known.sequence + 128) % 256 - 128 <= 0:
            self.late += 1
            return False
        known.priority, known.sequence, known.heard_ns = packet.priority, packet.sequence, now_ns
        first = max(self._sources, key=lambda name: self._sources[name].priority)
        if first != sender:
            return False
        self.levels, self.seen = packet.levels.ljust(CHANNELS, b"\0"), len(packet.levels)
        return True
