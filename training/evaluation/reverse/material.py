"""What the reverse loop is scored on: stills, sounds and films of the user's, or generated ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import soxr
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from streaming.errors import SourceError, UserError
from training.datasets.animator import MOBILE_TEST_SEED
from training.datasets.codec import TEST_SEED as MUSIC_TEST_SEED
from training.datasets.codec import render_clip
from training.datasets.hits import NoEmbedding
from training.datasets.sounds.recorded_sounds import read_sound
from training.footage.reader import MASTER_RATE, FootageError, camera_frames, examine, sound
from training.synthesis.mobiles import Mobile
from training.synthesis.recordings import TEST_SEED, performer_of, read_motion, sound_of

STILL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".m4a", ".aac")
FILM_ENDINGS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")
LONGEST_S, SHORTEST_S = 12.0, 2.4
"""Of a sound or film the beginning is taken; shorter sounds are not used."""
SILENT_RMS = 1e-4
"""A sound or film that is no louder is not used."""
_MOBILE_SIZE = (768, 512)
_LEAST_MASK = 0.004

T = TypeVar("T")


@dataclass(frozen=True)
class ScoredStill:
    """A still as the screen shows it.

    Attributes:
        name: of the file, or of what generated it.
        image: uint8 [H, W, 3] BGR, at the screen's size.
        masks: bool [H, W] each, things of the picture that nobody who moves it was told of; none where unknown.
    """

    name: str
    image: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...] = ()


@dataclass(frozen=True)
class Piece:
    """A sound: its name, and float32 [n] at 32 kHz in whole ticks."""

    name: str
    sound: NDArray[np.float32]

    @property
    def ticks(self) -> int:
        """Its length."""
        return self.sound.size // TICK_SAMPLES


@dataclass(frozen=True)
class ScoredFilm:
    """A film: its first frame as a still, its sound, and its true flow [T, 2, G, G] in longer sides per second."""

    name: str
    first: NDArray[np.uint8]
    piece: Piece
    flow: NDArray[np.float32]


def stills_of(folders: Sequence[Path], masks: Path | None = None) -> list[ScoredStill]:
    """The stills of folders, in the order of their names.

    Args:
        folders: with pictures; what is no picture is passed over.
        masks: a folder with NAME.png for some of them: each grey level but 0 is a thing.

    Raises:
        UserError: when there is no picture.
    """
    stills = []
    for path in _files(folders, STILL_ENDINGS):
        try:
            prior = load_prior(str(path))
        except SourceError:
            continue
        image = fit_screen(prior, screen_size(prior))
        stills.append(ScoredStill(path.stem, image, _read_masks(masks, path.stem, image.shape[:2])))
    return _some(stills, folders, "picture")


def _read_masks(folder: Path | None, name: str, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], ...]:
    path = None if folder is None else folder / f"{name}.png"
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path is not None and path.is_file() else None
    if found is None:
        return ()
    fitted = cv2.resize(found, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    levels = [level for level in np.unique(fitted) if level]
    return tuple(fitted == level for level in levels if (fitted == level).mean() > _LEAST_MASK)


def generated_stills(count: int) -> list[ScoredStill]:
    """The shipped still, then mobiles (with their true things as masks) and performers in turn; none was trained on."""
    shipped = load_prior("")
    stills = [ScoredStill("shipped", fit_screen(shipped, screen_size(shipped)))]
    for number in range(count - 1):
        if number % 4 == 1:
            image = performer_of(TEST_SEED + number, _MOBILE_SIZE).frame(0.0)
            stills.append(ScoredStill(f"performer {TEST_SEED + number}", image))
            continue
        mobile = Mobile(MOBILE_TEST_SEED + number, _MOBILE_SIZE)
        rest = np.zeros((len(mobile.things), 4), np.float32)
        owner = mobile.owners(rest)
        masks = (owner == index for index in range(len(mobile.things)))
        stills.append(
            ScoredStill(
                f"mobile {MOBILE_TEST_SEED + number}",
                mobile.frame(rest),
                tuple(mask for mask in masks if mask.mean() > _LEAST_MASK),
            )
        )
    return stills


def pieces_of(folders: Sequence[Path], longest_s: float = LONGEST_S) -> list[Piece]:
    """The sounds of folders, in the order of their names; short or silent ones are left out.

    Raises:
        UserError: when there is none.
    """
    pieces = []
    for path in _files(folders, SOUND_ENDINGS):
        pcm = read_sound(path, longest_s)
        if pcm is not None and pcm.size >= SHORTEST_S * SAMPLE_RATE and np.sqrt(np.mean(pcm**2)) > SILENT_RMS:
            pieces.append(Piece(path.stem, _whole_ticks(pcm)))
    return _some(pieces, folders, "sound of at least 2.4 s")


def generated_pieces(count: int) -> list[Piece]:
    """Music of held-out performers of all kinds and of held-out renders, in turn."""
    pieces = []
    for number in range(count):
        if number % 2 == 0:
            pieces.append(Piece(f"performer {TEST_SEED + number}", _whole_ticks(sound_of(TEST_SEED + number))))
        else:
            seed = MUSIC_TEST_SEED + number
            pieces.append(Piece(f"render {seed}", _whole_ticks(render_clip(seed).astype(np.float32) / 32768.0)))
    return pieces


def films_of(folders: Sequence[Path], longest_s: float = LONGEST_S) -> list[ScoredFilm]:
    """The films of folders that have picture and sound, in the order of their names.

    Raises:
        UserError: when there is none.
    """
    films = []
    for path in _files(folders, FILM_ENDINGS):
        try:
            footage = examine(path)
            pcm = sound(footage).mean(0)
        except FootageError:
            continue
        heard = soxr.resample(pcm, MASTER_RATE, SAMPLE_RATE).astype(np.float32)
        ticks = min(footage.ticks, int(longest_s * TICKS_PER_SECOND), heard.size // TICK_SAMPLES)
        heard = heard[: ticks * TICK_SAMPLES]
        if ticks < SHORTEST_S * TICKS_PER_SECOND or np.sqrt(np.mean(heard**2)) <= SILENT_RMS:
            continue
        frames = camera_frames(footage)
        first = next(frames)
        # It stops at the last tick, so no more of the film is decoded.
        flow = read_motion(itertools.chain([first], frames), ticks, NoEmbedding()).flow.astype(np.float32)
        still = fit_screen(first[0], screen_size(first[0]))
        films.append(ScoredFilm(path.stem, still, Piece(path.stem, heard), flow))
    return _some(films, folders, "film with sound")


def take_eight(pieces: Sequence[Piece], seconds: float, count: int = 8) -> list[Piece]:
    """Eight pieces spread over all, each exactly so long; shorter ones are repeated.

    Raises:
        UserError: when there are fewer.
    """
    if len(pieces) < count:
        raise UserError(f"{count} sounds are needed", f"{len(pieces)} are there", "name more folders with --audio")
    rows = [round(place) for place in np.linspace(0, len(pieces) - 1, count)]
    size = round(seconds * TICKS_PER_SECOND) * TICK_SAMPLES
    return [Piece(pieces[row].name, np.resize(pieces[row].sound, size)) for row in rows]


def _whole_ticks(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(pcm[: pcm.size // TICK_SAMPLES * TICK_SAMPLES], np.float32)


def _files(folders: Sequence[Path], endings: tuple[str, ...]) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in endings and path.is_file()
    ]


def _some(found: list[T], folders: Sequence[Path], what: str) -> list[T]:
    if not found:
        where = ", ".join(str(folder) for folder in folders)
        raise UserError(f"there is no {what}", where, "name another folder, or none for generated material")
    return found
