"""What the show plays as MIDI notes, so that any synthesizer plays what is seen.

MIDI Polyphonic Expression (MPE 1.0, 2018): the lower zone with 15 member channels, one note a channel, pitch bend of
48 semitones for the pitch between the keys, channel pressure for the level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming.remote.sound_events import SoundEvents

NOTE_OFF, NOTE_ON, CONTROL_CHANGE, PRESSURE, BEND = 0x80, 0x90, 0xB0, 0xD0, 0xE0
BEND_RANGE = 48.0
MEMBERS = 15
QUIETEST_DB, LOUDEST_DB = -55.0, -6.0
SILENT_TICKS = 2
"""A note ends after so many ticks below `QUIETEST_DB`."""
UNPITCHED = 60
"""The key of a hit that has no pitch."""
CHANGED = 0.9
"""A pitch farther away from its key than this begins another note, in semitones."""
SETTLE_TICKS = 2
"""For so long after an attack a note is bent to the pitch that becomes clear, however far."""
SLURRED = 80
"""Velocity of a note that has no attack."""


def zone_messages() -> list[bytes]:
    """What says that there is an MPE zone: RPN 6 on the first channel, and the bend's range on every member."""
    messages = [bytes([CONTROL_CHANGE, number, value]) for number, value in ((101, 0), (100, 6), (6, MEMBERS))]
    for channel in range(1, MEMBERS + 1):
        rows = ((101, 0), (100, 0), (6, int(BEND_RANGE)))
        messages += [bytes([CONTROL_CHANGE | channel, number, value]) for number, value in rows]
    return messages


def bend_of(semitones: float) -> tuple[int, int]:
    """The two data bytes of a pitch bend."""
    number = round(8_192 + 8_191 * max(-1.0, min(1.0, semitones / BEND_RANGE)))
    return number & 0x7F, number >> 7


def pressure_of(level_db: float) -> int:
    """Channel pressure of a level, 0 to 127."""
    return round(127 * max(0.0, min(1.0, (level_db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB))))


@dataclass(frozen=True)
class TimedMidi:
    """A message and when it is due, in seconds from the tick's first sample."""

    message: bytes
    at_s: float


class NoteWriter:
    """Turns ticks of sound events into notes, one voice at a time."""

    def __init__(self) -> None:
        self._channel = 0
        self._key: int | None = None
        self._bend, self._pressure = (0, 64), 0
        self._silent = self._age = 0

    def tick(self, events: SoundEvents) -> list[TimedMidi]:
        """The messages of the next tick."""
        out: list[TimedMidi] = []
        self._silent = self._silent + 1 if events.level_db < QUIETEST_DB else 0
        if events.onset_s is not None:
            velocity = max(1, min(127, round(127 * events.strength**0.5)))
            out += self._off(events.onset_s) + self._on(events.pitch, velocity, events.onset_s, events.level_db)
            return out
        if self._silent >= SILENT_TICKS:
            return self._off(0.0)
        if self._key is None:
            return out
        self._age += 1
        if events.pitch is not None:
            away = events.pitch - self._key
            if self._age > SETTLE_TICKS and abs(away) > CHANGED:
                # The next note of a slurred line has no attack.
                out += self._off(0.0) + self._on(events.pitch, SLURRED, 0.0, events.level_db)
                return out
            out += self._bend_to(away)
        out += self._press(events.level_db)
        return out

    def end(self) -> list[TimedMidi]:
        """What ends the note that sounds."""
        return self._off(0.0)

    def _on(self, pitch: float | None, velocity: int, at_s: float, level_db: float) -> list[TimedMidi]:
        self._channel = self._channel % MEMBERS + 1
        self._age = 0
        key = UNPITCHED if pitch is None else max(0, min(127, math.floor(pitch + 0.5)))
        self._key = key
        self._bend, self._pressure = bend_of(0.0 if pitch is None else pitch - key), pressure_of(level_db)
        channel = self._channel
        messages = [
            bytes([BEND | channel, *self._bend]),
            bytes([PRESSURE | channel, self._pressure]),
            bytes([NOTE_ON | channel, key, velocity]),
        ]
        return [TimedMidi(message, at_s) for message in messages]

    def _off(self, at_s: float) -> list[TimedMidi]:
        if self._key is None:
            return []
        message = bytes([NOTE_OFF | self._channel, self._key, 64])
        self._key = None
        return [TimedMidi(message, at_s)]

    def _bend_to(self, semitones: float) -> list[TimedMidi]:
        bend = bend_of(semitones)
        if bend == self._bend:
            return []
        self._bend = bend
        return [TimedMidi(bytes([BEND | self._channel, *bend]), 0.0)]

    def _press(self, level_db: float) -> list[TimedMidi]:
        pressure = pressure_of(level_db)
        if pressure == self._pressure:
            return []
        self._pressure = pressure
        return [TimedMidi(bytes([PRESSURE | self._channel, pressure]), 0.0)]
