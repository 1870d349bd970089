"""The interface of every screen, and the screen that shows nothing."""

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
SOURCE_NAME = "Antiphon"
"""What other programs find the pictures by, unless the user names them."""


class ScreenDevice(Protocol):
    """An open screen.

    Attributes:
        name: what it is, in words for the user.
        display: by what `--screen` it is opened again when its display has gone; "" for what needs none.
    """

    name: str
    display: str

    def set_size(self, size: tuple[int, int]) -> None:
        """Say how large the pictures will be, as (width, height) in pixels; called before the first one."""

    def show(self, tick: int, picture: Image) -> None:
        """Show the picture of a tick now: uint8 [H, W, 3] BGR."""

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Feed the sound of a tick, float32 [1280]; only a film uses it."""

    def requests(self) -> list[str]:
        """What the user asked for at the screen since the last call: "quit"."""

    def close(self) -> None:
        """Release the screen; may be called twice."""


class NullScreen:
    """Shows nothing. Other screens derive from it and replace what they have: most have no sound and no keys."""

    name = "none"
    display = ""

    def set_size(self, size: tuple[int, int]) -> None:
        """Do nothing: every picture tells its size."""

    def show(self, tick: int, picture: Image) -> None:
        """Do nothing."""

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Do nothing."""

    def requests(self) -> list[str]:
        """Nothing is asked for."""
        return []

    def close(self) -> None:
        """Nothing to release."""


def size_within(room: tuple[float, float], picture: tuple[int, ...]) -> tuple[int, int]:
    """How large a picture is that is shown whole and as large as a room allows: width and height in pixels.

    Args:
        room: width and height.
        picture: those of the picture, [H, W, ...] as an array has them.
    """
    scale = min(room[0] / picture[1], room[1] / picture[0])
    return max(1, round(picture[1] * scale)), max(1, round(picture[0] * scale))


def open_none(argument: str, note: Note, count: Count) -> NullScreen:
    """No screen."""
    return NullScreen()
