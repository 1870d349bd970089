"""Discovery by light desks: the bytes of the specification, damaged polls, and how often who is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.remote.show_control.lights.artnet_poll import (
    MOST_DESKS,
    ArtPoll,
    ArtPort,
    PollAnswers,
    pack_reply,
    read_poll,
)
from streaming.remote.show_control.lights.dmx_packet import BadDmxError

POLL = b"Art-Net\x00\x00\x20\x00\x0e\x00\x00"
"""Field by field as in the specification: identifier, operation, version, flags, priority of diagnostics."""
TARGETED = POLL[:12] + b"\x20\x00\x01\x2f\x01\x20"
"""Asks for the universes 0x120 to 0x12f, the highest first."""
HEARS = b"".join(
    [
        b"Art-Net\x00\x00\x21",  # identifier, operation
        b"\xc0\xa8\x01\x32\x36\x19",  # address, port 0x1936
        b"\x00\x00\x01\x02",  # firmware; net, sub-net
        b"\x00\xff\x00\x10\xf0\x7f",  # OEM; UBEA; status 1; ESTA
        b"Antiphon" + bytes(10),
        b"Antiphon, a live instrument between sight and sound" + bytes(13),
        b"#0001 [0042] hears 291" + bytes(42),
        b"\x00\x01\x80\x00\x00\x00",  # ports, their types
        b"\x00\x00\x00\x00\x80\x00\x00\x00",  # good input, good output
        b"\x00\x00\x00\x00\x03\x00\x00\x00",  # universe in, out
        bytes(3 + 3),  # priority, macro, remote; spare
        b"\x00" + bytes(6),  # style: a node; hardware address
        b"\xc0\xa8\x01\x32\x01\x08",  # address and index of the binding; status 2
        b"\xc0\x00\x00\x00\x00",  # good output B; status 3
        bytes(6 + 2 + 2 + 1 + 10),  # responder, user, refresh rate, queue policy, filler
    ]
)
S = 10**9


def test_the_reply_has_the_bytes_of_the_specification() -> None:
    assert len(HEARS) == 239
    assert pack_reply(ArtPort(0x123, is_sent=False, is_active=True), "192.168.1.50", 1, 42) == HEARS
    sent = bytearray(HEARS)
    sent[108:172] = b"#0001 [0000] sends 291".ljust(64, b"\0")
    sent[174], sent[178], sent[182] = 0x40, 0x80, 0
    sent[186], sent[190] = 3, 0
    sent[211], sent[213] = 2, 0
    assert pack_reply(ArtPort(0x123, is_sent=True, is_active=True), "192.168.1.50", 2, 10_000) == sent
    silent = pack_reply(ArtPort(0x7FFF, is_sent=False, is_active=False), "127.0.0.1", 1, 1)
    assert (silent[18:20], silent[190], silent[182], len(silent)) == (b"\x7f\x0f", 0x0F, 0, 239)


def test_a_poll_asks_for_all_or_for_a_range() -> None:
    assert read_poll(POLL) == read_poll(POLL[:12]) == read_poll(POLL + bytes(8)) == ArtPoll()
    poll = read_poll(TARGETED)
    assert poll is not None
    assert [poll.asks_for(universe) for universe in (0x11F, 0x120, 0x12F, 0x130)] == [False, True, True, False]
    assert read_poll(TARGETED[:14]) == ArtPoll(0, 0), "what an old one lacks is zero"
    assert read_poll(b"Art-Net\x00\x00\x21" + bytes(229)) is None, "an answer is not answered"


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (b"", "begin"),
        (b"Art-Nat" + POLL[7:], "begin"),
        (POLL[:11], "11 bytes"),
        (POLL[:10] + b"\0\x0d" + POLL[12:], "version 13"),
        (TARGETED[:14] + b"\x01\x1f" + TARGETED[16:], "universes 288 to 287"),
        (TARGETED[:14] + b"\x80\x00" + TARGETED[16:], "universes 288 to 32768"),
    ],
)
def test_what_is_damaged_is_refused_with_its_reason(datagram: bytes, why: str) -> None:
    with pytest.raises(BadDmxError, match=why):
        read_poll(datagram)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_poll_or_refused(datagram: bytes) -> None:
    for tried in (datagram, POLL[:10] + datagram, TARGETED[:13] + datagram):
        try:
            poll = read_poll(tried)
        except BadDmxError:
            continue
        assert poll is None or 0 <= poll.lowest <= poll.highest <= 32_767


def test_an_answer_waits_as_long_as_chance_says() -> None:
    answers, desk = PollAnswers(lambda: 0.5), ("10.0.0.1", 6_454)
    assert answers.hear(ArtPoll(), desk, S)
    assert answers.due(S + S // 2 - 1) == []
    assert answers.due(S + S // 2) == [(ArtPoll(), desk)]
    assert answers.due(3 * S) == []


def test_a_flood_is_answered_once_a_second_and_only_to_few() -> None:
    answers = PollAnswers(lambda: 0.0)
    desks = [(f"10.0.0.{number}", 6_454) for number in range(100)]
    sent = []
    for millisecond in range(1, 2_001):
        for desk in desks:
            answers.hear(ArtPoll(), desk, millisecond * S // 1_000)
        sent += answers.due(millisecond * S // 1_000)
    assert len(sent) == 2 * MOST_DESKS
    late = ("10.0.1.1", 6_454)
    assert not answers.hear(ArtPoll(), late, 2 * S)
    assert answers.hear(ArtPoll(), late, 4 * S), "the flood is over"
