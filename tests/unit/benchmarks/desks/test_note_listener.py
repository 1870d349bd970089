"""The listener stamps the beginnings of notes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.desks import note_listener
from benchmarks.desks.note_listener import NoteListener
from streaming.timing import clock


class FakePorts:
    """Gives what a test put in."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake, self.messages, self.closed = wake, list[bytes](), False

    def take(self) -> list[bytes]:
        taken, self.messages = self.messages, []
        return taken

    def close(self) -> None:
        self.closed = True


def test_notes_are_stamped_when_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[FakePorts] = []

    def open_ports(name: str, wake: Callable[[], None], count: Callable[[str], None]) -> FakePorts:
        opened.append(FakePorts(wake))
        return opened[-1]

    monkeypatch.setattr(note_listener, "RtMidiPorts", open_ports)
    listener, before_ns = NoteListener(), clock.now_ns()
    listener.open()
    (ports,) = opened
    ports.messages = [bytes([0x90, 60, 100]), bytes([0x93, 64, 80]), bytes([0x90, 60, 0]), bytes([0xB0, 7, 1])]
    ports.wake()
    ports.wake()
    assert len(listener.began_ns) == 2
    assert before_ns <= listener.began_ns[0] == listener.began_ns[1] <= clock.now_ns()
    listener.close()
    assert ports.closed
