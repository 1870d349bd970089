"""The law by which music moves a synthetic scene: from notes and modes to forces on the modes' springs.

It is made up, as the synthetic performers are, and it is meant to be seen: low notes move what is large and slow, high
ones what is small and fast; strikes set things swinging, held tones bow and stretch them, melodies turn and lift them;
and each of a person's modes has its own part in the music. A network learns the law from sound alone, without notes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SOUND_BANDS, TICKS_PER_SECOND
from streaming.scenes.layered_scene import SceneMode
from training.synthesis.sampled.played_note import PlayedNote

STRUCK = ("keys", "drums", "dance")
"""Voices whose notes are struck and ring on; the others are held."""
HEARD_AFTER_S = 0.01
"""What begins later than this before a tick's end is heard in the next tick."""
REGISTER_WIDTH = 0.24
"""How far from a mode's register, 0 low to 1 high, a note still moves it."""
DRUM_REGISTER = {36: 0.08, 35: 0.08, 41: 0.2, 43: 0.25, 45: 0.3, 47: 0.35, 48: 0.4, 38: 0.5, 40: 0.5, 37: 0.6}
CYMBAL_REGISTER = 0.9
RING_S = 0.25
"""A struck note's push falls to 1 / e within so long."""
SLOW_PITCH_S = 2.0
"""Time in which a melody's middle follows it."""


class ModeResponse(NamedTuple):
    """What of the music a mode answers to: strikes, held tones (push and bow), and the melody's height."""

    kick: float
    push: float
    bow: float
    melody: float


RESPONSES = {
    "region": ModeResponse(0.8, 0.5, 0.08, 0.1),
    "stream": ModeResponse(0.2, 0.9, 0.03, 0.2),
    "swing": ModeResponse(0.9, 0.3, 0.10, 0.0),
    "stretch": ModeResponse(0.6, 0.7, 0.03, 0.3),
    "wave": ModeResponse(0.7, 0.3, 0.12, 0.0),
    "swell": ModeResponse(0.5, 0.9, 0.02, 0.0),
    "turn": ModeResponse(0.5, 0.1, 0.08, 0.9),
    "slide": ModeResponse(0.7, 0.3, 0.06, 0.6),
    "sway": ModeResponse(0.4, 0.5, 0.14, 0.4),
    "bounce": ModeResponse(1.1, 0.4, 0.0, 0.0),
    "tilt": ModeResponse(0.4, 0.1, 0.08, 0.9),
    "nod": ModeResponse(1.0, 0.2, 0.0, 0.2),
    "arm_left": ModeResponse(1.2, 0.4, 0.08, 0.3),
    "arm_right": ModeResponse(1.2, 0.4, 0.08, 0.3),
}
PERSON_REGISTER = {"sway": 0.2, "bounce": 0.1, "tilt": 0.6, "nod": 0.55, "arm_left": 0.3, "arm_right": 0.75}
"""Where a person's modes listen, whatever their size."""


class MusicPart(NamedTuple):
    """What one voice, of `performers.kinds.KINDS`, plays."""

    voice: str
    notes: Sequence[PlayedNote]


class ModeForces(NamedTuple):
    """Forces float32 [T, M]: see `models.pictures.drive`."""

    push: NDArray[np.float32]
    kick: NDArray[np.float32]
    bow: NDArray[np.float32]


def register_of_note(note: PlayedNote, voice: str) -> float:
    """How high a note is, 0 to 1."""
    if voice == "drums":
        return DRUM_REGISTER.get(round(note.pitch), CYMBAL_REGISTER)
    return float(np.clip((note.pitch - 36.0) / 50.0, 0.0, 1.0))


def register_of_mode(mode: SceneMode) -> float:
    """Where in the music a mode listens, 0 low to 1 high."""
    if mode.name in PERSON_REGISTER:
        return PERSON_REGISTER[mode.name]
    light = 1.3 * math.log(mode.hz / 1.7) - 0.9 * math.log(max(0.02, mode.size) / 0.2)
    return 1.0 / (1.0 + math.exp(-1.2 * light))


def notes_of_bands(bands: NDArray[np.float32]) -> list[PlayedNote]:
    """What of a recording counts as its notes: an attack in a band, held as long as the band stays half as loud.

    Args:
        bands: float32 [T, 2, SOUND_BANDS], see `streaming.audio.sound_bands`.
    """
    notes = []
    for band in range(SOUND_BANDS):
        levels, attacks = bands[:, 0, band], bands[:, 1, band]
        for tick in np.flatnonzero(attacks > 0.1):
            below = np.flatnonzero(levels[tick:] < 0.5 * levels[tick])
            length = int(below[0]) if below.size else len(levels) - tick
            pitch = 36.0 + 50.0 * band / (SOUND_BANDS - 1)
            onset_s = (tick + 0.5) / TICKS_PER_SECOND
            notes.append(PlayedNote(onset_s, length / TICKS_PER_SECOND, pitch, min(1.0, 1.5 * float(attacks[tick]))))
    return sorted(notes)


def forces_of(parts: Sequence[MusicPart], modes: Sequence[SceneMode], ticks: int) -> ModeForces:
    """The forces of music on modes.

    Args:
        parts: who plays what.
        modes: of a scene.
        ticks: length of the clip.
    """
    forces = ModeForces(*(np.zeros((ticks, len(modes)), np.float32) for _ in range(3)))
    registers = np.array([register_of_mode(mode) for mode in modes])
    responses = np.array([RESPONSES[mode.name] for mode in modes])
    # Melodies lift: a mode that moves up or turns follows them upwards.
    upward = np.array([-1.0 if mode.way[1] > 0.0 else 1.0 for mode in modes])
    for voice, notes in parts:
        _add_part(forces, voice, sorted(notes), registers, responses, upward)
    np.clip(forces.push, -1.2, 1.2, out=forces.push)
    np.clip(forces.kick, 0.0, 2.0, out=forces.kick)
    np.clip(forces.bow, 0.0, 0.2, out=forces.bow)
    return forces


def _add_part(
    forces: ModeForces,
    voice: str,
    notes: Sequence[PlayedNote],
    registers: NDArray[np.float64],
    responses: NDArray[np.float64],
    upward: NDArray[np.float64],
) -> None:
    """Add the forces of one voice's notes."""
    ticks, struck = len(forces.push), voice in STRUCK
    time_s = np.arange(ticks) / TICKS_PER_SECOND
    hit, held = (1.0, 0.35) if struck else (0.5, 1.0)
    middle: float | None = None
    before_s = 0.0
    for note in notes:
        first = int((note.onset_s + HEARD_AFTER_S) * TICKS_PER_SECOND)
        if not 0 <= first < ticks:
            continue
        register = register_of_note(note, voice)
        match = np.exp(-(((registers - register) / REGISTER_WIDTH) ** 2))
        strength = min(1.0, note.velocity) ** 0.8
        after = time_s[first:] - time_s[first]
        course = np.exp(-after / RING_S) if struck else np.clip((note.duration_s - after) / 0.12, 0.0, 1.0)
        course = (strength * course)[:, None]
        forces.kick[first] += hit * strength * match * responses[:, 0]
        forces.push[first:] += 0.7 * held * course * match * responses[:, 1]
        forces.bow[first:] += held * course * match * responses[:, 2]
        if voice not in ("drums", "dance"):
            middle = note.pitch if middle is None else middle
            middle += (note.pitch - middle) * (1.0 - math.exp(-(note.onset_s - before_s) / SLOW_PITCH_S))
            height = float(np.clip((note.pitch - middle) / 6.0, -1.0, 1.0))
            forces.push[first:] += 0.8 * height * course * responses[:, 3] * upward
        before_s = note.onset_s


def draw_modes(rng: np.random.Generator, count: int) -> list[SceneMode]:
    """Modes as scenes have them: of the ground, of things of all sizes, and of persons."""
    modes: list[SceneMode] = []
    while len(modes) < count:
        kind = rng.random()
        place = rng.uniform(-0.45, 0.45), rng.uniform(-0.35, 0.35)
        if kind < 0.25:
            hz = float(rng.choice([0.7, 1.1, 1.7, 2.6])) * math.exp(rng.normal(0.0, 0.1))
            reach, size = 0.02 * rng.uniform(0.4, 1.2), rng.uniform(0.1, 0.6)
            names: tuple[str, ...] = ("region", "stream") if rng.random() < 0.3 else ("region",)
        elif kind < 0.7:
            size = math.exp(rng.uniform(math.log(0.05), math.log(0.5)))
            hz = float(np.clip(3.6 * (0.07 / size) ** 0.5 * math.exp(rng.normal(0.0, 0.2)), 0.7, 4.2))
            reach = min(0.028, 0.16 * size) * rng.uniform(0.5, 1.1)
            names = ("swing", "stretch", "wave") if rng.random() < 0.6 else ("swell", "turn", "slide")
        else:
            size, hz, reach = rng.uniform(0.15, 0.6), 1.35 * math.exp(rng.normal(0.0, 0.2)), rng.uniform(0.012, 0.03)
            names = ("sway", "bounce", "tilt", "nod", "arm_left", "arm_right")
        for name in names:
            faster = {"stretch": 1.6, "wave": 2.4, "swell": 1.4, "slide": 0.8, "bounce": 1.9, "tilt": 1.4, "nod": 2.3}
            own_hz = float(np.clip(hz * faster.get(name, 1.7 if name.startswith("arm") else 1.0), 0.6, 6.0))
            angle = rng.uniform(0.0, 2.0 * math.pi)
            at = place[0] + rng.normal(0.0, 0.1 * size), place[1] + rng.normal(0.0, 0.1 * size)
            way = math.cos(angle), math.sin(angle)
            modes.append(SceneMode(1, name, own_hz, float(rng.uniform(0.16, 0.5)), float(reach), at, way, float(size)))
    order = rng.permutation(len(modes))[:count]
    return [modes[int(index)] for index in order]
