"""What is seen and heard in the show, made small for a page: thumbnails, levels, a spectrogram, points and flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.audio.levels import decibels
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Camera, Microphone, Motion, Picture, Screen, Sound, Speaker
from streaming.stage import Inputs

THUMBNAIL_SIDE = 360
"""The longer side of a small picture, in pixels."""
QUALITY, FULL_QUALITY = 75, 88
WINDOW = 2_048
"""Samples of a column of the spectrogram: 64 ms."""
LOWEST_HZ, HIGHEST_HZ, BANDS = 60.0, 14_000.0, 64
FLOOR_DB = -90.0
MOST_WAITING = 8
"""Pictures that wait until the screen says that they are shown; with more, the oldest is taken for shown."""
MOST_COLUMNS = 50
"""Columns that are kept for pages: 2 s."""
LEAST_SCORE = 0.2
LIMITED_FALL_DB = 0.25
"""By so much the limiter's reduction that is shown falls in a tick."""


def band_edges() -> NDArray[np.intp]:
    """The first bins of the spectrogram's bands: equal steps of pitch, each band at least one bin."""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * WINDOW / SAMPLE_RATE
    return np.unique(np.round(edges).astype(np.intp))


@dataclass
class SmallPicture:
    """The newest picture of one kind, and its JPEGs, each made once.

    Attributes:
        number: counts the pictures.
        image: the newest, uint8 [H, W, 3].
    """

    number: int = 0
    image: NDArray[np.uint8] | None = None
    _made: dict[bool, tuple[int, bytes]] = field(default_factory=dict)

    def take(self, image: NDArray[np.uint8]) -> None:
        """There is a newer one."""
        self.image = image
        self.number += 1

    def jpeg(self, *, full: bool = False) -> bytes:
        """The newest one as JPEG, no side above `THUMBNAIL_SIDE` unless it is to be full; empty where there is none."""
        image, number = self.image, self.number
        if image is None:
            return b""
        if self._made.get(full, (0, b""))[0] != number:
            scale = THUMBNAIL_SIDE / max(image.shape[:2])
            if not full and scale < 1.0:
                size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
                image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            quality = FULL_QUALITY if full else QUALITY
            done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            self._made[full] = number, data.tobytes() if done else b""
        return self._made[full][1]


class ShowWatch:
    """Keeps the newest of what the show sees and plays. `take` is called in one thread, the rest in another.

    Args:
        hears_only: the show makes no music: its levels and spectrogram are those of what it hears.

    Attributes:
        pictures: the newest pictures, by topic.
    """

    def __init__(self, *, hears_only: bool = False) -> None:
        self._hears_only = hears_only
        self.pictures = {"camera": SmallPicture(), "picture": SmallPicture()}
        self._columns: deque[tuple[int, list[int]]] = deque(maxlen=MOST_COLUMNS)
        self._column = 0
        self._samples = np.zeros(WINDOW, np.float32)
        self._window = np.hanning(WINDOW).astype(np.float32)
        self._edges = band_edges()
        self._motion: Motion | None = None
        self._levels: dict[str, float] = {}
        self._limited_db = 0.0
        self._tick = 0
        self._waiting: deque[Picture] = deque()
        self._shown = -1

    def take(self, inputs: Inputs) -> None:
        """Take in what has arrived."""
        camera = inputs.latest(Camera)
        if camera is not None:
            self.pictures["camera"].take(camera.image)
        self._show(inputs.all(Picture), inputs.latest(Screen))
        self._motion = inputs.latest(Motion) or self._motion
        speaker = inputs.latest(Speaker)
        if speaker is not None:
            self._levels["speaker"] = speaker.level_db
        microphones = inputs.all(Microphone)
        if microphones:
            self._levels["microphone"] = microphones[-1].level_db
        sounds = microphones if self._hears_only else inputs.all(Sound)
        for sound in sounds:
            self._hear(sound.pcm)
            self._tick = sound.tick
            if isinstance(sound, Sound):
                self._levels["music"] = decibels(sound.pcm)
                # It falls back slowly, so that a page that looks ten times a second sees the largest.
                self._limited_db = max(sound.limited_db, self._limited_db - LIMITED_FALL_DB)

    def meters(self, since_column: int) -> tuple[int, dict[str, Any]]:
        """Levels, points, flow, and the spectrogram's columns after one.

        Returns:
            The number of the newest column, and the values.
        """
        newest = self._column
        columns = [column for number, column in list(self._columns) if number > since_column]
        levels = {name: round(level, 1) for name, level in self._levels.items()}
        values: dict[str, Any] = {"type": "view", "tick": self._tick, "levels": levels, "columns": columns}
        values["limited"] = round(max(0.0, self._limited_db), 1)
        motion = self._motion
        if motion is not None:
            values["flow"] = [round(float(value), 2) for value in motion.flow.ravel()]
            values["still"] = motion.still_s
            values["instrument"] = motion.instrument
            sees_body = motion.body is not None and motion.body_score >= LEAST_SCORE
            values["body"] = _points(motion.body) if sees_body else []
            hands = [] if motion.hands is None else list(motion.hands)
            values["hands"] = [_points(hand) for hand in hands if hand[:, 2].any()]
        return newest, values

    def _show(self, pictures: Sequence[Picture], screen: Screen | None) -> None:
        """Take the newest picture that is shown by now: it was made before its sound is heard."""
        self._waiting.extend(pictures)
        self._shown = self._shown if screen is None else screen.tick
        shown = None
        while self._waiting and (self._waiting[0].tick <= self._shown or len(self._waiting) > MOST_WAITING):
            shown = self._waiting.popleft()
        if shown is not None:
            self.pictures["picture"].take(shown.image)

    def _hear(self, pcm: NDArray[np.float32]) -> None:
        """Add a tick of sound, float32 [1280], and a column of the spectrogram."""
        self._samples = np.concatenate([self._samples[TICK_SAMPLES:], pcm])
        spectrum = np.abs(np.fft.rfft(self._samples * self._window)) * (4.0 / WINDOW)
        power = np.maximum.reduceat(spectrum[: self._edges[-1]], self._edges[:-1])
        decibel = 20.0 * np.log10(power + 1e-9)
        column = np.clip(255.0 * (1.0 - decibel / FLOOR_DB), 0.0, 255.0).astype(np.uint8)
        self._column += 1
        self._columns.append((self._column, column.tolist()))


def _points(points: NDArray[np.float32] | None) -> list[list[float]]:
    return [] if points is None else [[round(float(value), 3) for value in point] for point in points]
