"""What waits to be sent to one browser: kinds of message, not messages, so that the newest of each wins."""

from __future__ import annotations

import asyncio
from collections import deque

MOST_LINES = 8
"""Refusals that wait to be read; with more, the oldest are dropped."""
VIEWS = ("console", "stage", "performance")
WANTED = {
    "console": frozenset({"camera", "motion", "sound", "speaker", "microphone", "picture", "screen"}),
    "stage": frozenset({"motion", "sound", "speaker", "microphone"}),
    "performance": frozenset({"picture", "screen"}),
}
"""View -> the topics that it shows."""


class ClientOutbox:
    """One browser's kinds of message that are to be sent, in the order in which they were asked for.

    Attributes:
        view: one of `VIEWS`: what it shows.
        column: the newest column of the spectrogram that it has.
        lines: answers to this browser alone.
    """

    def __init__(self) -> None:
        self.view = VIEWS[0]
        self.column = 0
        self.lines: deque[dict[str, object]] = deque(maxlen=MOST_LINES)
        self._kinds: dict[str, None] = {}
        self._filled = asyncio.Event()

    def put(self, *kinds: str) -> None:
        """Send these kinds as soon as the browser takes them."""
        self._kinds.update(dict.fromkeys(kinds))
        self._filled.set()

    def answer(self, line: dict[str, object]) -> None:
        """Send a line to this browser alone."""
        self.lines.append(line)
        self.put("lines")

    async def take(self) -> str:
        """Wait for the next kind."""
        while not self._kinds:
            self._filled.clear()
            await self._filled.wait()
        kind = next(iter(self._kinds))
        del self._kinds[kind]
        return kind
