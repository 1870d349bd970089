"""A take: the token frames of every tick of a performance, from which its music can be made again.

The first line is JSON. Then a record for each tick, all of one size: its number, its gain and level, and its frames. A
file whose writer was killed lacks its last second and is good up to there.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.bundles import find_bundle, network_entry, weights_of
from engines.contract import EngineError
from streaming.conventions import TICKS_PER_SECOND
from streaming.errors import UserError
from streaming.system.files import new_file, reason

SCHEMA = 1
SUFFIX = ".take"
DTYPES = ("int16", "float32")
MAX_HEADER_BYTES = 4_096
MAX_FRAME_NUMBERS = 4_096
_TICK = struct.Struct("<qff")


@dataclass(frozen=True)
class TakenTick:
    """One tick of a take; the fields are those of `schema.messages.Tokens`."""

    tick: int
    frames: NDArray[np.generic]
    gain: float
    level_db: float


@dataclass(frozen=True)
class TakeHeader:
    """What a take says of itself.

    Attributes:
        bundle: name or folder of the bundle that performed.
        sound: hash of the network that makes sound of the frames.
        dtype, shape: of a tick's frames.
    """

    bundle: str
    sound: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def record_bytes(self) -> int:
        """Bytes of a tick."""
        return _TICK.size + int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


class TakeWriter:
    """Writes a take; its file is made with the first tick. A write that fails ends the take, not the show.

    Args:
        path: the file; one of that name stays, and this one gets a number.
        bundle, sound: see `TakeHeader`.
        note: says one line to the user.

    Attributes:
        path: where the take is; None before its first tick.
    """

    def __init__(self, path: Path, bundle: str, sound: str, note: Callable[[str], None]) -> None:
        self.path: Path | None = None
        self._requested, self._bundle, self._sound, self._note = path, bundle, sound, note
        self._file: BinaryIO | None = None
        self._header: TakeHeader | None = None
        self._last: int | None = None
        self._since_flush = 0
        self._has_failed = False

    def add(self, one: TakenTick) -> None:
        """Append a tick; one that is not later than the last one, or of another kind, is left out."""
        if self._has_failed or (self._last is not None and one.tick <= self._last):
            return
        try:
            if self._header is None:
                self._begin(one.frames)
            header = self._header
            if header is None or self._file is None or one.frames.shape != header.shape:
                return
            self._file.write(_TICK.pack(one.tick, one.gain, one.level_db))
            self._file.write(np.ascontiguousarray(one.frames, header.dtype).tobytes())
            self._last = one.tick
            self._since_flush += 1
            if self._since_flush >= TICKS_PER_SECOND:
                self._file.flush()
                self._since_flush = 0
        except OSError as error:
            self._has_failed = True
            self._note(f"{self.path or self._requested}: the take ends here ({reason(error)}); make room")

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._note(f"{self.path}: the take's last second is lost ({reason(error)})")
            self._file = None

    def _begin(self, frames: NDArray[np.generic]) -> None:
        dtype = str(frames.dtype)
        if dtype not in DTYPES or frames.size > MAX_FRAME_NUMBERS:
            return
        self._header = TakeHeader(self._bundle, self._sound, dtype, frames.shape)
        self.path, _ = new_file(self._requested, "number")
        self._file = self.path.open("wb")
        line = {
            "antiphon_take": SCHEMA,
            "bundle": self._bundle,
            "sound": self._sound,
            "dtype": dtype,
            "shape": list(frames.shape),
        }
        self._file.write(json.dumps(line).encode() + b"\n")


class Take:
    """A take that is read.

    Args:
        path: the file.

    Attributes:
        header: what it says of itself.
        ticks: how many it has.

    Raises:
        UserError: for a file that is no take.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            with self._path.open("rb") as file:
                line = file.readline(MAX_HEADER_BYTES)
                self._start = file.tell()
                size = file.seek(0, 2)
        except OSError as error:
            raise UserError(f"cannot be read ({reason(error)})", str(path), "give a .take file") from error
        self.header = self._header_of(line)
        self.ticks = (size - self._start) // self.header.record_bytes

    def __iter__(self) -> Iterator[TakenTick]:
        """Every tick, in order; it stops where a record makes no sense."""
        header, last = self.header, None
        with self._path.open("rb") as file:
            file.seek(self._start)
            for _ in range(self.ticks):
                record = file.read(header.record_bytes)
                if len(record) < header.record_bytes:
                    return
                tick, gain, level_db = _TICK.unpack_from(record)
                if not np.isfinite((gain, level_db)).all() or (last is not None and tick <= last):
                    return
                last = tick
                frames = np.frombuffer(record, header.dtype, offset=_TICK.size).reshape(header.shape)
                yield TakenTick(tick, frames.copy(), gain, level_db)

    def _header_of(self, line: bytes) -> TakeHeader:
        wrong = UserError("is no take of this version", str(self._path), "give a .take file that a show has recorded")
        try:
            values: Any = json.loads(line)
            header = TakeHeader(
                str(values["bundle"]),
                str(values["sound"]),
                str(values["dtype"]),
                tuple(int(n) for n in values["shape"]),
            )
            is_ours = values["antiphon_take"] == SCHEMA
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise wrong from error
        sizes_fit = len(header.shape) == 2 and all(0 < size <= MAX_FRAME_NUMBERS for size in header.shape)
        if not is_ours or header.dtype not in DTYPES or not sizes_fit:
            raise wrong
        if int(np.prod(header.shape)) > MAX_FRAME_NUMBERS:
            raise wrong
        return header


def sound_of_bundle(bundle: str) -> str:
    """The hash of the network of a bundle that makes sound of its frames; "" for a bundle that cannot be read."""
    try:
        folder = find_bundle(bundle)
        return str(network_entry(folder, weights_of(folder, "decoder"))["sha256"])
    except (EngineError, KeyError):
        return ""


def find_take(path: str) -> Path:
    """The take that is meant: a file, or the newest in a folder.

    Raises:
        UserError: when there is none.
    """
    place = Path(path)
    if not place.is_dir():
        return place
    takes = [one for one in place.glob(f"*{SUFFIX}") if one.is_file()]
    if not takes:
        raise UserError("no take lies in this folder", path, "record a show first: --record DIR")
    return max(takes, key=lambda one: (one.stat().st_mtime_ns, one.name))
