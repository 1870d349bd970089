"""The interface of audio inputs, the ring for their samples, and two inputs paced by the clock: a file, and none."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.devices.sound.sound_decoder import SoundDecoder
from streaming.errors import SourceError
from streaming.system.files import check_input
from streaming.timing import clock

BLOCK_S = 0.005
"""Length of the blocks of a paced input in seconds."""
RING_S = 1.0
"""Length of the ring in seconds; a stage that is further behind loses the oldest samples, which is counted."""
_OBSERVATIONS = 256

Samples = NDArray[np.float32]


class Intake:
    """Receives a device's samples: copies them into a ring and logs their arrival times.

    One thread writes, another reads. Writing only copies and never raises, so it is safe in an audio callback.

    Args:
        samplerate: Hz.
        now_ns: reads the clock.

    Attributes:
        written: samples received so far, which is the position of the next one.
        lost: samples that were overwritten before they were read.
        errors: calls that failed.
        calls: blocks received.
    """

    def __init__(self, samplerate: int, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self.samplerate = samplerate
        self.written = self.lost = self.errors = self.calls = 0
        self._ring = np.zeros(round(RING_S * samplerate), np.float32)
        self._log = np.zeros((_OBSERVATIONS, 2), np.int64)
        self._now_ns = now_ns
        self._read = self._drained = 0

    def __call__(self, block: Samples, delay_ns: int, due_ns: int = 0) -> None:
        """Receive a block.

        Args:
            block: float32 [n], no longer than the ring.
            delay_ns: time from its first sample arriving at the device to `due_ns`.
            due_ns: time of the call; 0 for now.
        """
        try:
            row = self._log[self.calls % _OBSERVATIONS]
            row[0], row[1] = self.written, (due_ns or self._now_ns()) - delay_ns
            size, count = self._ring.shape[0], block.shape[0]
            at = self.written % size
            first = min(count, size - at)
            self._ring[at : at + first] = block[:first]
            self._ring[: count - first] = block[first:]
            self.written += count
            self.calls += 1
        except Exception:
            self.errors += 1

    def skip_to(self, position: int) -> None:
        """Discard everything before a position."""
        self._read = max(self._read, position)

    def take(self, count: int) -> tuple[int, Samples] | None:
        """The next `count` samples and the position of the first; None while there are fewer."""
        oldest = self.written - self._ring.shape[0]
        if self._read < oldest:
            # A multiple of `count` is skipped, so that ticks keep their numbers; half the ring is left free.
            behind = oldest + self._ring.shape[0] // 2 - self._read
            skipped = -(-behind // count) * count
            self.lost += skipped
            self._read += skipped
        if self.written - self._read < count:
            return None
        position = self._read
        places = np.arange(position, position + count) % self._ring.shape[0]
        self._read += count
        return position, self._ring[places]

    def drain(self) -> list[tuple[int, int]]:
        """(position, arrival time of its sample in ns) of the blocks since the last call, the newest 128 at most."""
        calls = self.calls
        first = max(self._drained, calls - _OBSERVATIONS // 2)
        self._drained = calls
        return [(int(row[0]), int(row[1])) for row in (self._log[i % _OBSERVATIONS] for i in range(first, calls))]


class AudioInput(Protocol):
    """An open audio input.

    Attributes:
        name: what it is, in words for the user.
        device: by what `microphones.find_again` finds it when it has gone; "" for what cannot go.
        samplerate: Hz.
        overruns: how often the device itself lost samples.
        ended: True at the end of a file.
        waits: True for a file, which begins with the performance; a device delivers from `start` on.
        loss: what a damaged file has lost so far, in words; "" for nothing.
        away: True while who sends the sound has gone, and the input is silent until it is back; False while it is
            there; None before it has come, and for what cannot go in this way.
    """

    name: str
    device: str
    samplerate: int
    overruns: int
    ended: bool
    waits: bool
    loss: str
    away: bool | None

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to deliver samples; a file skips its first `skip_s` seconds."""

    def alive(self) -> bool:
        """False once the device has stopped by itself."""

    def close(self) -> None:
        """Stop and release the device; may be called twice."""


class PacedInput:
    """An input paced by the clock, which delivers a block at each absolute deadline. By itself it is silent.

    Args:
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.
    """

    def __init__(
        self,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        self.name = "none"
        self.device = ""
        self.samplerate = SAMPLE_RATE
        self.overruns = 0
        self.ended = False
        self.waits = True
        self.loss = ""
        self.away: bool | None = None
        self._now_ns, self._sleep_until = now_ns, sleep_until
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to deliver 5 ms of sound every 5 ms."""
        skipped_blocks = round(skip_s / BLOCK_S)
        self._thread = threading.Thread(
            target=self._run, args=(intake, skipped_blocks), name="microphone-device", daemon=True
        )
        self._thread.start()

    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _blocks(self, size: int) -> Iterator[Samples]:
        """The blocks to deliver, each of `size` samples; silence follows."""
        yield from ()

    def _run(self, intake: Intake, skipped_blocks: int) -> None:
        size = round(self.samplerate * BLOCK_S)
        silence = np.zeros(size, np.float32)
        start_ns, count = self._now_ns(), 0
        blocks = itertools.islice(self._blocks(size), skipped_blocks, None)
        while not self._stop.is_set():
            block = next(blocks, None)
            if block is None:
                self.ended = True
                block = silence
            count += size
            # A block is delivered once its last sample has passed, as by a sound card.
            due_ns = start_ns + count * 1_000_000_000 // self.samplerate
            self._sleep_until(due_ns)
            intake(block, size * 1_000_000_000 // self.samplerate, due_ns)


class FileInput(PacedInput):
    """A file with sound that FFmpeg reads, mixed to mono and resampled to the codec's rate.

    It is decoded while it plays, so it may be of any length. Damaged parts are skipped. After its end there is silence.

    Args:
        path: the file.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.

    Raises:
        SourceError: when it has no sound that can be read.
    """

    def __init__(
        self,
        path: Path,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        super().__init__(now_ns, sleep_until)
        self.name = f"file:{path}"
        self.path = path
        check_input(str(path), "--microphone", "a sound file, a device, self or none")
        self._decoder = SoundDecoder(str(path), self.samplerate)
        self._pieces = self._decoder.pieces()
        try:
            self._first = next(self._pieces)
        except StopIteration:
            what = self._decoder.problem or "has no sound that can be read"
            raise SourceError(what, str(path), "give another --microphone") from None

    def samples(self, most: int) -> Samples:
        """The first `most` samples of the file, or all if there are fewer: float32 [n]."""
        blocks, total = [], 0
        for block in self._blocks(round(self.samplerate * BLOCK_S)):
            blocks.append(block)
            total += block.size
            if total >= most:
                break
        return np.concatenate(blocks)[:most]

    def _blocks(self, size: int) -> Iterator[Samples]:
        rest = self._first
        while True:
            while rest.shape[0] < size:
                piece = next(self._pieces, None)
                self.loss = self._decoder.loss()
                if piece is None:
                    if rest.shape[0]:
                        yield np.pad(rest, (0, size - rest.shape[0]))
                    return
                rest = np.concatenate([rest, piece])
            yield rest[:size]
            rest = rest[size:]


def open_none(argument: str) -> tuple[AudioInput, str]:
    """Silence, paced by the clock."""
    return PacedInput(), ""


def open_file(path: str) -> tuple[AudioInput, str]:
    """A file with sound.

    Raises:
        SourceError: when it has no sound that can be read.
    """
    return FileInput(Path(path)), ""
