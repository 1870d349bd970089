"""Renders notes with sampled instruments: a voice's instrument, tuning and room follow from a seed.

Strings and air play slurs: notes that touch are one bow or breath, with portamento and a vibrato that grows on long
notes. Levels are those of `gains`, the same for every clip, so that a soft performance stays soft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from training.synthesis.sampled.gains import GAIN_DB
from training.synthesis.sampled.played_note import PlayedNote
from training.synthesis.sampled.programs import DANCE, DRUM_BANK, VOICES, DancePrograms, Program
from training.synthesis.sampled.room import draw_room, in_room, limit
from training.synthesis.sampled.sampler import LOUDER, MIX_RATE, NoteGesture, Signal, play, regions_of
from training.synthesis.sampled.soundfont import DEFAULT_SOUNDFONT, Soundfont, SoundfontError, open_soundfont

HEADROOM_DB = -12.0
"""Level of the mix before gains."""
SLUR_GAP_S = 0.03
"""Notes closer than this are slurred."""
SLUR_SKIP_S, SLUR_OVERLAP_S = 0.06, 0.04
DETACHED_SKIP_S, DETACHED_ATTACK_S, DETACHED_GAP_S, SHORTEST_S = 0.15, 0.004, 0.1, 0.05
"""Of a detached note: how much of the recording's slow start is left out, its fade-in, the gap before the next note,
and its shortest length."""
ACCENT, ACCENT_S = 2.5, 0.04
"""A detached note begins louder by 1 + `ACCENT`, which falls exponentially in `ACCENT_S`: marcato. Slurred, or with
their recordings' own starts, notes of strings and air are onsets in 4 of 10 cases by `training.measures.onsets`. With
this accent and gap the F1 of the found onsets is 1.0 for strings and 0.8 for air (without the accent, and with a gap of
0.06 s, 0.69 and 0.46; ten clips each)."""
TONE_DIP, TONE_DIP_S = 0.4, 0.012
"""A gliding tone dips that much at each note, for that time before and after it."""
VIBRATO_AFTER_S, VIBRATO_GROWS_S = 0.18, 0.3
CHOKING = 57
"""The generator of the class in which a note ends the one before."""
STEPS_BELOW, BELLS_FROM = 48, 60
DRUM_RING_S, BELL_RING_S = 0.7, 1.5
"""Drums ring that long before they are damped, bells and bars that long; a damped one falls as its release says."""


class Tuning(NamedTuple):
    """What a clip's instrument has of its own.

    Attributes:
        cents: how far it is out of tune.
        side: which channel of stereo recordings is heard: -1 left, 1 right.
        vibrato_hz, vibrato: rate of its vibrato, and its depth against that of the program.
        detached: whether every note has an attack of its own, as a player's strikes ask for; else notes are slurred.
    """

    cents: float
    side: int
    vibrato_hz: float
    vibrato: float
    detached: bool = False


def draw_tuning(rng: np.random.Generator, detached: bool = False) -> Tuning:
    """Draw what a clip's instrument has of its own."""
    return Tuning(
        float(rng.normal(0.0, 8.0)),
        int(rng.choice([-1, 1])),
        float(rng.uniform(4.8, 6.4)),
        float(rng.uniform(0.5, 1.3)),
        detached,
    )


def draw_program(rng: np.random.Generator, voice: str, font: Soundfont) -> Program | DancePrograms:
    """Draw one of a voice's instruments that a soundfont has.

    Raises:
        SoundfontError: when it has none of them, or there is no such voice.
    """
    known = set(font.presets)

    def has(program: Program) -> bool:
        return (program.bank, program.number) in known

    found: list[Program | DancePrograms] = [one for one in VOICES.get(voice, ()) if has(one)]
    if voice == "dance":
        found = [one for one in DANCE if has(one.kit) and has(one.bells)]
    elif voice not in VOICES:
        raise SoundfontError(f"unknown voice {voice!r}; one of {', '.join((*VOICES, 'dance'))}")
    if not found:
        raise SoundfontError(f"{font.path}: no instrument of {voice}; use a General MIDI soundfont")
    return found[int(rng.integers(len(found)))]


def render_notes(
    notes: Sequence[PlayedNote],
    voice: str,
    seconds: float,
    seed: int,
    soundfont: Path | None = None,
    *,
    detached: bool = False,
) -> NDArray[np.float32]:
    """The sound of notes in a voice.

    Args:
        notes: what is played, in any order.
        voice: one of `performers.kinds.KINDS`.
        seconds: length of the sound; notes that begin later are left out.
        seed: draws the instrument, its tuning and the room.
        soundfont: a General MIDI soundfont; None for the one that Debian installs.
        detached: see `Tuning`; only strings and air can slur.

    Returns:
        float32 [round(seconds * 32000)] at 32 kHz; notes of ordinary strength give about -18 LUFS, and the true peak is
        at most -1 dBFS.

    Raises:
        SoundfontError: when there is no such voice, or the soundfont cannot be used.
    """
    font = open_soundfont(soundfont or DEFAULT_SOUNDFONT)
    rng = np.random.default_rng([seed, 311])
    program = draw_program(rng, voice, font)
    return render_program(font, program, notes, seconds, rng, GAIN_DB, detached=detached)


def render_program(
    font: Soundfont,
    program: Program | DancePrograms,
    notes: Sequence[PlayedNote],
    seconds: float,
    rng: np.random.Generator,
    gains_db: Mapping[str, float],
    *,
    detached: bool = False,
) -> NDArray[np.float32]:
    """As `render_notes`, by one instrument; `rng` draws its tuning and the room, `gains_db` are added to its level."""
    tuning, room = draw_tuning(rng, detached), draw_room(rng)
    mix = np.zeros(round(seconds * MIX_RATE))
    heard = sorted(note for note in notes if note.onset_s < seconds and note.velocity > 0.0)
    gain_db = HEADROOM_DB + gains_db.get(program.name, 0.0)
    for one, part in _parts(program, heard):
        own_db = gains_db.get(one.name, 0.0) if one is not program else 0.0
        played = np.zeros(mix.size)
        _play_part(font, one, part, tuning, played)
        mix += played * 10.0 ** ((gain_db + own_db) / 20.0)
    dry = soxr.resample(mix, MIX_RATE, SAMPLE_RATE, quality="HQ")
    out = np.zeros(round(seconds * SAMPLE_RATE))
    out[: min(out.size, dry.size)] = dry[: out.size]
    return limit(in_room(out, room, rng)).astype(np.float32)


def _parts(
    program: Program | DancePrograms, notes: Sequence[PlayedNote]
) -> tuple[tuple[Program, Sequence[PlayedNote]], ...]:
    """Who plays which notes."""
    if isinstance(program, Program):
        return ((program, notes),)
    kit, bells = [], []
    for note in notes:
        pitch = round(note.pitch)
        if pitch >= BELLS_FROM:
            bells.append(note)
        else:
            keys = program.steps if pitch < STEPS_BELOW else program.hands
            kit.append(note._replace(pitch=float(keys[pitch % len(keys)])))
    return ((program.kit, kit), (program.bells, bells))


def _play_part(font: Soundfont, program: Program, notes: Sequence[PlayedNote], tuning: Tuning, out: Signal) -> None:
    """Add an instrument's notes, in order, to the mix [n]."""
    if program.bank == DRUM_BANK:
        _play_kit(font, program, notes, tuning, out)
    elif program.glide_s and tuning.detached:
        for note in notes:
            _play_detached(font, program, note, tuning, out)
    elif program.glide_s:
        for slur in _slurs(notes):
            if program.single:
                _play_tone(font, program, slur, tuning, out)
            else:
                _play_slur(font, program, slur, tuning, out)
    else:
        for note in notes:
            key = int(np.clip(round(note.pitch), 0, 127))
            hold_s = max(note.duration_s, BELL_RING_S) if program.rings else note.duration_s
            gesture = NoteGesture(key, min(note.velocity, 1.0), hold_s, note.pitch + tuning.cents / 100.0)
            _add(font, program, gesture, note.onset_s, tuning, out)


def _add(font: Soundfont, program: Program, gesture: NoteGesture, onset_s: float, tuning: Tuning, out: Signal) -> None:
    """Add a note to the mix."""
    start = max(0, round(onset_s * MIX_RATE))
    longest_s = (out.size - start) / MIX_RATE
    for region in regions_of(font, program.bank, program.number, gesture, tuning.side):
        sound = play(font, region, gesture, longest_s)[: out.size - start]
        out[start : start + sound.size] += sound


def _play_kit(font: Soundfont, program: Program, notes: Sequence[PlayedNote], tuning: Tuning, out: Signal) -> None:
    """Drums ring until they are silent, or until another of their class is struck: a closed hi-hat ends an open one."""
    gestures = [NoteGesture(round(note.pitch), min(note.velocity, 1.0), DRUM_RING_S, note.pitch) for note in notes]
    last: dict[int, int] = {}
    for number, gesture in enumerate(gestures):
        found = regions_of(font, program.bank, program.number, gesture, tuning.side)
        choking = max((region.amount(CHOKING) for region in found), default=0)
        if choking:
            if choking in last:
                before = last[choking]
                gestures[before] = gestures[before]._replace(choke_s=notes[number].onset_s - notes[before].onset_s)
            last[choking] = number
    for note, gesture in zip(notes, gestures, strict=True):
        tuned = gesture._replace(pitch=note.pitch + 3.0 * tuning.cents / 100.0)
        _add(font, program, tuned, note.onset_s, tuning, out)


def _slurs(notes: Sequence[PlayedNote]) -> list[list[PlayedNote]]:
    """Notes in groups of those that touch; what sounds together is not slurred."""
    slurs: list[list[PlayedNote]] = []
    for note in notes:
        last = slurs[-1][-1] if slurs else None
        touches = last is not None and abs(last.onset_s + last.duration_s - note.onset_s) < SLUR_GAP_S
        if touches:
            slurs[-1].append(note)
        else:
            slurs.append([note])
    return slurs


def _play_detached(font: Soundfont, program: Program, note: PlayedNote, tuning: Tuning, out: Signal) -> None:
    """A note with an attack that is heard: without the slow start of its recording, and a gap before the next one."""
    hold_s = max(SHORTEST_S, note.duration_s - DETACHED_GAP_S)
    time = np.arange(round((hold_s + 0.5) * MIX_RATE)) / MIX_RATE
    pitch = note.pitch + tuning.cents / 100.0 + _vibrato(program, tuning, time)
    key = int(np.clip(round(note.pitch), 0, 127))
    velocity = min(note.velocity, 1.0)
    gesture = NoteGesture(key, velocity, hold_s, pitch, DETACHED_SKIP_S, DETACHED_ATTACK_S)
    played = np.zeros(out.size)
    _add(font, program, gesture, note.onset_s, tuning, played)
    start = max(0, round(note.onset_s * MIX_RATE))
    after = np.arange(out.size - start) / MIX_RATE
    out[start:] += played[start:] * (1.0 + ACCENT * np.exp(-after / ACCENT_S))


def _vibrato(program: Program, tuning: Tuning, time: Signal) -> Signal:
    """Deviation in semitones at times after a note's onset."""
    grown = np.clip((time - VIBRATO_AFTER_S) / VIBRATO_GROWS_S, 0.0, 1.0)
    depth = program.vibrato * tuning.vibrato
    return np.asarray(depth * grown * np.sin(2.0 * np.pi * tuning.vibrato_hz * time))


def _play_slur(font: Soundfont, program: Program, slur: Sequence[PlayedNote], tuning: Tuning, out: Signal) -> None:
    """A recording for each note; the notes after the first one begin without its attack, at the pitch before."""
    for number, note in enumerate(slur):
        is_tied = number > 0
        hold_s = note.duration_s + (SLUR_OVERLAP_S if number + 1 < len(slur) else 0.0)
        time = np.arange(round((hold_s + 0.5) * MIX_RATE)) / MIX_RATE
        pitch = note.pitch + tuning.cents / 100.0 + _vibrato(program, tuning, time)
        if is_tied:
            pitch = pitch + (slur[number - 1].pitch - note.pitch) * np.exp(-time / program.glide_s)
        key = int(np.clip(round(note.pitch), 0, 127))
        skip_s = SLUR_SKIP_S if is_tied else 0.0
        _add(font, program, NoteGesture(key, min(note.velocity, 1.0), hold_s, pitch, skip_s), note.onset_s, tuning, out)


def _play_tone(font: Soundfont, program: Program, slur: Sequence[PlayedNote], tuning: Tuning, out: Signal) -> None:
    """One recording that glides from note to note and dips a little before each."""
    start_s = slur[0].onset_s
    length_s = slur[-1].onset_s + slur[-1].duration_s - start_s
    time = np.arange(round((length_s + 1.5) * MIX_RATE)) / MIX_RATE
    pitch, level = np.full(time.size, slur[0].pitch), np.full(time.size, slur[0].velocity)
    waver = np.zeros(time.size)
    for number, note in enumerate(slur):
        here = round((note.onset_s - start_s) * MIX_RATE)
        after = time[: time.size - here]
        if number:
            before = slur[number - 1]
            pitch[here:] = note.pitch + (before.pitch - note.pitch) * np.exp(-after / program.glide_s)
            level[here:] = note.velocity + (before.velocity - note.velocity) * np.exp(-after / 0.03)
            level *= 1.0 - TONE_DIP * np.exp(-(((time - time[here]) / TONE_DIP_S) ** 2))
        waver[here:] = _vibrato(program, tuning, after)
    key = int(np.clip(round(float(np.median([note.pitch for note in slur]))), 0, 127))
    velocity = min(1.0, float(np.mean([note.velocity for note in slur])))
    played = np.zeros(out.size)
    _add(
        font,
        program,
        NoteGesture(key, velocity, length_s, pitch + waver + tuning.cents / 100.0),
        start_s,
        tuning,
        played,
    )
    start = max(0, round(start_s * MIX_RATE))
    shape = (level / velocity) ** LOUDER
    end = min(out.size, start + shape.size)
    out[start:end] += played[start:end] * shape[: end - start]
