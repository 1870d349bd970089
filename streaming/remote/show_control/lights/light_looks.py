"""What the show sends as light: how loud it is, its onsets and pitch, and the colours of its picture."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_NS
from streaming.remote.sound_events import SoundEvents

FLOOR_DB = -60.0
FLASH_NS = 333_000_000
"""In which the light of an onset fades."""
MOST_WAITING = 64
"""Ticks that may wait for their time."""
COLOURS = ("red", "green", "blue")


class LightLooks:
    """Gives the values of `dmx_patch.OUTPUTS` at any time, each when its sound is heard."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, str, float]] = []
        """Due time, running number, output, value: a heap."""
        self._numbers = itertools.count()
        self._values = {"level": 0.0, "pitch": 0.0, **dict.fromkeys(COLOURS, 0.0)}
        self._flash = (0.0, 0)
        self.dropped = 0

    def hear(self, events: SoundEvents, begin_ns: int) -> None:
        """Take in a tick of sound that begins to be heard at a time."""
        self._put(begin_ns, "level", 1.0 - max(min(events.level_db, 0.0), FLOOR_DB) / FLOOR_DB)
        if events.pitch is not None:
            self._put(begin_ns, "pitch", events.pitch / 127)
        if events.onset_s is not None:
            self._put(begin_ns + round(1e9 * events.onset_s), "onset", max(0.25, events.strength))

    def see(self, image: NDArray[np.uint8]) -> None:
        """Take in a picture, uint8 [H, W, 3], BGR."""
        step = max(1, max(image.shape[:2]) // 32)
        mean = image[::step, ::step].reshape(-1, 3).mean(0) / 255.0
        self._values.update(zip(COLOURS, (float(value) for value in mean[::-1]), strict=True))

    def at(self, now_ns: int) -> dict[str, float]:
        """Every output at a time, 0 to 1."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            due_ns, _, name, value = heapq.heappop(self._waiting)
            if name == "onset":
                self._flash = value, due_ns
            else:
                self._values[name] = value
        strength, since_ns = self._flash
        return {**self._values, "onset": strength * max(0.0, 1.0 - (now_ns - since_ns) / FLASH_NS)}

    def next_ns(self, now_ns: int) -> int:
        """When the outputs are to be sent again: in a tick, or earlier for an onset."""
        onsets = (due_ns for due_ns, _, name, _ in self._waiting if name == "onset" and due_ns > now_ns)
        return min(now_ns + TICK_NS, min(onsets, default=now_ns + TICK_NS))

    def _put(self, at_ns: int, name: str, value: float) -> None:
        if len(self._waiting) >= 3 * MOST_WAITING:
            self.dropped += 1
            return
        heapq.heappush(self._waiting, (at_ns, next(self._numbers), name, value))
