"""A soundfont of one sine for tests: a General MIDI bank in 20 kB, so that no test needs an installed one."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.synthesis.sampled.programs import DANCE, VOICES
from training.synthesis.sampled.soundfont import INSTRUMENT, KEY_RANGE, RECORD, SAMPLE

RATE, PERIOD, ROOT_KEY = 44_100, 100, 69
SINE_HZ = RATE / PERIOD
LENGTH = 8_000
ALL_PRESETS = tuple(
    sorted(
        {(one.bank, one.number) for programs in VOICES.values() for one in programs}
        | {(one.bank, one.number) for dance in DANCE for one in (dance.kit, dance.bells)}
    )
)
LOOPED = {54: 1, 34: -7973, 36: 1200, 37: 60, 38: -2000}
"""Plays until it is released: 10 ms attack, a slow fall to -6 dB, release over 0.3 s."""


def _chunk(name: str, data: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _rows(name: str, rows: Sequence[tuple[object, ...]]) -> bytes:
    return _chunk(name, np.array(list(rows), RECORD[name]).tobytes())


def write_soundfont(
    path: Path,
    presets: Sequence[tuple[int, int]] = ALL_PRESETS,
    generators: Mapping[int, int] = LOOPED,
    keys: tuple[int, int] = (0, 127),
    pans: Sequence[int] = (0,),
) -> Path:
    """Write a soundfont whose presets (bank, program) all play one sine of `SINE_HZ` at the key 69, once a pan."""
    time = np.arange(LENGTH)
    sine = np.round(16_384 * np.sin(2.0 * np.pi * time / PERIOD)).astype("<i2")
    samples = np.concatenate([sine, np.zeros(46, "<i2")])
    zones = [[(KEY_RANGE, keys[0] | keys[1] << 8), (17, pan), *generators.items(), (SAMPLE, 0)] for pan in pans]
    zone = [row for rows in zones for row in rows]
    tables = [
        _rows(
            "phdr",
            [(b"sine", program, bank, number, (0, 0, 0)) for number, (bank, program) in enumerate(presets)]
            + [(b"EOP", 0, 0, len(presets), (0, 0, 0))],
        ),
        _rows("pbag", [(number, 0) for number in range(len(presets) + 1)]),
        _chunk("pmod", bytes(10)),
        _rows("pgen", [(INSTRUMENT, 0)] * len(presets) + [(0, 0)]),
        _rows("inst", [(b"sine", 0), (b"EOI", len(zones))]),
        _rows("ibag", [(number * len(zones[0]), 0) for number in range(len(zones) + 1)]),
        _chunk("imod", bytes(10)),
        _rows("igen", [*zone, (0, 0)]),
        _rows(
            "shdr",
            [
                (b"sine", 0, LENGTH, 10 * PERIOD, 70 * PERIOD, RATE, ROOT_KEY, 0, 0, 1),
                (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
            ],
        ),
    ]
    lists = _chunk("LIST", b"INFO" + _chunk("ifil", struct.pack("<HH", 2, 1)))
    lists += _chunk("LIST", b"sdta" + _chunk("smpl", samples.tobytes()))
    lists += _chunk("LIST", b"pdta" + b"".join(tables))
    path.write_bytes(_chunk("RIFF", b"sfbk" + lists))
    return path
