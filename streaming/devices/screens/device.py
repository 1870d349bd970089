"""What a screen is, and the one that shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Note = Callable[[str], None]
"""Says one line to the user."""
Count = Callable[[str, int], None]
"""Adds to a counter."""


class ScreenDevice(Protocol):
    """An open screen.

    Attributes:
        name: what it is, for the user.
    """

    name: str

    def show(self, tick: int, picture: Image) -> None:
        """Show a tick's picture, uint8 [H, W, 3] BGR, now."""

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """The sound of a tick, float32 [1280], for a screen that keeps it."""

    def wishes(self) -> list[str]:
        """What a person asked for at the screen since the last call: "quit", "fullscreen"."""

    def close(self) -> None:
        """Release it; may be called twice."""


class NullScreen:
    """Shows nothing."""

    name = "none"

    def show(self, tick: int, picture: Image) -> None:
        """Nothing to show it on."""

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Nothing to keep it in."""

    def wishes(self) -> list[str]:
        """Nobody is there."""
        return []

    def close(self) -> None:
        """Nothing to release."""


def open_none(argument: str, size: tuple[int, int], note: Note, count: Count) -> NullScreen:
    """No screen."""
    return NullScreen()
