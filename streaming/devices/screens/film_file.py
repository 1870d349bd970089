"""A film file as a screen: every picture with its sound, in an MP4."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_SAMPLES
from streaming.devices.films.film import Film
from streaming.devices.films.film_picture import FilmShot
from streaming.devices.screens.device import Count, Image, Note, NullScreen
from streaming.system.files import check_output


class _PlainComposer:
    """Passes pictures on as they are."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._last: Image = np.zeros((size[1], size[0], 3), np.uint8)

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Do nothing: the sound is not drawn."""

    def compose(self, shot: FilmShot) -> Image:
        """The picture of the tick, or the previous one where it has none."""
        if shot.camera is not None:
            self._last = shot.camera
        return self._last


class FilmScreen(NullScreen):
    """A film of the pictures with their sound; every tick is in it exactly once.

    Args:
        path: the MP4, made with the first picture; an earlier one is moved aside.
        note: says one line to the user.
        count: adds to a counter.

    Raises:
        UserError: when no file can be made there.
    """

    WAITS = 4
    """Ticks for which a picture waits for its sound, or a sound for its picture."""

    def __init__(
        self,
        path: Path,
        note: Note = lambda line: None,
        count: Count = lambda name, by: None,
    ) -> None:
        self.name = f"file:{path}"
        check_output(str(path), "--screen")
        self._path, self._note, self._count = path, note, count
        self._size = (0, 0)
        self._film: Film | None = None
        self._pictures: dict[int, Image] = {}
        self._sounds: dict[int, NDArray[np.float32]] = {}

    def set_size(self, size: tuple[int, int]) -> None:
        """Begin the film, whose pictures all have this size; a second call changes nothing."""
        if self._film is None:
            self._size = size
            self._film = Film(self._path, _PlainComposer(size), existing="aside", note=self._note, count=self._count)

    def show(self, tick: int, picture: Image) -> None:
        """Hold the picture until its sound is there."""
        self.set_size((picture.shape[1], picture.shape[0]))
        if picture.shape[1::-1] != self._size:
            picture = np.asarray(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        self._pictures[tick] = picture
        self._write(max(self._pictures) - self.WAITS)

    def hear(self, tick: int, pcm: NDArray[np.float32]) -> None:
        """Hold the sound until its picture is there; before the size is known it is left out."""
        if self._film is None:
            return
        self._sounds[tick] = pcm
        self._write(max(self._sounds) - self.WAITS)

    def close(self) -> None:
        """Finish the film."""
        self._write(max([-1, *self._pictures, *self._sounds]))
        if self._film is not None:
            self._film.close()

    def _write(self, overdue: int) -> None:
        """Write the complete ticks in order; a tick up to `overdue` is written also without its partner."""
        if self._film is None:
            return
        for tick in sorted({*self._pictures, *self._sounds}):
            if tick > overdue and not (tick in self._pictures and tick in self._sounds):
                return
            pcm = self._sounds.pop(tick, None)
            silence = np.zeros(TICK_SAMPLES, np.float32)
            self._film.add(silence if pcm is None else pcm, FilmShot(tick, self._pictures.pop(tick, None)))


def open_film(path: str, note: Note, count: Count) -> FilmScreen:
    """A film of the pictures.

    Raises:
        UserError: when no file can be made there.
    """
    return FilmScreen(Path(path), note, count)
