"""The stage that speaks MIDI: knobs turn the show's controls, and what it plays goes out as notes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.conventions import TICK_NS
from streaming.devices.midi.ports import MidiPorts, RtMidiPorts
from streaming.errors import UserError
from streaming.remote.control_desk import ControlDesk
from streaming.remote.midi_mapping import PROGRAM_CHANGE, MidiMapping, default_file
from streaming.remote.midi_notes import NoteWriter, TimedMidi, zone_messages
from streaming.remote.show_control.tempo.midi_clock import STOP, MidiClock
from streaming.remote.show_control.timecode.cue_player import CuePlayer
from streaming.remote.show_control.timecode.mtc_reader import MtcReader
from streaming.remote.sound_events import SoundEventReader, SoundTimes
from streaming.schema.messages import Message
from streaming.settings.controls import NO_LEARNING
from streaming.settings.values.timecode_source import MTC
from streaming.stage import Context, Inputs
from streaming.timing import clock
from streaming.transport.bus import ControlLink

WAKE_NS = 100_000_000
PULSES_AHEAD_NS = 2 * TICK_NS
"""MIDI clock is planned so far ahead."""
EARLY_NS = 3_000_000
"""What a message needs on its way: the wake-up of this stage, and half of a JACK server's usual cycle."""
MAX_WAITING = 512
"""Messages that may wait for their time."""


class MidiStage:
    """Turns controls as knobs are turned, and plays what is heard as notes, each when its sound leaves the device.

    Args:
        opener: opens the ports.
        link: opens the control link that requests go by.
        now_ns: reads the clock, for messages that are due.
        file: where the knobs' mapping is kept; None for the user's.
        cues: the file of presets and cues; None for the user's.
    """

    def __init__(
        self,
        opener: Callable[..., MidiPorts] = RtMidiPorts,
        link: Callable[..., ControlLink] = ControlLink,
        now_ns: Callable[[], int] = clock.now_ns,
        file: Path | None = None,
        cues: Path | None = None,
    ) -> None:
        self._opener, self._open_link, self._now_ns = opener, link, now_ns
        self._mapping_file = file
        self._ports: MidiPorts | None = None
        self._desk: ControlDesk | None = None
        self._reader, self._notes = SoundEventReader(), NoteWriter()
        self._waiting: list[tuple[int, int, bytes]] = []
        """Due time, running number, message: a heap."""
        self._numbers = itertools.count()
        self._mtc: MtcReader | None = None
        self._pulses: MidiClock | None = None
        self._cue_file = cues
        self._wake_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Open the ports; without them the show goes on without MIDI."""
        self._context = context
        self._wake_ns = context.now_ns + WAKE_NS
        try:
            self._ports = self._opener(context.show.midi, context.wake, context.metrics.count)
        except UserError as error:
            context.note(f"no MIDI: {error}")
            context.info["device"] = "none"
            return
        context.info["device"] = self._ports.name
        self._desk = ControlDesk("midi", context, self._open_link)
        self._cues = CuePlayer(self._desk, context.note, context.metrics, self._cue_file)
        self._times = SoundTimes(hears_only=context.show.direction == "music-to-video")
        self._mtc = MtcReader() if context.show.timecode == MTC else None
        self._pulses = MidiClock() if context.show.midi_clock else None
        self._mapping = MidiMapping(self._mapping_file or default_file())
        if self._mapping.trouble:
            context.note(self._mapping.trouble)
        for message in zone_messages():
            self._ports.send(message)

    def wake_ns(self) -> int | None:
        """When the next message is due, and ten times a second."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Pass on what was turned, and play what is due."""
        self._wake_ns = now_ns + WAKE_NS
        if self._ports is None or self._desk is None:
            return []
        self._desk.take(inputs.controls)
        for change in inputs.controls:
            self._mapping.changed(change.name, change.value)
            if change.name == "learn" and change.value != NO_LEARNING:
                self._mapping.learn(str(change.value))
        self._take_turns(self._ports, self._desk, now_ns)
        self._cues.beat(now_ns, "MTC")
        if self._cues.busy or self._mtc is not None:
            self._wake_ns = now_ns + TICK_NS
        self._desk.replies()
        self._hear(inputs, self._desk, now_ns)
        self._play_due(self._ports)
        if self._waiting:
            self._wake_ns = min(self._wake_ns, self._waiting[0][0])
        return []

    def close(self) -> None:
        """End the note that sounds, and close the ports."""
        if self._ports is not None:
            for one in self._notes.end():
                self._ports.send(one.message)
            if self._pulses is not None and self._pulses.tempo is not None:
                self._ports.send(STOP)
            self._ports.close()
        if self._desk is not None:
            self._desk.close()

    def _hear(self, inputs: Inputs, desk: ControlDesk, now_ns: int) -> None:
        """Plan the notes of what is played, and the pulses of its beat."""
        for sound, begin_ns in self._times.take(inputs, now_ns):
            events = self._reader.hear(sound.pcm)
            for one in self._notes.tick(events):
                self._put(one, begin_ns)
            if events.onset_s is not None and self._pulses is not None:
                self._pulses.hear(begin_ns / 1e9 + events.onset_s, events.strength)
        if self._pulses is not None and inputs.started:
            tempo = desk.values.get("tempo")
            until_s = (now_ns + PULSES_AHEAD_NS) / 1e9
            for at_s, message in self._pulses.due(until_s, tempo if isinstance(tempo, float) else None):
                self._put(TimedMidi(message, 0.0), round(1e9 * at_s))

    def _take_turns(self, ports: MidiPorts, desk: ControlDesk, now_ns: int) -> None:
        turned: dict[str, float] = {}
        for message in ports.take():
            if len(message) == 2 and message[0] & 0xF0 == PROGRAM_CHANGE:
                self._context.metrics.gauge("program", float(message[1]))
                self._cues.go(message[1], now_ns, f"MIDI program {message[1] + 1}")
                continue
            if self._mtc is not None and (reading := self._mtc.take(message, now_ns)) is not None:
                self._cues.hear(reading, now_ns)
                continue
            was_learning = self._mapping.learning
            asked = self._mapping.turn(message, desk.values)
            if was_learning and not self._mapping.learning:
                self._context.note(f"MIDI: {was_learning} is turned by controller {message[1]} now")
                desk.request("learn", NO_LEARNING)
            if asked is not None:
                # A knob sends many values: the last one counts.
                turned[asked[0]] = asked[1]
        for name, value in turned.items():
            desk.request(name, value)

    def _put(self, one: TimedMidi, begin_ns: int) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._context.metrics.count("midi_dropped")
            return
        due_ns = begin_ns + round(1e9 * one.at_s) - EARLY_NS
        heapq.heappush(self._waiting, (due_ns, next(self._numbers), one.message))

    def _play_due(self, ports: MidiPorts) -> None:
        while self._waiting and self._waiting[0][0] <= self._now_ns():
            due_ns, _, message = heapq.heappop(self._waiting)
            self._context.metrics.observe("midi_late_ms", max(0.0, (self._now_ns() - due_ns) / 1e6))
            ports.send(message)


def build() -> MidiStage:
    """The stage with its default devices."""
    return MidiStage()
