"""A browser, or OBS, as a microphone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.devices.browser.jitter_buffer import TARGET_S, PlayoutBuffer
from streaming.devices.browser.local_link import RETRY_S, LocalLink, socket_path
from streaming.devices.sound.inputs import BLOCK_S, AudioInput, Intake, PacedInput
from streaming.timing import clock

AWAY_S = 1.0
"""A browser that sends no sound for so long has gone; it sends some in silence too."""


class BrowserMicrophone(PacedInput):
    """The sound that a browser sends, paced by this machine's clock; silence while there is none.

    Args:
        path: of the browser process's socket.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.
    """

    def __init__(
        self,
        path: Path,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        super().__init__(now_ns, sleep_until)
        self.name, self.waits = "browser", False
        self._path = path
        self._buffer = PlayoutBuffer(SAMPLE_RATE)
        self._lock = threading.Lock()
        self._came_ns = 0
        self._receiver = threading.Thread(target=self._receive, name="from-browser", daemon=True)
        self._ends = threading.Event()

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        """Begin to deliver 5 ms of sound every 5 ms, and to receive."""
        self._receiver.start()
        super().start(intake)

    def close(self) -> None:
        """Stop both threads."""
        self._ends.set()
        super().close()
        if self._receiver.is_alive():
            self._receiver.join(1.0)

    def _run(self, intake: Intake, skipped_blocks: int) -> None:
        size = round(self.samplerate * BLOCK_S)
        start_ns, count = self._now_ns(), 0
        # A sample is as old as the sound that waits before it; the browser's own delay is not known.
        age_ns = round((TARGET_S + BLOCK_S) * 1e9)
        while not self._stop.is_set():
            count += size
            due_ns = start_ns + count * 1_000_000_000 // self.samplerate
            self._sleep_until(due_ns)
            with self._lock:
                block = self._buffer.take(size)
            if self._came_ns:
                self.away = self._now_ns() - self._came_ns > AWAY_S * 1e9
            intake(block, age_ns, due_ns)

    def _receive(self) -> None:
        while not self._ends.is_set():
            try:
                link = LocalLink(self._path, "take", "microphone")
            except OSError:
                self._ends.wait(RETRY_S)
                continue
            try:
                while not self._ends.is_set():
                    block = link.receive(0.5)
                    if block is not None and len(block.data) % 4 == 0:
                        self._take(np.frombuffer(block.data, np.float32))
            except OSError:
                self._ends.wait(RETRY_S)
            finally:
                link.close()

    def _take(self, samples: NDArray[np.float32]) -> None:
        with self._lock:
            self._buffer.put(samples)
        self._came_ns = self._now_ns()


def open_microphone(argument: str) -> tuple[AudioInput, str]:
    """The microphone of a browser."""
    return BrowserMicrophone(socket_path()), ""
