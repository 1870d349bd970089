"""Measures how loud each instrument plays, and writes the gains that make all alike.

`python -m training.synthesis.sampled.calibration --corpus CORPUS --write` makes `gains.py` again: each instrument plays
long phrases of ordinary strength, and its gain is what is missing to `LOUDNESS_LUFS` (ITU-R BS.1770, by pyloudnorm).
Without `--write` it prints the loudness and the true peak of each instrument with the gains as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from performers.score import draw_score
from streaming.conventions import SAMPLE_RATE
from training.synthesis.composition.composer import draw_music
from training.synthesis.composition.performed_score import played_notes
from training.synthesis.sampled import gains
from training.synthesis.sampled.played_note import PlayedNote
from training.synthesis.sampled.programs import DANCE, VOICES, DancePrograms, Program
from training.synthesis.sampled.render import render_program
from training.synthesis.sampled.room import true_peak
from training.synthesis.sampled.soundfont import (
    DEFAULT_SOUNDFONT,
    Soundfont,
    SoundfontError,
    open_soundfont,
)

LOUDNESS_LUFS = -18.0
PHRASES, PHRASE_S = 6, 10.0
ORDINARY = 0.62
"""Mean velocity of the phrases."""
ROUNDS = 2
"""The limiter makes loud instruments a little softer, so that gains are measured again with the ones before."""


def loudness_lufs(sound: NDArray[np.floating]) -> float:
    """Integrated loudness of a mono sound [n] at 32 kHz, at least 0.4 s; pauses do not count."""
    import pyloudnorm

    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(np.asarray(sound, np.float64)))


def phrases_of(voice: str, corpus: Path | None) -> Iterator[list[PlayedNote]]:
    """Long phrases of a voice, of ordinary strength: half are a synthetic performer's, half music of its own."""
    for seed in range(7_000, 7_000 + PHRASES // 2):
        yield played_notes(draw_score(voice, seed, PHRASE_S), voice, corpus)
        notes = draw_music(voice, PHRASE_S, seed, corpus)
        mean = float(np.mean([note.velocity for note in notes]))
        yield [note._replace(velocity=float(np.clip(note.velocity * ORDINARY / mean, 0.05, 1.0))) for note in notes]


def measure(
    font: Soundfont,
    program: Program | DancePrograms,
    voice: str,
    gains_db: Mapping[str, float],
    corpus: Path | None = None,
) -> tuple[float, float]:
    """Mean loudness in LUFS of an instrument's phrases, and the true peak of all in dBFS."""
    sounds = [
        render_program(font, program, notes, PHRASE_S, np.random.default_rng([number, 314]), gains_db)
        for number, notes in enumerate(phrases_of(voice, corpus))
    ]
    loudness = [loudness_lufs(sound) for sound in sounds]
    sound = np.concatenate(sounds)
    return float(np.mean(loudness)), float(20.0 * np.log10(true_peak(sound) + 1e-9))


def instruments(font: Soundfont) -> Iterator[tuple[str, Program | DancePrograms]]:
    """Voice and instrument, each that a soundfont has once; the bells of dance play what keys play, before dance."""
    names, known = set(), set(font.presets)
    bells = [("keys", one.bells) for one in DANCE]
    every = [(voice, one) for voice, programs in VOICES.items() for one in programs]
    for voice, program in every + bells:
        if program.name not in names and (program.bank, program.number) in known:
            names.add(program.name)
            yield voice, program
    yield from (("dance", one) for one in DANCE if one.kit.name in names and one.bells.name in names)


def calibrate(font: Soundfont, corpus: Path | None = None) -> dict[str, float]:
    """The gain in dB of each instrument that a soundfont has."""
    found: dict[str, float] = {}
    for voice, program in tqdm(list(instruments(font)), desc="gains", mininterval=5):
        for _ in range(ROUNDS):
            loudness, _ = measure(font, program, voice, found, corpus)
            found[program.name] = round(found.get(program.name, 0.0) + LOUDNESS_LUFS - loudness, 1)
    return found


def source_of(gains_db: Mapping[str, float]) -> str:
    """The text of `gains.py`."""
    lines = "".join(f'    "{name}": {gain},\n' for name, gain in gains_db.items())
    return f'''"""{gains.__doc__}"""

from __future__ import annotations

GAIN_DB: dict[str, float] = {{
{lines}}}
"""Instrument -> gain, for FluidR3. Of dance, the instruments' own and that of the whole."""
'''


def main(arguments: list[str] | None = None) -> int:
    """Print or write; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.synthesis.sampled.calibration", description=__doc__)
    parser.add_argument("--soundfont", type=Path, default=DEFAULT_SOUNDFONT, help="default: where Debian puts FluidR3")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="real scores; without it, drawn ones")
    parser.add_argument("--write", action="store_true", help="measure again and write gains.py")
    options = parser.parse_args(arguments)
    try:
        font = open_soundfont(options.soundfont)
        if options.write:
            Path(gains.__file__).write_text(source_of(calibrate(font, options.corpus)), encoding="utf-8")
            return 0
        for voice, program in instruments(font):
            loudness, peak = measure(font, program, voice, gains.GAIN_DB, options.corpus)
            print(f"{voice:8} {program.name:28} {loudness:6.1f} LUFS, true peak {peak:5.1f} dBFS")
    except SoundfontError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
