"""sACN data packets: bytes of E1.31, and everything that is none of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.remote.show_control.lights.dmx_packet import BadDmxError, DmxPacket
from streaming.remote.show_control.lights.sacn import multicast_group, pack_sacn, read_sacn

CID = bytes(range(16))
PACKET = DmxPacket(7_962, bytes(range(256)) * 2, 154, True, 100, CID)
GOOD = pack_sacn(PACKET, "Source_A")


def test_the_bytes_are_those_of_the_standard() -> None:
    """E1.31-2018, table 4-1: a full universe has 638 bytes, with lengths 0x726e, 0x7258 and 0x720b."""
    assert len(GOOD) == 638
    assert GOOD[:16] == bytes.fromhex("00100000415343 2d45312e3137000000")
    assert GOOD[16:22].hex() == "726e00000004"
    assert GOOD[22:38] == CID
    assert GOOD[38:44].hex() == "725800000002"
    assert GOOD[44:108] == b"Source_A".ljust(64, b"\0")
    assert GOOD[108:115].hex() == "640000" + "9a" + "00" + "1f1a"
    assert GOOD[115:126].hex() == "720b02a1000000010201" + "00"
    assert GOOD[126:] == PACKET.levels
    assert read_sacn(GOOD) == PACKET
    assert multicast_group(7_962) == "239.255.31.26"


def changed(place: int, *values: int) -> bytes:
    return GOOD[:place] + bytes(values) + GOOD[place + len(values) :]


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (b"", "begin"),
        (changed(4, 0x42), "begin"),
        (GOOD[:100], "bytes"),
        (changed(40, 0, 0, 0, 9), "layer"),
        (changed(117, 9), "layer"),
        (GOOD[:-1], "and has 637"),
        (changed(123, 0x02, 0x08), "519 channels"),
        (changed(123, 0, 0), "-1 channels"),
        (changed(113, 0, 0), "universe"),
        (changed(108, 201), "priority"),
    ],
)
def test_what_is_damaged_is_refused_with_its_reason(datagram: bytes, why: str) -> None:
    with pytest.raises(BadDmxError, match=why):
        read_sacn(datagram)


def test_what_is_no_level_is_passed_over_and_an_end_is_told() -> None:
    assert read_sacn(changed(112, 0x80)) is None, "a preview"
    assert read_sacn(changed(125, 0xDD)) is None, "another start code"
    assert read_sacn(changed(21, 0x08)) is None, "discovery"
    ended = read_sacn(pack_sacn(replace(PACKET, ended=True)))
    assert ended is not None
    assert ended.ended


@given(st.binary(max_size=700))
def test_any_bytes_are_a_packet_or_refused(datagram: bytes) -> None:
    for tried in (datagram, GOOD[:22] + datagram, GOOD[:126] + datagram):
        try:
            packet = read_sacn(tried)
        except BadDmxError:
            continue
        assert packet is None or len(packet.levels) <= 512


@given(st.integers(1, 63_999), st.binary(min_size=1, max_size=512), st.integers(0, 255), st.integers(0, 200))
def test_what_is_packed_is_read(universe: int, levels: bytes, sequence: int, priority: int) -> None:
    packet = DmxPacket(universe, levels, sequence, True, priority, CID)
    assert read_sacn(pack_sacn(packet, "ä" * 80)) == packet


def test_what_there_is_not_cannot_be_packed() -> None:
    for wrong in (replace(PACKET, universe=0), replace(PACKET, priority=201), replace(PACKET, source=b"")):
        with pytest.raises(ValueError, match=r"universe|priority"):
            pack_sacn(wrong)
