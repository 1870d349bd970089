"""Notes begin at onsets, have the pitch of what sounds, bend with it, and end."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.remote.midi_notes import BEND, NOTE_OFF, NOTE_ON, PRESSURE, NoteWriter, bend_of, zone_messages
from streaming.remote.sound_events import SoundEventReader

NOTES = ((0.513, 60.0), (1.0071, 64.3), (1.4792, 55.0), (2.0501, 72.0))


def played(sound: np.ndarray) -> list[tuple[float, bytes]]:
    reader, writer, out = SoundEventReader(), NoteWriter(), []
    for tick, pcm in enumerate(sound.astype(np.float32).reshape(-1, TICK_SAMPLES)):
        out += [(tick / TICKS_PER_SECOND + one.at_s, one.message) for one in writer.tick(reader.hear(pcm))]
    return out


def pitch_at_end(messages: list[tuple[float, bytes]], channel: int) -> float:
    """Key and last bend of the channel's note."""
    own = [message for _, message in messages if message[0] & 0x0F == channel]
    key = next(message[1] for message in own if message[0] & 0xF0 == NOTE_ON)
    bend = [message for message in own if message[0] & 0xF0 == BEND][-1]
    return key + 48.0 * (bend[1] + 128 * bend[2] - 8_192) / 8_191


def test_plucked_notes_are_written_down() -> None:
    sound = np.zeros(3 * SAMPLE_RATE)
    for at_s, midi in NOTES:
        first = round(at_s * SAMPLE_RATE)
        time_s = np.arange(sound.size - first) / SAMPLE_RATE
        # Each note stops the one before it.
        sound[first:] = 0.3 * np.exp(-time_s / 0.15) * np.sin(2 * np.pi * 440.0 * 2 ** ((midi - 69.0) / 12.0) * time_s)
    messages = played(sound)
    starts = [(at_s, message) for at_s, message in messages if message[0] & 0xF0 == NOTE_ON]
    assert len(starts) == len(NOTES)
    for (at_s, message), (true_s, midi) in zip(starts, NOTES, strict=True):
        assert abs(at_s - true_s) < 0.010
        assert pitch_at_end(messages, message[0] & 0x0F) == pytest.approx(midi, abs=0.3)
    ends = [message for _, message in messages if message[0] & 0xF0 == NOTE_OFF]
    assert [message[1] for message in ends] == [message[1] for _, message in starts]
    assert {message[0] & 0x0F for _, message in starts} == {1, 2, 3, 4}


def test_a_glide_bends_and_then_becomes_another_note() -> None:
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    midi = 60.0 + np.clip(time_s - 0.5, 0.0, 1.0) * 3.0
    phase = 2 * np.pi * np.cumsum(440.0 * 2 ** ((midi - 69.0) / 12.0)) / SAMPLE_RATE
    messages = played(np.where(time_s > 0.1, 0.3 * np.sin(phase), 0.0))
    keys = [message[1] for _, message in messages if message[0] & 0xF0 == NOTE_ON]
    assert keys == [60, 61, 62, 63]
    assert sum(message[0] & 0xF0 == BEND for _, message in messages) > 15


def test_levels_are_pressure_and_silence_ends_a_note() -> None:
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    level = np.where(time_s < 1.0, 0.02 + 0.3 * time_s, 0.0)
    messages = played(level * np.sin(2 * np.pi * 330.0 * time_s))
    pressures = [message[1] for _, message in messages if message[0] & 0xF0 == PRESSURE]
    assert len(pressures) > 10
    assert max(pressures) > 1.3 * pressures[0]
    assert messages[-1][1][0] & 0xF0 == NOTE_OFF
    assert messages[-1][0] == pytest.approx(1.08, abs=0.05)


def test_bends_and_the_zone_are_as_the_standard_says() -> None:
    assert bend_of(0.0) == (0, 64)
    assert bend_of(48.0) == (127, 127)
    assert bend_of(-99.0) == (1, 0)
    assert zone_messages()[:3] == [b"\xb0\x65\x00", b"\xb0\x64\x06", b"\xb0\x06\x0f"]
    assert len(zone_messages()) == 3 + 15 * 3
