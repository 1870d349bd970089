"""The instruments of each voice: which presets of General MIDI play it, and how."""

from __future__ import annotations

from dataclasses import dataclass

DRUM_BANK = 128


@dataclass(frozen=True)
class Program:
    """One instrument.

    Attributes:
        name: its name, unique.
        bank, number: of the preset.
        vibrato: depth in semitones of the vibrato of long notes; 0 for none.
        glide_s: time constant of the portamento to the next note of a slur; 0 for none.
        single: whether a slur is one tone that glides, as of a theremin, and not a recording for each note.
        rings: whether a note rings on when it is released.
    """

    name: str
    bank: int
    number: int
    vibrato: float = 0.0
    glide_s: float = 0.0
    single: bool = False
    rings: bool = False


@dataclass(frozen=True)
class DancePrograms:
    """What sounds when somebody dances: steps, percussion of the hands, and bells.

    Attributes:
        name: its name, unique.
        steps, hands: percussion keys of the kit, low to high.
        kit: the kit that they are of.
        bells: what plays pitches from 60 on.
    """

    name: str
    steps: tuple[int, ...]
    hands: tuple[int, ...]
    kit: Program
    bells: Program


def _kit(name: str, number: int) -> Program:
    return Program(name, DRUM_BANK, number, rings=True)


VOICES: dict[str, tuple[Program, ...]] = {
    "drums": (
        _kit("standard kit", 0),
        _kit("room kit", 8),
        _kit("power kit", 16),
        _kit("jazz kit", 32),
        _kit("brush kit", 40),
    ),
    "strings": (
        Program("violin", 0, 40, vibrato=0.22, glide_s=0.015),
        Program("viola", 0, 41, vibrato=0.2, glide_s=0.018),
        Program("cello", 0, 42, vibrato=0.18, glide_s=0.02),
        Program("string ensemble", 0, 48, glide_s=0.01),
        Program("fiddle", 0, 110, vibrato=0.15, glide_s=0.015),
    ),
    "air": (
        Program("flute", 0, 73, vibrato=0.1, glide_s=0.01),
        Program("ocarina", 0, 79, vibrato=0.15, glide_s=0.03),
        Program("whistle", 0, 78, vibrato=0.2, glide_s=0.05, single=True),
        Program("voices ooh", 0, 53, vibrato=0.12, glide_s=0.03),
        Program("choir aah", 0, 52, glide_s=0.02),
        Program("synth voice", 0, 54, vibrato=0.15, glide_s=0.05, single=True),
        Program("calliope", 0, 82, vibrato=0.12, glide_s=0.04, single=True),
        Program("theremin", 8, 80, vibrato=0.3, glide_s=0.06, single=True),
        Program("solo vox", 0, 85, vibrato=0.25, glide_s=0.06, single=True),
    ),
    "keys": (
        Program("grand piano", 0, 0),
        Program("bright piano", 0, 1),
        Program("electric grand", 0, 2),
        Program("tine piano", 0, 4),
        Program("reed piano", 0, 5),
        Program("vibraphone", 0, 11),
        Program("marimba", 0, 12, rings=True),
        Program("celesta", 0, 8),
    ),
}
"""Voice -> its instruments; `DANCE` has those of dance."""

DANCE: tuple[DancePrograms, ...] = (
    DancePrograms("clap and kalimba", (36, 64), (39, 54, 70), _kit("standard kit", 0), Program("kalimba", 0, 108)),
    DancePrograms(
        "conga and bells", (64, 63), (62, 39, 69), _kit("room kit", 8), Program("tubular bells", 0, 14, rings=True)
    ),
    DancePrograms(
        "tambourine and music box", (35, 66), (54, 76, 75), _kit("power kit", 16), Program("music box", 0, 10)
    ),
    DancePrograms("blocks and steel drum", (41, 61), (77, 76, 39), _kit("jazz kit", 32), Program("steel drum", 0, 114)),
    DancePrograms("shaker and celesta", (36, 61), (70, 82, 54), _kit("brush kit", 40), Program("celesta", 0, 8)),
)
"""The instruments of the voice dance."""
