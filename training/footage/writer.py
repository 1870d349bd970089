"""Writes a data set's videos: H.264 at exactly 25 fps and FLAC at 44.1 kHz, in Matroska."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND
from streaming.system.files import absolute
from training.footage.reader import MASTER_RATE, MASTER_TICK


class MediaWriter:
    """Writes one file tick by tick; it is complete or absent.

    Args:
        path: the file.
        sound: float32 [1 or 2, 1764 T] at 44.1 kHz.
    """

    def __init__(self, path: Path, sound: NDArray[np.float32]) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._sound = np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)
        self._layout = "mono" if sound.shape[0] == 1 else "stereo"
        self._container: Any = av.open(absolute(self._part), "w", format="matroska")
        self._video: Any = self._container.add_stream("libx264", rate=TICKS_PER_SECOND)
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": "18", "preset": "veryfast"}
        self._video.gop_size = TICKS_PER_SECOND
        self._video.codec_context.thread_count = 1
        self._audio: Any = self._container.add_stream("flac", rate=MASTER_RATE, layout=self._layout)
        self._audio.codec_context.format = "s16"
        self._count = 0

    def write(self, image: NDArray[np.uint8]) -> None:
        """Write the next tick: a frame uint8 [H, W, 3] BGR and its sound; the first frame sets the size, made even."""
        if self._count == 0:
            self._video.width, self._video.height = max(2, image.shape[1] // 2 * 2), max(2, image.shape[0] // 2 * 2)
        height, width = self._video.height, self._video.width
        if image.shape[0] < height or image.shape[1] < width:
            image = np.pad(image, ((0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0)))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="bgr24")
        frame.pts, frame.time_base = self._count, Fraction(1, TICKS_PER_SECOND)
        first = self._count * MASTER_TICK
        block = np.ascontiguousarray(self._sound[:, first : first + MASTER_TICK].T).reshape(1, -1)
        sound = av.AudioFrame.from_ndarray(block, format="s16", layout=self._layout)
        sound.sample_rate, sound.pts, sound.time_base = MASTER_RATE, first, Fraction(1, MASTER_RATE)
        self._count += 1
        self._container.mux(self._video.encode(frame))
        self._container.mux(self._audio.encode(sound))

    def _finish(self) -> None:
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))

    def __enter__(self) -> MediaWriter:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or remove it after an error."""
        try:
            if kind is None:
                self._finish()
            self._container.close()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)
