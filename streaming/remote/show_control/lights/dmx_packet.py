"""One universe of DMX at one moment, and what its protocols have in common."""

from __future__ import annotations

from dataclasses import dataclass

CHANNELS = 512
"""Channels of a universe."""


class BadDmxError(ValueError):
    """A datagram that is no packet of its protocol; the text says why."""


@dataclass(frozen=True)
class DmxPacket:
    """One universe at one moment.

    Attributes:
        universe: its number as people count it in this protocol: 0 to 32767 in Art-Net, 1 to 63999 in sACN.
        levels: the channels from the first on, at most 512, 0 to 255 each.
        sequence: 0 to 255.
        numbered: whether the sequence counts; a sender of Art-Net may leave it out.
        priority: 0 to 200, the highest source wins; 100 where the protocol has none.
        source: who sends it, in sACN its identifier, else empty.
        ended: the source says that it stops.
    """

    universe: int
    levels: bytes
    sequence: int = 0
    numbered: bool = True
    priority: int = 100
    source: bytes = b""
    ended: bool = False
