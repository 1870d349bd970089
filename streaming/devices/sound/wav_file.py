"""A WAV file that is written in a thread during the show, and is readable at any time."""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from streaming.system.files import new_file, reason

EarlierFile = Literal["aside", "number", "resume"]
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SAMPLE_BYTES = 2
MAX_QUEUE = 6_000
"""Blocks that may wait for a slow disk: 30 s in blocks of 5 ms."""
_WRITE_EVERY_S = 0.1
_MAX_DATA = 0xFFFF_FFFF - 36


def header(samplerate: int, data_bytes: int, channels: int = 1) -> bytes:
    """The 44 bytes before 16-bit samples."""
    data, frame = min(data_bytes, _MAX_DATA), channels * _SAMPLE_BYTES
    rate = samplerate * frame
    return _HEADER.pack(
        b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, 1, channels, samplerate, rate, frame, 16, b"data", data
    )


def open_unbuffered(path: Path) -> BinaryIO:
    """Open a file so that what is written to it is in it."""
    return path.open("r+b", buffering=0)


class WavWriter:
    """Writes 16-bit samples to their positions in a file, in a thread of its own.

    The samples and the sizes in the header are written ten times a second, so a killed process leaves a valid file that
    lacks 0.1 s at most. A write that fails ends the file, not the show.

    Args:
        path: the file.
        samplerate: Hz.
        existing: what becomes of a file of that name: "aside": it is moved aside; "number": it stays, and this one gets
            a number; "resume": it is gone on with if this class wrote it at the same rate, else moved aside.
        opener: opens the file that was made, for reading and writing.
        channels: 1 or 2; a file that is gone on with has as many.

    Attributes:
        path: the file that is written.

    Raises:
        OSError: when the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        samplerate: int,
        existing: EarlierFile = "aside",
        opener: Callable[[Path], BinaryIO] = open_unbuffered,
        channels: int = 1,
    ) -> None:
        self._rate, self._channels = samplerate, channels
        self._frame_bytes = channels * _SAMPLE_BYTES
        self._queue: deque[tuple[int, bytes]] = deque()
        self._notes: deque[str] = deque(maxlen=8)
        self._stop = threading.Event()
        self._failed = False
        self._opener = opener
        self.path = path
        self._bytes = 0
        self._file = self._open(path, existing)
        self._thread = threading.Thread(target=self._run, name="speaker-file", daemon=True)
        self._thread.start()

    def write(self, at: int, pcm: NDArray[np.float32]) -> None:
        """Queue samples for a position in the file; never blocks.

        Args:
            at: position of the first sample; a gap before it becomes silence, existing samples are replaced.
            pcm: float32 [n] or [n, channels], -1..1.
        """
        if self._failed:
            return
        if len(self._queue) >= MAX_QUEUE:
            self._fail("the disk is too slow")
            return
        samples = np.rint(np.clip(pcm, -1.0, 1.0) * np.float32(32767.0))
        self._queue.append((at, samples.astype("<i2").tobytes()))

    def take_notes(self) -> list[str]:
        """Lines for the user since the last call: an earlier file that was moved aside, and what went wrong."""
        lines: list[str] = []
        while self._notes:
            lines.append(self._notes.popleft())
        return lines

    def close(self) -> None:
        """Write what is queued and close; may be called twice."""
        self._stop.set()
        self._thread.join(timeout=5.0)
        if not self._thread.is_alive() and not self._file.closed:
            self._file.close()

    def _open(self, path: Path, existing: EarlierFile) -> BinaryIO:
        if existing == "resume" and path.is_file():
            file = self._opener(path)
            head = file.read(_HEADER.size)
            size = file.seek(0, 2) - _HEADER.size
            if (
                len(head) == _HEADER.size
                and head[:4] == b"RIFF"
                and head[22:28] == struct.pack("<HI", self._channels, self._rate)
            ):
                self._bytes = size - size % self._frame_bytes
                return file
            file.close()
            self._notes.append(f"{path} was changed by others during the show; a new file is begun")
        self.path, line = new_file(path, "number" if existing == "number" else "aside")
        line = f"the sound goes to {self.path}" if existing == "number" else line
        if line:
            self._notes.append(line)
        file = self._opener(self.path)
        file.write(header(self._rate, 0, self._channels))
        return file

    def _run(self) -> None:
        while not self._failed:
            stopping = self._stop.wait(_WRITE_EVERY_S)
            try:
                self._flush()
            except (OSError, ValueError) as error:
                self._fail(reason(error))
            if stopping:
                return

    def _flush(self) -> None:
        if not self._queue:
            return
        while self._queue:
            at, first = self._queue.popleft()
            parts, end = [first], at * self._frame_bytes + len(first)
            while self._queue and self._queue[0][0] * self._frame_bytes == end:
                parts.append(self._queue.popleft()[1])
                end += len(parts[-1])
            self._pad(at * self._frame_bytes)
            self._file.seek(_HEADER.size + at * self._frame_bytes)
            self._all(b"".join(parts))
            self._bytes = max(self._bytes, end)
        self._patch()

    def _pad(self, until: int) -> None:
        """Fill the file with silence up to a byte position."""
        self._file.seek(_HEADER.size + self._bytes)
        while self._bytes < until:
            count = min(until - self._bytes, 1 << 20)
            self._all(bytes(count))
            self._bytes += count

    def _patch(self) -> None:
        self._file.seek(0)
        self._all(header(self._rate, self._bytes, self._channels))

    def _all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            view = view[written or 0 :]

    def _fail(self, cause: str) -> None:
        """End the file with correct sizes in its header."""
        self._failed = True
        self._queue.clear()
        self._notes.append(f"{self.path}: {cause}; the file ends here, the show goes on")
        try:
            self._patch()
        except (OSError, ValueError):
            # The old sizes stay, which describe a valid shorter file.
            return
