"""Writes a film: pictures and sound in one MP4, tick by tick, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.films.film_picture import Composer, FilmShot
from streaming.devices.media import MediaError
from streaming.system.files import Existing, absolute, new_file, reason
from streaming.timing import clock

MAX_WAITING_PICTURES = 30
"""Pictures that may wait for the encoder (1.2 MB each at most); more are dropped and counted. In just over a second the
cores find the 6 ms that each takes, also on a machine that its host holds up."""
SAID_DROPS = 10
"""After so many dropped pictures it is said that the film is not complete."""
MAX_WAITING_TICKS = 1_500
"""Ticks of sound that may wait: one minute, 8 MB. A disk that is further behind ends the film."""
MAX_GAP_TICKS = 250
"""The longest gap that is filled with silence (10 s); a longer one is cut out of the film."""
CLOSE_TIMEOUT_S = 5.0
_VIDEO_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "22", "threads": "1"}
_MUXER_OPTIONS = {
    # Each second is playable by itself, so a killed process or a full disk leaves a film. At a clean end the index of
    # an ordinary MP4 is added for players that need one. delay_moov leaves out the sound encoder's 32 ms of priming.
    "movflags": "+frag_keyframe+delay_moov+hybrid_fragmented",
    "flush_packets": "1",
}


class FilmComposer(Protocol):
    """Makes the pictures of a film; called in the writing thread.

    Attributes:
        size: width and height of every picture in pixels, even numbers.
    """

    size: tuple[int, int]

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Feed the sound of the next tick, float32 [1280]."""

    def compose(self, shot: FilmShot) -> NDArray[np.uint8]:
        """The picture of the tick whose sound was fed last, uint8 [H, W, 3]."""


@dataclass(frozen=True)
class _Tick:
    pcm: NDArray[np.float32]
    shot: FilmShot | None
    """None for a tick whose picture was dropped."""


class Film:
    """A film that is being written. Its file is made with the first tick; `add` never blocks.

    Args:
        path: the MP4 to write.
        existing: what becomes of a file of that name: "number": it stays, and this one gets a number; "aside": it is
            renamed.
        pictures: makes the pictures; None for camera, flow and spectrogram side by side.
        note: says one line to the user; also called from the writing thread.
        count: adds to a counter: `frames`, `drops` (pictures), `ticks_missing`, `stopped_early`.
        observe: takes a duration in ms: `compose_ms`, `encode_ms`.
        channels: 2 for a film whose sound has a left and a right side.

    Attributes:
        path: where the film is; None before its first tick.
        stopped: why nothing more is written, "" while it is.
    """

    def __init__(
        self,
        path: Path,
        pictures: FilmComposer | None = None,
        *,
        existing: Existing = "number",
        note: Callable[[str], None],
        count: Callable[[str, int], None] = lambda name, by: None,
        observe: Callable[[str, float], None] = lambda name, value: None,
        channels: int = 1,
    ) -> None:
        self._channels = channels
        self.path: Path | None = None
        self._requested, self._existing = path, existing
        self._note, self._count, self._observe = note, count, observe
        self._queue: queue.Queue[_Tick | None] = queue.Queue(MAX_WAITING_TICKS)
        self._pictures = self._drops = 0
        self._lock = threading.Lock()
        self._next_tick: int | None = None
        self._still_path: str | None = None
        self.stopped = ""
        # The other cores belong to the instrument.
        cv2.setNumThreads(1)
        self._composer = pictures or Composer()
        self._muxer: FilmFile | None = None
        self._thread = threading.Thread(target=self._run, name="film", daemon=True)
        self._thread.start()

    def add(self, pcm: NDArray[np.float32], shot: FilmShot) -> None:
        """Append a tick; missing ticks become silence.

        Args:
            pcm: float32 [1280], or [2, 1280] for left and right.
            shot: what its picture shows.
        """
        if self.stopped:
            return
        if self._next_tick is not None:
            missing = shot.tick - self._next_tick
            if missing < 0:
                return
            self._count("ticks_missing", missing)
            for _ in range(min(missing, MAX_GAP_TICKS)):
                self._put(_Tick(np.zeros(TICK_SAMPLES, np.float32), None))
        self._next_tick = shot.tick + 1
        with self._lock:
            behind = self._pictures >= MAX_WAITING_PICTURES
            self._pictures += not behind
        if behind:
            self._count("drops", 1)
            self._drops += 1
            if self._drops == SAID_DROPS:
                self._note(
                    "the cores have no time for every picture of the film, so it lacks some; --imagination 0 paints "
                    "none anew, --record none makes no film"
                )
        self._put(_Tick(pcm, None if behind else shot))

    @property
    def waiting(self) -> int:
        """Ticks that wait for the writing thread."""
        return self._queue.qsize()

    def still(self, path: str) -> None:
        """Save the next composed picture as a PNG."""
        self._still_path = path

    def finish(self) -> None:
        """Have the waiting ticks written and the file finished; never blocks, `done` says when it is."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._stop("the disk is too slow")

    @property
    def done(self) -> bool:
        """Whether the file is finished."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Write the waiting ticks and finish the file, within 10 s."""
        try:
            self._queue.put(None, timeout=CLOSE_TIMEOUT_S if self._thread.is_alive() else 0.0)
        except queue.Full:
            self._stop("the disk is too slow")
        self._thread.join(CLOSE_TIMEOUT_S)

    def _put(self, tick: _Tick) -> None:
        try:
            self._queue.put_nowait(tick)
        except queue.Full:
            self._stop("the disk is too slow")

    def _stop(self, reason: str) -> None:
        if not self.stopped:
            self.stopped = reason
            self._count("stopped_early", 1)
            self._note(f"recording stopped: {reason}; the show goes on ({self.path or self._requested})")

    # What follows runs in the writing thread.

    def _run(self) -> None:
        try:
            while (tick := self._queue.get()) is not None and not self.stopped:
                self._muxer = self._muxer or self._begin()
                self._write(tick, self._muxer)
        except MediaError as error:
            self._stop(reason(error))
        finally:
            try:
                if self._muxer is not None:
                    self._muxer.close()
            except MediaError as error:
                self._stop(reason(error))

    def _begin(self) -> FilmFile:
        path, line = new_file(self._requested, self._existing)
        if line:
            self._note(line)
        try:
            muxer = FilmFile(path, self._composer.size, self._channels)
        except MediaError:
            path.unlink(missing_ok=True)
            raise
        self.path = path
        return muxer

    def _write(self, tick: _Tick, muxer: FilmFile) -> None:
        composer = self._composer
        start_ns = clock.now_ns()
        composer.hear(tick.pcm if tick.pcm.ndim == 1 else tick.pcm.mean(0, dtype=np.float32))
        if tick.shot is None:
            muxer.write(tick.pcm, None)
            return
        picture = composer.compose(tick.shot)
        with self._lock:
            self._pictures -= 1
        composed_ns = clock.now_ns()
        muxer.write(tick.pcm, picture)
        self._count("frames", 1)
        self._observe("compose_ms", (composed_ns - start_ns) / 1e6)
        self._observe("encode_ms", (clock.now_ns() - composed_ns) / 1e6)
        if self._still_path is not None:
            path, self._still_path = self._still_path, None
            self._save(path, picture)

    def _save(self, path: str, picture: NDArray[np.uint8]) -> None:
        try:
            good, data = cv2.imencode(".png", picture)
            new_file(path, "aside")[0].write_bytes(data.tobytes() if good else b"")
        except (OSError, ValueError) as error:
            self._note(f"the still could not be saved: {reason(error)} ({path})")


class FilmFile:
    """H.264 and AAC in a fragmented MP4; tick n of the film is shown at n × 40 ms, where its sound begins.

    Args:
        path: absolute, of an empty file that was made for it.
        size: width and height of the pictures.
        channels: of the sound, 1 or 2.
    """

    def __init__(self, path: Path, size: tuple[int, int], channels: int = 1) -> None:
        av.logging.set_level(None)
        self._layout = "mono" if channels == 1 else "stereo"
        self._channels = channels
        self._container: Any = av.open(absolute(path), "w", format="mp4", options=_MUXER_OPTIONS)
        self._video = self._container.add_stream("libx264", rate=TICKS_PER_SECOND, options=dict(_VIDEO_OPTIONS))
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.gop_size = TICKS_PER_SECOND
        self._video.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
        self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE, layout=self._layout, bit_rate=128_000)
        self._tick = 0

    def write(self, pcm: NDArray[np.float32], picture: NDArray[np.uint8] | None) -> None:
        """Append one tick."""
        if picture is not None:
            frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
            frame.pts, frame.time_base = self._tick, Fraction(1, TICKS_PER_SECOND)
            self._container.mux(self._video.encode(frame))
        sides = pcm if pcm.ndim == 2 else pcm[None]
        if sides.shape[0] > self._channels:
            sides = sides.mean(0, keepdims=True, dtype=np.float32)
        clipped = np.clip(np.broadcast_to(sides, (self._channels, sides.shape[1])), -1.0, 1.0)
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(clipped), format="fltp", layout=self._layout)
        sound.sample_rate, sound.pts = SAMPLE_RATE, self._tick * TICK_SAMPLES
        sound.time_base = Fraction(1, SAMPLE_RATE)
        self._container.mux(self._audio.encode(sound))
        self._tick += 1

    def close(self) -> None:
        """Flush the encoders and write the index."""
        try:
            if self._tick:
                self._container.mux(self._video.encode(None))
                self._container.mux(self._audio.encode(None))
        finally:
            self._container.close()


def film_path(folder: str, wall_text: str) -> Path:
    """Where the film goes: `antiphon-20261122-041200.mp4`; what follows a restart of the stage gets a number."""
    return Path(folder) / f"antiphon-{wall_text}.mp4"
