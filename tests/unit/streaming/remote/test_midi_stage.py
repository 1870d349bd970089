"""The MIDI stage: knobs become requests, learning, and notes are sent when their sound leaves the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.errors import UserError
from streaming.remote.console.preset_book import Cue, PresetBook
from streaming.remote.midi_mapping import MidiMapping
from streaming.remote.midi_notes import NOTE_OFF, NOTE_ON, zone_messages
from streaming.remote.midi_stage import EARLY_NS, MidiStage
from streaming.schema.messages import Set, Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.remote.test_osc_stage import FakeLink

NOW_NS = 7_000_000_000


class FakePorts:
    """Ports whose messages a test puts in, and which keep what is sent with its time."""

    name = "a desk"

    def __init__(self) -> None:
        self.incoming: list[bytes] = []
        self.sent: list[tuple[int, bytes]] = []
        self.now_ns = NOW_NS
        self.is_closed = False

    def take(self) -> list[bytes]:
        taken, self.incoming = self.incoming, []
        return taken

    def send(self, message: bytes) -> None:
        self.sent.append((self.now_ns, message))

    def close(self) -> None:
        self.is_closed = True


class Place:
    """A stage with its ports, its link and its time."""

    def __init__(self, folder: Path) -> None:
        self.ports, self.link, self.metrics = FakePorts(), FakeLink(), Metrics()
        self.notes: list[str] = []
        self.file = folder / "midi.json"
        self.stage = MidiStage(lambda *_: self.ports, lambda *_: self.link, lambda: self.ports.now_ns, self.file)  # type: ignore[arg-type]
        self.stage.setup(Context(Show(midi="desk"), self.metrics, note=self.notes.append, now_ns=NOW_NS))

    def step(self, **inputs: Any) -> None:
        self.stage.step(Inputs(**inputs), self.ports.now_ns)

    def wake(self, until_ns: int) -> None:
        """Let time pass as the stage asks for it."""
        while True:
            at_ns = self.stage.wake_ns()
            if at_ns is None or at_ns > until_ns:
                return
            self.ports.now_ns = max(at_ns, self.ports.now_ns)
            self.step()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_zone_is_said_first(place: Place) -> None:
    assert [message for _, message in place.ports.sent] == zone_messages()


def test_a_knob_is_learned_and_then_turns(place: Place) -> None:
    place.step(controls=[Set(name="learn", value="motion")])
    place.ports.incoming = [bytes([0xB0, 7, 100]), bytes([0xB0, 7, 101]), bytes([0xB0, 7, 127])]
    place.step()
    assert [(one.name, one.value) for one in place.link.requests] == [("learn", "off"), ("motion", "4.0")]
    assert MidiMapping(place.file).knobs == {(0, 7): "motion"}
    assert "controller 7" in place.notes[0]


def test_notes_are_sent_when_their_sound_leaves_the_device(place: Place) -> None:
    place.ports.sent.clear()
    time_s = np.arange(30 * TICK_SAMPLES) / SAMPLE_RATE
    sound = np.where((time_s > 0.21) & (time_s < 0.8), 0.3 * np.sin(2 * np.pi * 440 * time_s), 0).astype(np.float32)
    lead_ns = 30_000_000
    for tick, pcm in enumerate(sound.reshape(-1, TICK_SAMPLES)):
        place.wake(NOW_NS + tick * TICK_NS)
        place.ports.now_ns = NOW_NS + tick * TICK_NS
        clock = Speaker(tick=tick, dac_ns=NOW_NS + tick * TICK_NS + lead_ns)
        place.step(messages={"speaker": [clock], "sound": [Sound(tick=tick, pcm=pcm)]})
    starts = [(at_ns, message) for at_ns, message in place.ports.sent if message[0] & 0xF0 == NOTE_ON]
    assert [message[1] for _, message in starts] == [69]
    assert (starts[0][0] - NOW_NS - lead_ns) / 1e9 == pytest.approx(0.21 - EARLY_NS / 1e9, abs=0.006)
    ends = [at_ns for at_ns, message in place.ports.sent if message[0] & 0xF0 == NOTE_OFF]
    assert len(ends) == 1
    place.stage.close()
    assert place.ports.is_closed
    assert place.link.is_closed


def test_a_note_that_sounds_is_ended_at_the_end(place: Place) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(TICK_SAMPLES) / SAMPLE_RATE)).astype(np.float32)
    for tick in range(4):
        place.ports.now_ns += TICK_NS
        place.step(messages={"sound": [Sound(tick=tick, pcm=tone if tick else 0 * tone)]})
    place.stage.close()
    assert place.ports.sent[-1][1][0] & 0xF0 == NOTE_OFF


def test_without_midi_the_show_goes_on(tmp_path: Path) -> None:
    def refuse(*_: Any) -> FakePorts:
        raise UserError("no MIDI port has this in its name", "--midi x", "use one of virtual")

    notes: list[str] = []
    stage = MidiStage(refuse, file=tmp_path / "midi.json")
    stage.setup(Context(Show(midi="x"), Metrics(), note=notes.append, now_ns=NOW_NS))
    assert notes == ["no MIDI: --midi x: no MIDI port has this in its name; use one of virtual"]
    assert stage.step(Inputs(), NOW_NS) == []
    stage.close()


def cued(folder: Path, **show: Any) -> Place:
    """A place whose show has two cues."""
    book = PresetBook(folder / "cues.json")
    book.save("still", {"motion": 0.0})
    book.save("wild", {"motion": 4.0})
    book.set_cues([Cue("still", 0.0, "00:00:01:00"), Cue("wild", 1.0)])
    place = Place(folder)
    place.stage = MidiStage(
        lambda *_: place.ports,
        lambda *_: place.link,  # type: ignore[arg-type]
        lambda: place.ports.now_ns,
        place.file,
        folder / "cues.json",
    )
    context = Context(Show(midi="desk", **show), place.metrics, note=place.notes.append, now_ns=NOW_NS)
    place.stage.setup(context)
    return place


def test_a_program_change_goes_to_its_cue_with_its_fade(tmp_path: Path) -> None:
    place = cued(tmp_path)
    place.ports.incoming = [bytes([0xC0, 1])]
    place.step()
    place.wake(NOW_NS + 1_200_000_000)
    values = [float(one.value) for one in place.link.requests]
    assert values == sorted(values)
    assert values[-1] == 4.0
    assert len(values) >= 20
    assert place.notes == ["cue 2, wild, by MIDI program 2"]
    place.ports.incoming = [bytes([0xC0, 7])]
    place.step()
    assert place.notes[1:] == ["MIDI program 8: there is no cue 8; there are 2"]
    health = place.metrics.take("midi")
    assert (health.counters["cues"], health.gauges["cue"]) == (1, 2.0), "a cue that there is not is none"


def test_midi_timecode_goes_to_the_cue_at_its_time(tmp_path: Path) -> None:
    place = cued(tmp_path, timecode="mtc")
    quarter_ns = 10_000_000
    for number in range(140):
        place.wake(NOW_NS + number * quarter_ns)
        place.ports.now_ns = NOW_NS + number * quarter_ns
        frame, piece = number // 8 * 2, number % 8
        numbers = (frame % 25, frame // 25, 0, 1 << 5)
        place.ports.incoming = [bytes([0xF1, piece << 4 | numbers[piece // 2] >> 4 * (piece % 2) & 0xF])]
        place.step()
        if place.link.requests:
            break
    assert [(one.name, float(one.value)) for one in place.link.requests] == [("motion", 0.0)]
    assert (place.ports.now_ns - NOW_NS) / 1e9 == pytest.approx(1.0, abs=0.05)
    assert place.notes == ["cue 1, still, by MTC 00:00:01:00"]


def test_midi_clock_follows_the_music_and_stops_at_the_end(tmp_path: Path) -> None:
    place = cued(tmp_path, midi_clock=True)
    time_s = np.arange(250 * TICK_SAMPLES) / SAMPLE_RATE
    beat_s = (time_s - 0.2) % 0.5
    sound = (np.exp(-12 * beat_s) * np.sin(2 * np.pi * 440 * time_s) * 0.5 * (time_s > 0.2)).astype(np.float32)
    lead_ns = 50_000_000
    for tick, pcm in enumerate(sound.reshape(-1, TICK_SAMPLES)):
        place.wake(NOW_NS + tick * TICK_NS)
        place.ports.now_ns = NOW_NS + tick * TICK_NS
        clock = Speaker(tick=tick, dac_ns=NOW_NS + tick * TICK_NS + lead_ns)
        place.step(messages={"speaker": [clock], "sound": [Sound(tick=tick, pcm=pcm)]}, started=True)
    place.stage.close()
    singles = [(at_ns, message) for at_ns, message in place.ports.sent if len(message) == 1]
    assert [message for _, message in singles if message != b"\xf8"] == [b"\xfa", b"\xfc"]
    pulses = np.array([at_ns for at_ns, message in singles if message == b"\xf8"]) / 1e9
    assert np.diff(pulses)[48:].mean() == pytest.approx(0.5 / 24, rel=0.01)
    beats = (pulses[::24][4:] - (NOW_NS + lead_ns) / 1e9 - 0.2 + 0.25) % 0.5 - 0.25
    assert np.abs(beats).max() < 0.02
