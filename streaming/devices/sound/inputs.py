"""What an audio input is, what it hands its samples to, and the inputs that the clock paces: a file, and silence."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.devices.media import MediaError, open_media
from streaming.errors import SourceError
from streaming.system.files import check_input, reason
from streaming.timing import clock

BLOCK_S = 0.005
"""How often a paced input hands over samples."""
RING_S = 1.0
"""Samples that may wait to be taken; a stage that is further behind loses the oldest, and that is counted."""
_OBSERVATIONS = 256

Samples = NDArray[np.float32]


class Intake:
    """What a device hands its samples to: copies them into a ring and remembers when that was.

    One thread hands over, another takes. It computes nothing else, and never raises.

    Args:
        samplerate: Hz.
        now_ns: reads the clock.

    Attributes:
        written: samples handed over so far; the position of the next one.
        lost: samples that were overwritten before they were taken.
        errors: calls that failed.
    """

    def __init__(self, samplerate: int, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self.samplerate = samplerate
        self.written = self.lost = self.errors = self.calls = 0
        self._ring = np.zeros(round(RING_S * samplerate), np.float32)
        self._log = np.zeros((_OBSERVATIONS, 2), np.int64)
        self._now_ns = now_ns
        self._read = self._drained = 0

    def __call__(self, block: Samples, delay_ns: int, due_ns: int = 0) -> None:
        """Take in a block.

        Args:
            block: float32 [n], no longer than the ring.
            delay_ns: how long before `due_ns` its first sample arrived at the device.
            due_ns: when the device called; 0 for now.
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
        """Begin to take at a position; what came before is not wanted."""
        self._read = max(self._read, position)

    def take(self, count: int) -> tuple[int, Samples] | None:
        """The next samples with the position of the first of them, or None while they are not all there."""
        oldest = self.written - self._ring.shape[0]
        if self._read < oldest:
            # Whole blocks are skipped, so that who counts them can count on; half a ring of room is left.
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
        """(position, when its sample had arrived) of the blocks since the last call, the newest 128 at most."""
        calls = self.calls
        first = max(self._drained, calls - _OBSERVATIONS // 2)
        self._drained = calls
        return [(int(row[0]), int(row[1])) for row in (self._log[i % _OBSERVATIONS] for i in range(first, calls))]


class AudioInput(Protocol):
    """An open audio input.

    Attributes:
        name: what it is, for the user.
        samplerate: Hz.
        overruns: how often the device lost samples before it could hand them over.
        ended: True when nothing more will come: a file is over.
        waits: True for what can begin at any time and anywhere: a file. A device is heard from when it is opened on.
    """

    name: str
    samplerate: int
    overruns: int
    ended: bool
    waits: bool

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to hand samples over; what waits leaves out so many seconds of its beginning."""

    def alive(self) -> bool:
        """False when the device has stopped by itself."""

    def close(self) -> None:
        """Stop and release; may be called twice."""


class PacedInput:
    """An input whose samples come as fast as time passes, a block at absolute deadlines; silence by itself.

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
        self.samplerate = SAMPLE_RATE
        self.overruns = 0
        self.ended = False
        self.waits = True
        self._now_ns, self._sleep_until = now_ns, sleep_until
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to hand over 5 ms every 5 ms."""
        left_out = round(skip_s / BLOCK_S)
        self._thread = threading.Thread(
            target=self._run, args=(intake, left_out), name="microphone-device", daemon=True
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
        """What comes, in blocks of a size; silence after its end."""
        yield from ()

    def _run(self, intake: Intake, left_out: int) -> None:
        size = round(self.samplerate * BLOCK_S)
        silence = np.zeros(size, np.float32)
        begun_ns, given = self._now_ns(), 0
        blocks = itertools.islice(self._blocks(size), left_out, None)
        while not self._stop.is_set():
            block = next(blocks, None)
            if block is None:
                self.ended = True
                block = silence
            given += size
            # A block is there when its last sample is, as with a sound card.
            due_ns = begun_ns + given * 1_000_000_000 // self.samplerate
            self._sleep_until(due_ns)
            intake(block, size * 1_000_000_000 // self.samplerate, due_ns)


class FileInput(PacedInput):
    """Any file with sound that FFmpeg reads, mixed to mono at the codec's rate, as if it were played into a microphone.

    It is decoded as it is needed, so its length does not matter; after its end there is silence.

    Args:
        path: the file.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.

    Raises:
        SourceError: when there is no sound in it that can be read.
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
        self._pieces = _decode(path)
        try:
            self._first = next(self._pieces)
        except StopIteration:
            raise SourceError("has no sound in it that can be read", str(path), "give another --microphone") from None

    def samples(self, most: int) -> Samples:
        """The file's beginning at once, float32 [n]: so many samples, or all that there are."""
        kept, total = [], 0
        for block in self._blocks(round(self.samplerate * BLOCK_S)):
            kept.append(block)
            total += block.size
            if total >= most:
                break
        return np.concatenate(kept)[:most]

    def _blocks(self, size: int) -> Iterator[Samples]:
        left = self._first
        while True:
            while left.shape[0] < size:
                piece = next(self._pieces, None)
                if piece is None:
                    if left.shape[0]:
                        yield np.pad(left, (0, size - left.shape[0]))
                    return
                left = np.concatenate([left, piece])
            yield left[:size]
            left = left[size:]


def _decode(path: Path) -> Iterator[Samples]:
    """The sound of a file, piece by piece: float32 [n], mono, at the codec's rate. Damage ends it early.

    Raises:
        SourceError: when it cannot be opened, or has no sound.
    """
    fix = "give --microphone a sound file that FFmpeg reads, a device, self or none"
    try:
        container = open_media(str(path))
    except MediaError as error:
        raise SourceError(f"cannot be read as sound ({reason(error)})", str(path), fix) from error
    with container:
        if not container.streams.audio:
            raise SourceError("has no sound", str(path), fix)
        # Mixed down here: FFmpeg's own mix of equal channels is 3 dB louder.
        resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE)
        try:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    yield _mono(part.to_ndarray())
            for part in resampler.resample(None):
                yield _mono(part.to_ndarray())
        except MediaError:
            return


def _mono(sound: NDArray[np.floating]) -> Samples:
    mixed = np.asarray(sound.mean(0), np.float32)
    return np.where(np.isfinite(mixed), mixed, 0.0).clip(-1.0, 1.0).astype(np.float32)


def open_none(argument: str) -> tuple[AudioInput, str]:
    """Silence, paced by the clock."""
    return PacedInput(), ""


def open_file(path: str) -> tuple[AudioInput, str]:
    """A file with sound.

    Raises:
        SourceError: when there is no sound in it that can be read.
    """
    return FileInput(Path(path)), ""
