"""What goes through the browser process: the newest picture, and sound in order; used within one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from streaming.devices.browser.local_link import LinkBlock

T = TypeVar("T")
MOST_SOUNDS = 16
"""Pieces of sound that may wait for a reader; with more it is behind, and goes on with the newest ones."""
_KEPT = 4


class NewestItem(Generic[T]):
    """The newest of something; a reader that is slow misses some and delays nobody."""

    def __init__(self) -> None:
        self._item: T | None = None
        self.number = 0
        self._changed = asyncio.Event()

    def put(self, item: T) -> None:
        """Make this the newest."""
        self._item, self.number = item, self.number + 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> tuple[int, T]:
        """The newest item and its number, once that is another than `number`."""
        while self.number == number or self._item is None:
            await self._changed.wait()
        return self.number, self._item


class SoundReader:
    """One reader's sound, in order."""

    def __init__(self) -> None:
        self._waiting: deque[LinkBlock] = deque(maxlen=MOST_SOUNDS + 1)
        self._filled = asyncio.Event()

    def put(self, block: LinkBlock) -> None:
        """Add a piece."""
        self._waiting.append(block)
        if len(self._waiting) > MOST_SOUNDS:
            while len(self._waiting) > _KEPT:
                self._waiting.popleft()
        self._filled.set()

    async def take(self) -> LinkBlock:
        """The next piece."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()


class SoundStream:
    """Sound for any number of readers; lost where there are none."""

    def __init__(self) -> None:
        self._readers: set[SoundReader] = set()

    def read(self) -> SoundReader:
        """A new reader; it hears what comes from now on."""
        reader = SoundReader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: SoundReader) -> None:
        """End a reader."""
        self._readers.discard(reader)

    def put(self, block: LinkBlock) -> None:
        """Give a piece to every reader."""
        for reader in self._readers:
            reader.put(block)
