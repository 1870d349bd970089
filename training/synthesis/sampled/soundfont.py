"""Reads SoundFont 2 files: which recordings a note of a preset plays, and how.

The format is that of the SoundFont 2.04 technical specification (Creative, 2006). Samples stay in the file (a memory
map) until they are played, so that several processes share them. Modulators of a file are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DEFAULT_SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
"""Where Debian and Ubuntu put FluidR3 (MIT licence)."""
HOW_TO_GET = "install it with: sudo apt-get install fluid-soundfont-gm, or name another with --soundfont FILE"

RECORD = {
    "phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)]),
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "pbag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    "ibag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    "pgen": np.dtype([("operator", "<u2"), ("amount", "<i2")]),
    "igen": np.dtype([("operator", "<u2"), ("amount", "<i2")]),
    "shdr": np.dtype(
        [
            ("name", "S20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop_start", "<u4"),
            ("loop_end", "<u4"),
            ("rate", "<u4"),
            ("key", "u1"),
            ("cents", "i1"),
            ("link", "<u2"),
            ("type", "<u2"),
        ]
    ),
}
"""The tables of a SoundFont, as they lie in the file."""
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, SAMPLE = 41, 43, 44, 53
DEFAULTS = {8: 13_500, 21: -12_000, 23: -12_000, 58: -1, 46: -1, 47: -1, 56: 100} | dict.fromkeys(
    (25, 26, 27, 28, 30, 33, 34, 35, 36, 38), -12_000
)
"""Generators that are not 0 where a file is silent about them."""
NOT_IN_PRESETS = (0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58)
"""Generators that only an instrument may have; a preset's are ignored."""


class SoundfontError(ValueError):
    """A soundfont cannot be used: says what, where and the fix."""


class SampleRegion(NamedTuple):
    """One recording and how it is played.

    Attributes:
        keys, velocities: lowest and highest MIDI key and velocity that it is played for.
        generators: SoundFont generator -> amount, in the file's units; see `amount`.
        sample: index of the recording.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    generators: Mapping[int, int]
    sample: int

    def amount(self, generator: int) -> int:
        """A generator's amount, or the format's default."""
        return self.generators.get(generator, DEFAULTS.get(generator, 0))


@dataclass(frozen=True)
class SampleData:
    """A recording of the file: int16 [N], its loop in samples, its rate in Hz and the key (with cents) it sounds at."""

    samples: NDArray[np.int16]
    loop: tuple[int, int]
    rate: int
    key: int
    cents: int


class Soundfont:
    """A SoundFont 2 file.

    Args:
        path: the file.

    Raises:
        SoundfontError: when there is no file or it is none of this format.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SoundfontError(f"{path}: there is no soundfont; {HOW_TO_GET}")
        self.path = path
        self._bytes = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
        if bytes(self._bytes[:4]) != b"RIFF" or bytes(self._bytes[8:12]) != b"sfbk":
            raise SoundfontError(f"{path}: this is no SoundFont 2 file; {HOW_TO_GET}")
        places = dict(self._chunks())
        missing = [name for name in ("smpl", *RECORD) if name not in places]
        if missing:
            raise SoundfontError(f"{path}: the soundfont lacks {', '.join(missing)}; {HOW_TO_GET}")
        start, length = places["smpl"]
        self._samples = self._bytes[start : start + length // 2 * 2].view("<i2")
        self._tables: dict[str, NDArray[Any]] = {}
        for name, record in RECORD.items():
            start, length = places[name]
            self._tables[name] = np.frombuffer(bytes(self._bytes[start : start + length]), record)
        self._presets: dict[tuple[int, int], int] = {}
        for index, row in enumerate(self._tables["phdr"][:-1]):
            self._presets.setdefault((int(row["bank"]), int(row["program"])), index)
        self._regions: dict[tuple[int, int], tuple[SampleRegion, ...]] = {}

    def _chunks(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Name, start and length of each chunk inside the file's lists."""
        here = 12
        while here + 8 <= self._bytes.size:
            length = int(self._bytes[here + 4 : here + 8].view("<u4")[0])
            inside, end = here + 12, min(here + 8 + length, self._bytes.size)
            while inside + 8 <= end:
                size = int.from_bytes(bytes(self._bytes[inside + 4 : inside + 8]), "little")
                yield bytes(self._bytes[inside : inside + 4]).decode("latin-1"), (inside + 8, size)
                inside += 8 + size + size % 2
            here += 8 + length + length % 2

    @property
    def presets(self) -> tuple[tuple[int, int], ...]:
        """Bank and program of each preset."""
        return tuple(sorted(self._presets))

    def regions(self, bank: int, program: int) -> tuple[SampleRegion, ...]:
        """Everything that a preset can play.

        Raises:
            SoundfontError: when the file has no such preset.
        """
        if (bank, program) not in self._presets:
            raise SoundfontError(f"{self.path}: no preset {program} in bank {bank}; use a General MIDI soundfont")
        if (bank, program) not in self._regions:
            self._regions[bank, program] = tuple(self._find_regions(self._presets[bank, program]))
        return self._regions[bank, program]

    def _zones(self, table: str, index: int) -> list[dict[int, int]]:
        """The zones of a preset ("p") or instrument ("i"), each generator -> amount, the global one folded in."""
        header, last = ("phdr", INSTRUMENT) if table == "p" else ("inst", SAMPLE)
        rows, bags, generators = self._tables[header], self._tables[f"{table}bag"], self._tables[f"{table}gen"]
        shared: dict[int, int] = {}
        zones = []
        for number in range(int(rows[index]["bag"]), int(rows[index + 1]["bag"])):
            part = generators[int(bags[number]["generator"]) : int(bags[number + 1]["generator"])]
            zone = {int(row["operator"]): int(row["amount"]) for row in part}
            if last in zone:
                zones.append(shared | zone)
            elif number == int(rows[index]["bag"]):
                shared = zone
        return zones

    def _find_regions(self, preset: int) -> Iterator[SampleRegion]:
        for outer in self._zones("p", preset):
            for inner in self._zones("i", outer[INSTRUMENT]):
                keys = _overlap(_range(outer, KEY_RANGE), _range(inner, KEY_RANGE))
                velocities = _overlap(_range(outer, VELOCITY_RANGE), _range(inner, VELOCITY_RANGE))
                if keys[0] > keys[1] or velocities[0] > velocities[1]:
                    continue
                total = dict(inner)
                for generator, amount in outer.items():
                    if generator not in (INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, *NOT_IN_PRESETS):
                        total[generator] = total.get(generator, DEFAULTS.get(generator, 0)) + amount
                yield SampleRegion(keys, velocities, total, inner[SAMPLE])

    def recording(self, region: SampleRegion) -> SampleData:
        """The recording of a region, from the start and to the end that the region asks for."""
        header = self._tables["shdr"][region.sample]
        coarse = 32_768
        start = int(header["start"]) + region.amount(0) + coarse * region.amount(4)
        end = int(header["end"]) + region.amount(1) + coarse * region.amount(12)
        loop_start = int(header["loop_start"]) + region.amount(2) + coarse * region.amount(45)
        loop_end = int(header["loop_end"]) + region.amount(3) + coarse * region.amount(50)
        root = region.amount(58)
        return SampleData(
            samples=self._samples[start:end],
            loop=(loop_start - start, loop_end - start),
            rate=int(header["rate"]),
            key=root if 0 <= root <= 127 else int(header["key"]),
            cents=int(header["cents"]),
        )


def _range(zone: dict[int, int], generator: int) -> tuple[int, int]:
    both = zone.get(generator, 127 << 8) & 0xFFFF
    return both & 0xFF, both >> 8


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


@cache
def open_soundfont(path: Path) -> Soundfont:
    """A soundfont, opened once in each process.

    Raises:
        SoundfontError: when it cannot be used.
    """
    return Soundfont(path)
