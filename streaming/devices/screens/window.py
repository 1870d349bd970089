"""A window on any monitor as a screen, through pygame."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from streaming.devices.screens.device import SOURCE_NAME, Count, Image, Note, NullScreen, ScreenDevice, size_within
from streaming.errors import SourceError, UserError

FIRST_SIZE = (512, 512)
"""Width and height of the pictures in pixels, until their size is known."""
SHARE = 2 / 3
"""A window is as large as its pictures allow within this share of the monitor's width and height."""

INSTEAD = "use --screen web, file:PATH.mp4 or none"
IN_MEMORY = ("offscreen", "dummy")
"""SDL's drivers that show nothing."""


class WindowScreen(NullScreen):
    """A window. F, F11 or a double click fills the monitor, Escape goes back, Q or closing it ends the show.

    Args:
        monitor: number of the monitor to fill, from 0; None for a window on the first one.

    Attributes:
        full: it fills its monitor.
        surface: the pygame surface of the window.

    Raises:
        UserError: when there is no display, no such monitor, or no library for it.
    """

    def __init__(self, monitor: int | None = None) -> None:
        self._game = game = _load_pygame()
        if not game.display.get_init():
            _open_display(game)
        sizes = game.display.get_desktop_sizes()
        if monitor is not None and monitor >= len(sizes):
            raise SourceError(
                f"there is no such monitor; this machine has {len(sizes)}, counted from 0",
                f"--screen window:{monitor}",
                "choose one of these numbers",
            )
        self._monitor, self.full = monitor or 0, monitor is not None
        self._size = FIRST_SIZE
        self._clicked_ms = -1000
        self._open()
        game.display.set_caption(SOURCE_NAME)
        width, height = sizes[self._monitor]
        self.name = f"window on monitor {self._monitor} ({width} x {height})"
        self.display = "window" if monitor is None else f"window:{monitor}"

    def set_size(self, size: tuple[int, int]) -> None:
        """Give the window the pictures' proportions."""
        if size != self._size:
            self._size = size
            if not self.full:
                self._open()

    def show(self, tick: int, picture: Image) -> None:
        """Draw the whole picture as large as the window allows, in its own proportions."""
        game, surface = self._game, self.surface
        room = surface.get_size()
        size = size_within(room, picture.shape)
        scaled = picture if size == picture.shape[1::-1] else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        image = game.image.frombuffer(np.ascontiguousarray(scaled), size, "BGR")
        surface.fill((0, 0, 0))
        surface.blit(image, ((room[0] - size[0]) // 2, (room[1] - size[1]) // 2))
        game.display.flip()

    def requests(self) -> list[str]:
        """What was typed and clicked; must be called often, or the system takes the window for dead."""
        game, requests = self._game, []
        for event in game.event.get():
            if event.type == game.QUIT or (event.type == game.KEYDOWN and event.key == game.K_q):
                requests.append("quit")
            elif event.type == game.KEYDOWN and event.key in (game.K_f, game.K_F11):
                self.fill(not self.full)
            elif event.type == game.KEYDOWN and event.key == game.K_ESCAPE:
                self.fill(False)
            elif event.type == game.MOUSEBUTTONDOWN and event.button == 1:
                now_ms = int(game.time.get_ticks())
                if now_ms - self._clicked_ms < 400:
                    self.fill(not self.full)
                self._clicked_ms = now_ms
        return requests

    def close(self) -> None:
        """Close the window."""
        self._game.display.quit()

    def fill(self, full: bool) -> None:
        """Fill the monitor, or go back to a window."""
        if full != self.full:
            self.full = full
            self._open()

    def _open(self) -> None:
        game = self._game
        flags = game.FULLSCREEN if self.full else game.RESIZABLE
        monitor = game.display.get_desktop_sizes()[self._monitor]
        size = monitor if self.full else window_size(self._size, monitor)
        self.surface: Any = game.display.set_mode(size, flags, display=self._monitor)
        game.mouse.set_visible(not self.full)


def window_size(picture: tuple[int, int], monitor: tuple[int, int]) -> tuple[int, int]:
    """The size of a window, (width, height) in pixels: the pictures' proportions within `SHARE` of the monitor."""
    return size_within((SHARE * monitor[0], SHARE * monitor[1]), picture[::-1])


def _load_pygame() -> ModuleType:
    """Import pygame without its greeting on the terminal.

    Raises:
        UserError: when it is missing.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        fix = f"install it: pip install pygame-ce; or {INSTEAD}"
        raise UserError(f"the window library pygame cannot be loaded ({error})", "--screen window", fix) from error
    module: ModuleType = pygame
    return module


def _open_display(game: ModuleType) -> None:
    """Connect to the display.

    Raises:
        SourceError: when there is none. SDL then draws in memory without a word, which nobody sees; only one who names
            such a driver in `SDL_VIDEODRIVER` wants it.
    """
    try:
        game.display.init()
    except game.error as error:
        raise SourceError(f"there is no display ({error})", "--screen window", INSTEAD) from error
    if game.display.get_driver() in IN_MEMORY and not os.environ.get("SDL_VIDEODRIVER"):
        game.display.quit()
        raise SourceError("there is no display", "--screen window", INSTEAD)


def has_display() -> bool:
    """Whether there is a desktop to open a window on."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def describe_display() -> str:
    """The library that opens windows, where there is a display.

    Raises:
        UserError: when one of them is missing.
    """
    game = _load_pygame()
    if not has_display():
        raise SourceError("there is no display", "--screen window", INSTEAD)
    return f"pygame {game.version.ver}"


def open_window(monitor: str, note: Note, count: Count) -> WindowScreen:
    """A window, or a whole monitor by its number.

    Raises:
        UserError: when there is no display or no such monitor.
    """
    return WindowScreen(int(monitor) if monitor else None)


def open_auto(argument: str, note: Note, count: Count) -> ScreenDevice:
    """A window where there is a display, else nothing."""
    if not has_display():
        note("there is no display; the picture is not shown (--screen web shows it in a browser)")
        return NullScreen()
    try:
        return WindowScreen()
    except UserError as error:
        note(f"no window ({error.what}); the picture is not shown")
        return NullScreen()
