"""A screen that notes when each picture is shown, and a checksum of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from benchmarks.rig.trial_plan import SCREEN_LOG, read_plan
from streaming.devices.screens.device import Count, Note, NullScreen
from streaming.stage import Stage
from streaming.stages.screen import ScreenStage
from streaming.timing import clock


class StampScreen(NullScreen):
    """Writes a row of three int64 for each picture: its tick, the monotonic time in ns, its checksum.

    Args:
        log: takes the rows.
        now_ns: reads the clock.
    """

    name = "the bench's screen: a time stamp for each picture"

    def __init__(self, log: IO[bytes], now_ns: Callable[[], int] = clock.now_ns) -> None:
        self._log, self._now_ns = log, now_ns

    def show(self, tick: int, picture: NDArray[np.uint8]) -> None:
        """Note the picture: the time first, then the checksum."""
        now_ns = self._now_ns()
        checksum = zlib.crc32(np.ascontiguousarray(picture).data)
        self._log.write(np.array([tick, now_ns, checksum], np.int64).tobytes())

    def close(self) -> None:
        """Close the log."""
        self._log.close()


def open_stamp_screen(argument: str, note: Note, count: Count) -> StampScreen:
    """The screen of the plan that the environment names."""
    return StampScreen(read_plan().path(SCREEN_LOG).open("ab", buffering=0))


def read_screen_log(path: Path) -> NDArray[np.int64]:
    """The rows of a log, int64 [n, 3]; none where there is no log."""
    if not path.exists():
        return np.zeros((0, 3), np.int64)
    data = np.fromfile(path, np.int64)
    return data[: data.size // 3 * 3].reshape(-1, 3)


def build() -> Stage:
    """The screen stage with this screen."""
    return ScreenStage(open_stamp_screen)
