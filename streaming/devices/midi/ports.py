"""MIDI ports of the machine: named ones are opened, "virtual" makes ports of the show's own for others to connect to.

python-rtmidi is an optional package (extra `midi`).
"""

from __future__ import annotations

import operator
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from streaming.devices.optional import missing
from streaming.errors import UserError

VIRTUAL = "virtual"
CLIENT = "Antiphon"
MAX_QUEUE = 512
"""Messages that wait to be read; with more, the oldest are dropped and counted."""
LONGEST = 16
"""Bytes of a message; longer ones are dumps of other devices, and are passed over."""
_TICKS = ([0xF8], [0xFE])
"""MIDI clock and active sensing: the show does not follow them."""
WITHOUT = "leave --midi out"
HOW = f"start ALSA, CoreMIDI or a JACK server; or {WITHOUT}"


class MidiPorts(Protocol):
    """What sends and receives MIDI messages, each a list of bytes.

    Attributes:
        name: of the ports, for a person.
    """

    name: str

    def take(self) -> list[bytes]:
        """What has arrived since the last call."""

    def send(self, message: bytes) -> None:
        """Send at once."""

    def close(self) -> None:
        """Close the ports."""


class RtMidiPorts:
    """Ports by python-rtmidi.

    Args:
        name: `virtual`, or a part of the name of the machine's ports that are wanted, in and out.
        wake: called from a thread of the library's after something has arrived.
        count: counts what is dropped, by name.

    Raises:
        UserError: when there is no MIDI here, or no such port.
    """

    def __init__(self, name: str, wake: Callable[[], None], count: Callable[[str], None]) -> None:
        self._wake, self._count = wake, count
        self._arrived: deque[bytes] = deque()
        self._in, self._out, self._errors = _open_library()
        if name == VIRTUAL:
            self._open(lambda port: port.open_virtual_port("control" if port is self._in else "music"), name)
            self.name = f"{CLIENT} (virtual)"
        else:
            found = [self._connect(port, name) for port in (self._in, self._out)]
            names = [one for one in found if one]
            if not names:
                self.close()
                raise UserError("no MIDI port has this in its name", f"--midi {name}", f"use one of {_names(self._in)}")
            self.name = " and ".join(dict.fromkeys(names))
        # Timecode comes as timing and as short system-exclusive messages; `_receive` drops what else they bring.
        self._in.ignore_types(sysex=False, timing=False, active_sense=True)
        self._in.set_callback(self._receive)

    def take(self) -> list[bytes]:
        """What has arrived since the last call."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def send(self, message: bytes) -> None:
        """Send at once."""
        try:
            self._out.send_message(list(message))
        except self._errors:
            self._count("unsent")

    def close(self) -> None:
        """Close the ports."""
        for port in (self._in, self._out):
            port.close_port()
            port.delete()

    def _connect(self, port: Any, name: str) -> str:
        names: list[str] = port.get_ports()
        for number, one in enumerate(names):
            if name.lower() in one.lower():
                self._open(operator.methodcaller("open_port", number), name, port)
                return one
        return ""

    def _open(self, opener: Callable[[Any], object], name: str, *ports: Any) -> None:
        for port in ports or (self._in, self._out):
            try:
                opener(port)
            except self._errors as error:
                raise UserError(f"cannot be opened ({error})", f"--midi {name}", HOW) from error

    def _receive(self, event: tuple[list[int], float], _: object = None) -> None:
        if event[0][:1] in _TICKS or len(event[0]) > LONGEST:
            return
        if len(self._arrived) >= MAX_QUEUE:
            self._arrived.popleft()
            self._count("midi_dropped")
        self._arrived.append(bytes(event[0]))
        self._wake()


def _open_library() -> tuple[Any, Any, type[Exception]]:
    """The library's two ends, without ports, and the class of its errors.

    They are JACK's where its server is named, else the machine's usual ones.

    Raises:
        UserError: when the library is not here, or finds no MIDI.
    """
    try:
        import rtmidi
    except (ImportError, OSError) as error:
        raise missing("midi", "--midi", error, WITHOUT) from error
    api = rtmidi.API_UNIX_JACK if os.environ.get("JACK_DEFAULT_SERVER") else rtmidi.API_UNSPECIFIED
    try:
        return rtmidi.MidiIn(api, name=CLIENT), rtmidi.MidiOut(api, name=CLIENT), rtmidi.RtMidiError
    except rtmidi.RtMidiError as error:
        raise UserError(f"there is no MIDI here ({error})", "--midi", HOW) from error


def describe_ports() -> str:
    """The ports that can be named, in words.

    Raises:
        UserError: when the library is not here, or finds no MIDI.
    """
    ports = _open_library()[:2]
    names = [name for port in ports for name in port.get_ports()]
    for port in ports:
        port.delete()
    return ", ".join(dict.fromkeys([*names, VIRTUAL]))


def _names(port: Any) -> str:
    return ", ".join([*port.get_ports(), VIRTUAL])
