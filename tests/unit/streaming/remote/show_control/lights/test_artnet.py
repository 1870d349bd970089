"""ArtDmx packets: bytes of the specification, and everything that is none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.remote.show_control.lights.artnet import next_sequence, pack_artnet, read_artnet
from streaming.remote.show_control.lights.dmx_packet import BadDmxError, DmxPacket

GOOD = b"Art-Net\x00\x00\x50\x00\x0e\x07\x00\x23\x01\x00\x04\x01\x02\x03\x04"
"""Field by field as in the specification: universe 0x123, sequence 7, four channels."""


def test_the_bytes_are_those_of_the_specification() -> None:
    packet = DmxPacket(0x123, b"\1\2\3\4", 7)
    assert pack_artnet(packet) == GOOD
    assert read_artnet(GOOD) == packet
    assert pack_artnet(DmxPacket(0, b"\xff"))[16:] == b"\0\2\xff\0", "an even number of channels"


def test_an_unnumbered_packet_and_an_odd_one_are_read() -> None:
    found = read_artnet(GOOD[:12] + b"\0" + GOOD[13:17] + b"\3" + GOOD[18:21])
    assert found is not None
    assert (found.numbered, found.levels) == (False, b"\1\2\3")


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (b"", "begin"),
        (b"Art-Nat\0" + GOOD[8:], "begin"),
        (GOOD[:15], "bytes"),
        (GOOD[:10] + b"\0\x0d" + GOOD[12:], "version 13"),
        (GOOD[:16] + b"\0\0" + GOOD[18:], "0 channels"),
        (GOOD[:16] + b"\x02\x01" + GOOD[18:] + bytes(600), "513 channels"),
        (GOOD[:-1], "and has 3"),
        (GOOD[:15] + b"\x80" + GOOD[16:], "universe"),
    ],
)
def test_what_is_damaged_is_refused_with_its_reason(datagram: bytes, why: str) -> None:
    with pytest.raises(BadDmxError, match=why):
        read_artnet(datagram)


def test_other_packets_of_art_net_are_no_error() -> None:
    assert read_artnet(b"Art-Net\0\x00\x20\x00\x0e\x00\x00") is None


@given(st.binary(max_size=700))
def test_any_bytes_are_a_packet_or_refused(datagram: bytes) -> None:
    for tried in (datagram, GOOD[:10] + datagram, GOOD[:18] + datagram):
        try:
            packet = read_artnet(tried)
        except BadDmxError:
            continue
        assert packet is None or 1 <= len(packet.levels) <= 512


@given(st.integers(0, 32_767), st.binary(min_size=2, max_size=512), st.integers(1, 255))
def test_what_is_packed_is_read(universe: int, levels: bytes, sequence: int) -> None:
    found = read_artnet(pack_artnet(DmxPacket(universe, levels, sequence)))
    assert found is not None
    assert (found.universe, found.levels[: len(levels)], found.sequence) == (universe, levels, sequence)


def test_a_sequence_never_is_the_one_that_does_not_count() -> None:
    assert [next_sequence(number) for number in (0, 1, 254, 255)] == [1, 2, 255, 1]
    for wrong in (DmxPacket(32_768, b"\0\0"), DmxPacket(0, b""), DmxPacket(0, bytes(513))):
        with pytest.raises(ValueError, match=r"universe|channels"):
            pack_artnet(wrong)
