"""The interface of audio outputs, the feed that gives them samples, and two outputs paced by the clock: file, none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.audio.tick_ring import TickRing
from streaming.conventions import SAMPLE_RATE
from streaming.devices.sound.wav_file import EarlierFile, WavWriter
from streaming.system.files import check_output, reason
from streaming.timing import clock

BLOCK_S = 0.005
"""Length of the blocks of a paced output in seconds; a block counts as played one block later, as on a sound card."""
_OBSERVATIONS = 256


class Feed:
    """Gives a device its next samples from the ring, and logs the times of its calls.

    A call only copies and never raises, so it is safe in an audio callback.

    Args:
        ring: holds the samples.
        now_ns: reads the clock.

    Attributes:
        errors: calls that failed; silence was played.
        calls: blocks so far.
        longest_ns: duration of the longest call.
    """

    def __init__(self, ring: TickRing, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self.ring = ring
        self.errors = 0
        self.calls = 0
        self.longest_ns = 0
        self._now_ns = now_ns
        self._log = np.zeros((_OBSERVATIONS, 3), np.int64)
        self._taken = 0

    def __call__(self, out: NDArray[np.float32], delay_ns: int, due_ns: int = 0) -> None:
        """Fill a block.

        Args:
            out: float32 [n], or [n, channels] as the ring has them.
            delay_ns: time from `due_ns` to its first sample leaving the device.
            due_ns: time of the call; 0 for now.
        """
        try:
            now = self._now_ns()
            row = self._log[self.calls % _OBSERVATIONS]
            row[0], row[1], row[2] = self.ring.position, due_ns or now, delay_ns
            self.ring.fill(out, now)
            self.calls += 1
            self.longest_ns = max(self.longest_ns, self._now_ns() - now)
        except Exception:
            self.errors += 1
            out.fill(0.0)

    def drain(self) -> list[tuple[int, int, int]]:
        """(position, time of the call in ns, delay in ns) of the blocks since the last call, the newest 128 at most."""
        calls = self.calls
        first = max(self._taken, calls - _OBSERVATIONS // 2)
        self._taken = calls
        return [
            (int(row[0]), int(row[1]), int(row[2]))
            for row in (self._log[index % _OBSERVATIONS] for index in range(first, calls))
        ]


@dataclass(frozen=True)
class ChannelPlan:
    """What a show wants of an output's channels.

    Attributes:
        chosen: numbers from 1 of the channels that the user chose for left and right, or for both in one; empty for
            the output's own choice.
        wide: the two sides differ, so that a file needs two channels.
    """

    chosen: tuple[int, ...] = ()
    wide: bool = False


class AudioOutput(Protocol):
    """An open audio output.

    Attributes:
        name: what it is, in words for the user.
        device: by what `speakers.find_again` finds it when it has gone; "" for what cannot go.
        longest_block: the most samples that it has asked for at once.
        samplerate: Hz.
        sides: 2 where left and right are apart, 1 where they are mixed; the ring has as many channels.
        latency_s: time from the call for a sample to its leaving the device, as far as it is known.
        underruns: how often the device had no samples to play.
        path: the file that it writes, once the file has been made; None for a device.
    """

    name: str
    device: str
    longest_block: int
    samplerate: int
    sides: int
    latency_s: float
    underruns: int
    path: Path | None

    def arrange(self, plan: ChannelPlan) -> None:
        """Take the channels that the show wants; called once, before `start`.

        Raises:
            UserError: when it has no such channels.
        """

    def start(self, feed: Feed) -> None:
        """Begin to call `feed`."""

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Say which samples belong to the performance; only a file uses it.

        Args:
            position: samples since `start` at which the performance begins, or goes on after a restart.
            tick_sample: how far into the performance that is, in samples at this output's rate.
            samples: length of the performance in samples; None where it is open.
        """

    def alive(self) -> bool:
        """False once the device has stopped by itself."""

    def notes(self) -> list[str]:
        """Lines for the user since the last call."""

    def close(self) -> None:
        """Stop and release the device; may be called twice."""


class NullOutput:
    """An output paced by the clock, which discards the samples; also the base of the file output.

    A thread takes a block at each absolute deadline, so it never drifts against the clock. After waking late it catches
    up.

    Args:
        samplerate: Hz.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.
    """

    def __init__(
        self,
        samplerate: int = SAMPLE_RATE,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        self.name = "none"
        self.device = ""
        self.longest_block = round(samplerate * BLOCK_S)
        self.samplerate = samplerate
        self.sides = 1
        self.latency_s = BLOCK_S
        self.underruns = 0
        self.path: Path | None = None
        self._now_ns, self._sleep_until = now_ns, sleep_until
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def arrange(self, plan: ChannelPlan) -> None:
        """Two sides where they differ."""
        self.sides = 2 if plan.wide else 1

    def start(self, feed: Feed) -> None:
        """Begin to call `feed` every 5 ms."""
        self._thread = threading.Thread(target=self._run, args=(feed,), name="speaker-device", daemon=True)
        self._thread.start()

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Do nothing."""

    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def notes(self) -> list[str]:
        """No lines."""
        return []

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _run(self, feed: Feed) -> None:
        count = round(self.samplerate * BLOCK_S)
        block = np.zeros(count if self.sides == 1 else (count, self.sides), np.float32)
        start_ns = self._now_ns()
        position = 0
        while not self._stop.is_set():
            due_ns = start_ns + position * 1_000_000_000 // self.samplerate
            self._sleep_until(due_ns)
            feed(block, round(BLOCK_S * 1e9), due_ns)
            self._keep(position, block)
            position += block.shape[0]

    def _keep(self, position: int, block: NDArray[np.float32]) -> None:
        """Use a block; a file writes it."""


class FileOutput(NullOutput):
    """A 16-bit WAV file in place of a device, paced by the clock.

    The file is made when the performance begins. It holds the performance and nothing else: it begins with tick 0, and
    what passed while the output was away is silence. Its header is kept valid, so a kill leaves a readable file. A
    thread of its own writes it: a slow disk does not hold up the pace, a full one ends the file and not the show.

    Args:
        path: the file.
        existing: what becomes of a file of that name; see `WavWriter`.
        samplerate: Hz.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.

    Raises:
        SourceError: when no file can be made there.
    """

    def __init__(
        self,
        path: Path,
        existing: EarlierFile = "aside",
        samplerate: int = SAMPLE_RATE,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        super().__init__(samplerate, now_ns, sleep_until)
        check_output(str(path), "--speaker")
        self.name = f"file:{path}"
        self._requested, self._existing = path, existing
        self._writer: WavWriter | None = None
        self._problems: list[str] = []
        # (position of the first sample, its place in the file, the file's length or None), replaced as one object
        self._span: tuple[int, int, int | None] | None = None

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Make the file, and say which samples go where in it; if that fails, the show goes on without a file."""
        try:
            writer = WavWriter(self._requested, self.samplerate, self._existing, channels=self.sides)
        except OSError as error:
            self._problems.append(
                f"{self._requested}: cannot be written ({reason(error)}); the show goes on without it"
            )
            return
        self._writer, self.path = writer, writer.path
        self.name = f"file:{self.path if self._existing == 'number' else self._requested}"
        self._span = (position, tick_sample, samples)

    def notes(self) -> list[str]:
        """Lines about the file since the last call."""
        problems, self._problems = self._problems, []
        return problems + (self._writer.take_notes() if self._writer else [])

    def close(self) -> None:
        """Stop, write what is left, and close the file."""
        super().close()
        if self._writer is not None:
            self._writer.close()

    def _keep(self, position: int, block: NDArray[np.float32]) -> None:
        if self._span is None or self._writer is None:
            return
        origin, place, length = self._span
        first = max(0, origin - position)
        at = place + position + first - origin
        count = block.shape[0] - first
        if length is not None:
            count = min(count, length - at)
        if count > 0:
            self._writer.write(at, block[first : first + count])


def open_none(argument: str, record: str, resume: str) -> tuple[AudioOutput, str]:
    """Nothing is played."""
    return NullOutput(), ""


def open_file(path: str, record: str, resume: str) -> tuple[AudioOutput, str]:
    """A WAV file; the stage's last incarnation may have begun it.

    Raises:
        SourceError: when no file can be made there.
    """
    return FileOutput(Path(resume or path), "resume" if resume else "aside"), ""
