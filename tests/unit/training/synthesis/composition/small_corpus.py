"""A corpus of one drummer and of a few piano pieces for tests."""

from __future__ import annotations

from pathlib import Path

import mido

from training.synthesis.composition.scores import GIANTMIDI
from training.synthesis.hits_corpus import GROOVE

Event = tuple[float, str, int, int]
"""Seconds, kind of message, note or controller, velocity or value."""


def write_midi(path: Path, events: list[Event]) -> None:
    """Write events at 120 beats a minute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file, track, now = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack(), 0
    for time, kind, number, value in sorted(events):
        at = round(time * 960)
        if kind == "control_change":
            track.append(mido.Message(kind, control=number, value=value, time=at - now))
        else:
            track.append(mido.Message(kind, note=number, velocity=value, time=at - now))
        now = at
    file.tracks.append(track)
    file.save(path)


def write_corpus(folder: Path) -> Path:
    """Ten piano pieces of rising triads, whose keys tell them apart, and one drummer for each split."""
    for piece in range(10):
        events: list[Event] = []
        for beat in range(60):
            for pitch in (0, 4, 7):
                key = 48 + piece + pitch + (beat % 12)
                events.append((0.5 * beat, "note_on", key, 40 + beat))
                events.append((0.5 * beat + 0.4, "note_off", key, 0))
        write_midi(folder / GIANTMIDI / f"piece{piece}.mid", events)
    for name, drum in (("a", 36), ("b", 22)):
        events = []
        for beat in range(200):
            key = drum if beat % 2 else 38
            events += [(0.2 * beat, "note_on", key, 30 + beat % 90), (0.2 * beat + 0.1, "note_off", key, 0)]
        write_midi(folder / GROOVE / "drummer1" / f"{name}.mid", events)
    lines = ["midi_filename,split", "drummer1\\a.mid,train", "drummer1\\b.mid,test"]
    (folder / GROOVE / "info.csv").write_text("\n".join(lines), encoding="latin-1")
    return folder
