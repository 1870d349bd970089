"""Which source is followed: the highest priority, while it speaks, and never backwards."""

from __future__ import annotations

from streaming.remote.show_control.lights.dmx_packet import DmxPacket
from streaming.remote.show_control.lights.universe_reader import MOST_SOURCES, SILENT_NS, UniverseReader


def packet(level: int, sequence: int, priority: int = 100, *, numbered: bool = True, ended: bool = False) -> DmxPacket:
    return DmxPacket(1, bytes([level]), sequence, numbered, priority, ended=ended)


def test_the_highest_priority_wins_until_it_is_silent_or_ends() -> None:
    reader = UniverseReader()
    assert reader.take(packet(10, 1), "a", 0)
    assert not reader.take(packet(20, 1), "b", 0), "of two alike the first"
    assert reader.take(packet(30, 1, 150), "c", 0)
    assert not reader.take(packet(11, 2), "a", 1)
    assert (reader.levels[0], reader.seen, len(reader.levels)) == (30, 1, 512)
    assert reader.take(packet(12, 3), "a", SILENT_NS), "c is silent"
    assert not reader.take(packet(0, 4, ended=True), "a", SILENT_NS + 1)
    assert reader.take(packet(21, 2), "b", SILENT_NS + 2)
    assert [reader.is_heard(at) for at in (SILENT_NS + 3, 3 * SILENT_NS)] == [True, False]


def test_late_packets_are_passed_over_and_a_restarted_source_is_not() -> None:
    reader = UniverseReader()
    for sequence in (254, 255, 0, 1):
        assert reader.take(packet(sequence, sequence), "a", 0)
    assert not reader.take(packet(9, 255), "a", 0)
    assert not reader.take(packet(9, 1), "a", 0)
    assert (reader.levels[0], reader.late) == (1, 2)
    assert reader.take(packet(50, 100), "a", 0)
    assert reader.take(packet(51, 7), "a", 0), "far behind: it has begun anew"
    assert reader.take(packet(52, 7, numbered=False), "a", 0)


def test_a_flood_of_sources_is_bounded() -> None:
    reader = UniverseReader()
    taken = [reader.take(packet(1, 1, 100 + number), number, 0) for number in range(100)]
    assert sum(taken) == MOST_SOURCES
