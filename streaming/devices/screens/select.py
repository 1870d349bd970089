"""Screens: a window on any monitor, a page for browsers, a film file, or none; and the choice that `--screen` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_SAMPLES
from streaming.devices.films.film import Film
from streaming.devices.films.film_picture import FilmShot
from streaming.devices.screens.web import PictureServer
from streaming.errors import SourceError, UserError

DEFAULT_PORT = 8025
Image = NDArray[np.uint8]


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


class _PlainComposer:
    """A film's pictures that are shown as they are."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._last: Image = np.zeros((size[1], size[0], 3), np.uint8)

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """The sound is not drawn."""

    def compose(self, shot: FilmShot) -> Image:
        """The tick's picture, or the one before it."""
        if shot.camera is not None:
            self._last = shot.camera
        return self._last


class FileScreen:
    """A film of the pictures with the sound that they belong to; every tick is in it, once.

    Args:
        path: the MP4; an existing one is replaced.
        size: width and height of the pictures.
        note: says one line to the user.
        count: adds to a counter.

    Raises:
        UserError: when the file cannot be made.
    """

    WAITS = 4
    """Ticks that a picture or a sound waits for its partner."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        note: Callable[[str], None] = lambda line: None,
        count: Callable[[str, int], None] = lambda name, by: None,
    ) -> None:
        self.name = f"file:{path}"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SourceError(f"cannot be replaced ({error.strerror})", str(path), "give --screen another") from error
        self._size = size
        self._film = Film(path, _PlainComposer(size), note=note, count=count)
        self._pictures: dict[int, Image] = {}
        self._sounds: dict[int, NDArray[np.float32]] = {}

    def show(self, tick: int, picture: Image) -> None:
        """Keep it until its sound is there."""
        if picture.shape[1::-1] != self._size:
            picture = np.asarray(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        self._pictures[tick] = picture
        self._write(max(self._pictures) - self.WAITS)

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Keep it until its picture is there."""
        self._sounds[tick] = pcm
        self._write(max(self._sounds) - self.WAITS)

    def wishes(self) -> list[str]:
        """A file wishes nothing."""
        return []

    def close(self) -> None:
        """Finish the film."""
        self._write(max([-1, *self._pictures, *self._sounds]))
        self._film.close()

    def _write(self, overdue: int) -> None:
        """Film what is complete, in order, and what is overdue with what there is of it."""
        for tick in sorted({*self._pictures, *self._sounds}):
            if tick > overdue and not (tick in self._pictures and tick in self._sounds):
                return
            pcm = self._sounds.pop(tick, None)
            silence = np.zeros(TICK_SAMPLES, np.float32)
            self._film.add(silence if pcm is None else pcm, FilmShot(tick, self._pictures.pop(tick, None)))


class WebScreen:
    """A page on this machine that any browser shows, full screen if it likes; see `streaming.devices.screens.web`.

    Args:
        port: of 127.0.0.1; 0 for any.

    Raises:
        UserError: when the port is taken.
    """

    def __init__(self, port: int = DEFAULT_PORT) -> None:
        self._server = PictureServer(port)
        self.name = self._server.url

    def show(self, tick: int, picture: Image) -> None:
        """Offer it to those who look."""
        self._server.offer(picture)

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """The sound comes from the speaker."""

    def wishes(self) -> list[str]:
        """A page wishes nothing."""
        return []

    def close(self) -> None:
        """End the page."""
        self._server.close()


class WindowScreen:
    """A window: F or a double click makes it fill its monitor, Escape makes it small again, Q or closing it ends.

    Args:
        size: width and height of the pictures; a window has their size at first.
        monitor: number of the monitor, counted from 0; None for a window on the first one.

    Raises:
        UserError: when there is no display, no such monitor, or no library for it.
    """

    def __init__(self, size: tuple[int, int], monitor: int | None = None) -> None:
        self._game = game = _load_pygame()
        if not game.display.get_init():
            try:
                game.display.init()
            except game.error as error:
                fix = "use --screen web, file:PATH.mp4 or none"
                raise SourceError(f"there is no display to open it on ({error})", "--screen window", fix) from error
        sizes = game.display.get_desktop_sizes()
        if monitor is not None and monitor >= len(sizes):
            raise SourceError(
                f"there is no such monitor; this machine has {len(sizes)}, counted from 0",
                f"--screen window:{monitor}",
                "choose one of these",
            )
        self._monitor, self._full = monitor or 0, monitor is not None
        self._size = size
        self._clicked_ms = -1000
        self._open()
        game.display.set_caption("Antiphon")
        width, height = sizes[self._monitor]
        self.name = f"window on monitor {self._monitor} ({width} x {height})"

    def show(self, tick: int, picture: Image) -> None:
        """Draw it, as large as the window allows, whole and undistorted."""
        game, surface = self._game, self._surface
        room = surface.get_size()
        scale = min(room[0] / picture.shape[1], room[1] / picture.shape[0])
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        drawn = picture if size == picture.shape[1::-1] else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        image = game.image.frombuffer(np.ascontiguousarray(drawn), size, "BGR")
        surface.fill((0, 0, 0))
        surface.blit(image, ((room[0] - size[0]) // 2, (room[1] - size[1]) // 2))
        game.display.flip()

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """The sound comes from the speaker."""

    def wishes(self) -> list[str]:
        """What was typed and clicked; the window stays alive by this being called."""
        game, found = self._game, []
        for event in game.event.get():
            if event.type == game.QUIT or (event.type == game.KEYDOWN and event.key == game.K_q):
                found.append("quit")
            elif event.type == game.KEYDOWN and event.key in (game.K_f, game.K_F11):
                self._fill(not self._full)
            elif event.type == game.KEYDOWN and event.key == game.K_ESCAPE:
                self._fill(False)
            elif event.type == game.MOUSEBUTTONDOWN and event.button == 1:
                now_ms = int(game.time.get_ticks())
                if now_ms - self._clicked_ms < 400:
                    self._fill(not self._full)
                self._clicked_ms = now_ms
        return found

    def close(self) -> None:
        """Close the window."""
        self._game.display.quit()

    def _fill(self, full: bool) -> None:
        if full != self._full:
            self._full = full
            self._open()

    def _open(self) -> None:
        game = self._game
        flags = game.FULLSCREEN if self._full else game.RESIZABLE
        size = game.display.get_desktop_sizes()[self._monitor] if self._full else self._size
        self._surface: Any = game.display.set_mode(size, flags, display=self._monitor)
        game.mouse.set_visible(not self._full)


def _load_pygame() -> ModuleType:
    """Import pygame, without its greeting.

    Raises:
        UserError: when it is missing.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        fix = "install it: pip install pygame-ce; or use --screen web, file:PATH.mp4 or none"
        raise UserError(f"the window library cannot be loaded ({error})", "--screen window", fix) from error
    module: ModuleType = pygame
    return module


def has_display() -> bool:
    """Whether there is a desktop to open a window on."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_screen(
    spec: str,
    size: tuple[int, int],
    note: Callable[[str], None] = lambda line: None,
    count: Callable[[str, int], None] = lambda name, by: None,
) -> ScreenDevice:
    """Open what `--screen` says.

    Args:
        spec: "auto", "window", "window:MONITOR", "web", "web:PORT", "file:PATH.mp4" or "none".
        size: width and height of the pictures.
        note: says one line to the user.
        count: adds to a counter.

    Raises:
        UserError: when it cannot be used.
    """
    kind, _, rest = spec.partition(":")
    if kind == "none":
        return NullScreen()
    if kind == "file":
        return FileScreen(Path(rest), size, note, count)
    if kind == "web":
        screen = WebScreen(_number(rest, spec) if rest else DEFAULT_PORT)
        note(f"the picture is at {screen.name}")
        return screen
    if kind == "window":
        return WindowScreen(size, _number(rest, spec) if rest else None)
    if not has_display():
        return NullScreen()
    try:
        return WindowScreen(size)
    except UserError as error:
        note(f"no window ({error.what}); the picture is not shown")
        return NullScreen()


def _number(text: str, spec: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise SourceError(f"{text!r} is no number", f"--screen {spec}", "write window:MONITOR or web:PORT")
    return int(text)
