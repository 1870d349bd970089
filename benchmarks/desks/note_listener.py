"""Hears the show's MIDI notes in a process of its own: beside browsers and desks a note would be stamped late.

`python -m benchmarks.desks.note_listener`. When its input ends, it writes as JSON when each note began: monotonic ns.
"""

from __future__ import annotations

import sys

import msgspec

from streaming.devices.midi.ports import CLIENT, RtMidiPorts
from streaming.errors import UserError
from streaming.system.realtime import request_realtime
from streaming.timing import clock

NOTE_ON = 0x90
PRIORITY = 9


class NoteListener:
    """Keeps when notes begin.

    Attributes:
        began_ns: of each note, in the order in which they came.
    """

    def __init__(self) -> None:
        self.began_ns: list[int] = []
        self._ports: RtMidiPorts | None = None

    def open(self) -> None:
        """Listen to the show.

        Raises:
            UserError: when there is no MIDI.
        """
        self._ports = RtMidiPorts(CLIENT, self._hear, lambda name: None)

    def close(self) -> None:
        """Stop listening."""
        if self._ports is not None:
            self._ports.close()

    def _hear(self) -> None:
        """Stamp what has arrived, in the thread in which it arrives."""
        now_ns = clock.now_ns()
        if self._ports is not None:
            began = [message for message in self._ports.take() if message[0] & 0xF0 == NOTE_ON and message[2]]
            self.began_ns += [now_ns] * len(began)


def main() -> int:
    """Listen until the input ends; returns the exit status."""
    request_realtime(PRIORITY)
    listener = NoteListener()
    try:
        listener.open()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdin.read()
    listener.close()
    sys.stdout.write(msgspec.json.encode(listener.began_ns).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
