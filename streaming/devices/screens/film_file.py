"""A film file as a screen: every picture with its sound, in an MP4."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_SAMPLES
from streaming.devices.films.film import Film
from streaming.devices.films.film_picture import FilmShot
from streaming.devices.screens.device import Count, Image, Note
from streaming.system.files import check_output


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


class FilmScreen:
    """A film of the pictures with the sound that they belong to; every tick is in it, once.

    Args:
        path: the MP4, made with the first picture; an earlier one is moved aside.
        size: width and height of the pictures.
        note: says one line to the user.
        count: adds to a counter.

    Raises:
        UserError: when no file can be made there.
    """

    WAITS = 4
    """Ticks that a picture or a sound waits for its partner."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        note: Note = lambda line: None,
        count: Count = lambda name, by: None,
    ) -> None:
        self.name = f"file:{path}"
        check_output(str(path), "--screen")
        self._size = size
        self._film = Film(path, _PlainComposer(size), existing="aside", note=note, count=count)
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
        """Nobody asks a file for anything."""
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


def open_film(path: str, size: tuple[int, int], note: Note, count: Count) -> FilmScreen:
    """A film of the pictures.

    Raises:
        UserError: when no file can be made there.
    """
    return FilmScreen(Path(path), size, note, count)
