"""A video file as a camera: a thread decodes a few frames ahead, and its own timestamps pace it in real time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av.stream
import numpy as np
from numpy.typing import NDArray

from streaming.devices.cameras.catch_up import CatchUp
from streaming.devices.cameras.frame_reader import FrameReader
from streaming.devices.cameras.frames import STILL_NS, CameraSource, Frame, fitted_size, upright
from streaming.devices.media import MediaError, open_media
from streaming.errors import SourceError
from streaming.stage import Context
from streaming.system.files import check_input, reason
from streaming.timing import clock

AHEAD = 4
"""Decoded frames that may wait: 160 ms at 25 fps, and 2.8 MB at 640x360."""
OPEN_TIMEOUT_S = 20.0
"""Seconds until the first two frames must be decoded; a long group of 4K pictures takes 2 s."""
MAX_RATE_HZ = 31.0
"""Files with more frames per second are thinned out evenly, because a tick uses one frame."""


@dataclass(frozen=True)
class _DecodedFrame:
    image: NDArray[np.uint8]
    index: int
    time_ns: int
    """Time since the source's time 0, over all repetitions."""
    pass_ns: int
    """Time at which its repetition began."""


class VideoFile(CameraSource):
    """Plays a file; before `start` its first frame is repeated at 25 fps.

    Args:
        path: any container and codec that FFmpeg reads.
        looping: repeat the file instead of finishing at its end.
        skip_ns: where in the file to begin, for a restarted stage.
        now_ns: reads the clock, so that a file which is decoded slower than it plays is shown in time, with pictures
            left out; None to show every picture.
    """

    def __init__(
        self, path: str, *, looping: bool = False, skip_ns: int = 0, now_ns: Callable[[], int] | None = None
    ) -> None:
        self.description = path
        self._path, self._looping, self._skip_ns = path, looping, max(0, skip_ns)
        self._queue: queue.Queue[_DecodedFrame] = queue.Queue(AHEAD)
        self._head: _DecodedFrame | None = None
        self._stop, self._is_open, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._error: SourceError | None = None
        self._thread: threading.Thread | None = None
        self._context: Context | None = None
        self._origin_ns: int | None = None
        self._still_ns = 0
        self._end_ns = 0
        self._count = 0
        self._now_ns, self._catch_up = now_ns, CatchUp()
        self._shown_ns: int | None = None
        self._said_slow = False

    def open(self, context: Context) -> None:
        """Check the file, start the decoding thread, and wait for the first two frames."""
        check_input(self._path, "--camera", "the path of a video, or performer")
        self._context = context
        self._still_ns = context.now_ns
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()
        if not self._is_open.wait(OPEN_TIMEOUT_S):
            raise SourceError(
                f"no picture could be decoded in {OPEN_TIMEOUT_S:.0f} s",
                self._path,
                "convert it: ffmpeg -i FILE out.mp4",
            )
        if self._error is not None:
            raise self._error

    def start(self, origin_ns: int, now_ns: int) -> None:
        """Time 0 of the file is `origin_ns`."""
        self._origin_ns = self.resume_ns = origin_ns

    def shift(self, by_ns: int) -> bool:
        """Shift the file's time, once it runs."""
        if self._origin_ns is None:
            return False
        self._origin_ns += by_ns
        self.resume_ns += by_ns
        return True

    def poll(self, now_ns: int) -> Frame | None:
        """The newest frame whose time has come; skipped frames are counted as drops."""
        if self._context is None:
            return None
        head = self._peek()
        if self._origin_ns is None:
            if head is None or now_ns < self._still_ns:
                return None
            at_ns, self._still_ns = self._still_ns, now_ns + STILL_NS - (now_ns - self._still_ns) % STILL_NS
            return Frame(head.image, head.index, max(at_ns, now_ns - STILL_NS))
        newest: _DecodedFrame | None = None
        passed = 0
        while head is not None and self._origin_ns + head.time_ns <= now_ns:
            passed += newest is not None
            newest, self._head = head, None
            head = self._peek()
        if passed:
            self._context.metrics.count("drops", passed)
        if newest is None:
            if (
                head is None
                and self._ended.is_set()
                and now_ns >= self._origin_ns + self._end_ns
                and self._queue.empty()
            ):
                self.finished = "the file ended"
            return None
        self.resume_ns = self._origin_ns + newest.pass_ns
        return Frame(newest.image, newest.index, self._origin_ns + newest.time_ns)

    def wake_ns(self) -> int | None:
        """When the next frame is due; None after the end, and while the decoder is behind (it wakes the stage)."""
        head = self._peek()
        if self._origin_ns is None:
            return self._still_ns if head is not None else None
        if head is not None:
            return self._origin_ns + head.time_ns
        return self._origin_ns + self._end_ns if self._ended.is_set() and not self.finished else None

    @property
    def ahead(self) -> int:
        """Decoded frames that wait for their time."""
        return self._queue.qsize() + (self._head is not None)

    def close(self) -> None:
        """Stop the decoding thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None

    def _peek(self) -> _DecodedFrame | None:
        if self._head is None:
            try:
                self._head = self._queue.get_nowait()
            except queue.Empty:
                return None
        return self._head

    # What follows runs in the decoding thread.

    def _run(self) -> None:
        try:
            pass_ns = 0
            while not self._stop.is_set():
                pass_end_ns = self._play_once(pass_ns)
                if pass_end_ns == 0 and self._skip_ns:
                    self._skip_ns = 0
                    continue
                if not self._looping or pass_end_ns <= pass_ns:
                    break
                pass_ns = pass_end_ns
        except SourceError as error:
            self._error = error
        except MediaError as error:
            self._error = SourceError(
                f"cannot be read as a video ({reason(error)})", self._path, "convert it: ffmpeg -i FILE out.mp4"
            )
        finally:
            if self._error is not None and self._is_open.is_set():
                self._note(f"camera: {self._error}")
            self._ended.set()
            self._is_open.set()
            if self._context is not None:
                self._context.wake()

    def _play_once(self, pass_ns: int) -> int:
        """Decode the file once and queue its frames; gives the time at which the next repetition begins."""
        with open_media(self._path) as container:
            stream = _video_stream(container, self._path)
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            rate = _rate_of(stream)
            stride = max(1, round(rate / 30.0)) if rate > MAX_RATE_HZ else 1
            self.rate_hz = rate / stride if rate else 25.0
            aspect = float(stream.codec_context.sample_aspect_ratio or 1)
            declared_s = _declared_s(container, stream)
            seek_ns = self._skip_ns if pass_ns == 0 else 0
            reader = FrameReader(container, stream, rate, self._path, seek_ns, self._note)
            for index, time_ns, frame in reader:
                if self._stop.is_set():
                    return pass_ns
                self._end_ns = pass_ns + time_ns + reader.interval_ns
                if self._end_ns <= self._skip_ns or index % stride:
                    continue
                if not self._is_shown(reader, pass_ns + time_ns, stream):
                    continue
                self._put(_DecodedFrame(_to_bgr(frame, aspect), index, pass_ns + time_ns, pass_ns))
            if pass_ns == 0 and not reader.sought:
                self._check_pass(reader, declared_s)
        return self._end_ns

    def _is_shown(self, reader: FrameReader, time_ns: int, stream: Any) -> bool:
        """Whether a frame is shown; where the decoder is behind it leaves out frames, which are counted as drops."""
        if self._now_ns is None or self._origin_ns is None:
            return True
        catch_up, rate_hz = self._catch_up, self.rate_hz
        shown = catch_up.shows(self._origin_ns + time_ns, self._now_ns())
        reader.skip(catch_up.skip)
        if not shown:
            return False
        last_ns, self._shown_ns = self._shown_ns, time_ns
        if not catch_up.behind or last_ns is None or self._context is None:
            return True
        self._context.metrics.count("drops", max(0, round((time_ns - last_ns) * rate_hz / 1e9) - 1))
        if catch_up.skip == "NONKEY" and not self._said_slow:
            self._said_slow = True
            what = f"{stream.width}x{stream.height} at {_rate_of(stream):.0f} Hz"
            self._note(
                f"camera: {self._path}: this machine decodes it too slowly ({what}): pictures are left out; make it "
                "smaller: ffmpeg -i FILE -vf scale=1280:-2 -r 25 out.mp4"
            )
        return True

    def _note(self, line: str) -> None:
        if self._context is not None:
            self._context.metrics.note(line)

    def _check_pass(self, reader: FrameReader, declared_s: float | None) -> None:
        if reader.decoded == 0:
            raise SourceError("none of its pictures can be decoded", self._path, "convert it: ffmpeg -i FILE out.mp4")
        if reader.taken == 1:
            if reader.decoded > 1:
                raise SourceError(
                    "all its pictures have the same time (0 frames a second)",
                    self._path,
                    "give it a rate: ffmpeg -r 25 -i FILE out.mp4",
                )
            raise SourceError("has a single picture and is no video", self._path, "give --camera a video")
        played_s = self._end_ns / 1e9
        cut_short = not reader.jumped and declared_s is not None and played_s < declared_s - max(0.5, 0.05 * declared_s)
        if cut_short or reader.damaged:
            of = f" of {declared_s:.1f}" if declared_s else ""
            self._note(f"camera: {self._path}: damaged or cut short; {played_s:.1f}{of} s of it can be played")

    def _put(self, item: _DecodedFrame) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            self._count += 1
            if self._count == 2 or (self._count == 1 and self._skip_ns > 0):
                self._is_open.set()
            if self._queue.qsize() == 1 and self._context is not None:
                self._context.wake()
            return


def _video_stream(container: Any, path: str) -> Any:
    # FFmpeg presents a song's cover as a video stream.
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None
    ]
    if not streams:
        what = "has sound but no video" if container.streams.audio else "has no video"
        raise SourceError(what, path, "give --camera a file with pictures")
    return streams[0]


def _rate_of(stream: Any) -> float:
    """Frames per second; 0.0 where the file states none, or an impossible one (its time base, for example)."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.01 <= float(rate) <= 500.0:
            return float(rate)
    return 0.0


def _declared_s(container: Any, stream: Any) -> float | None:
    """Length of the video in seconds as the file states it, None where it does not."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        pass
    if container.duration and not container.streams.audio:
        return float(container.duration) / 1e6
    return None


def _to_bgr(frame: Any, pixel_aspect: float) -> NDArray[np.uint8]:
    """Reduce and convert in one pass of swscale (1.5 ms from 1280x720 to 640x360), then turn it upright."""
    width, height = fitted_size(frame.width, frame.height, pixel_aspect)
    image = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA").to_ndarray()
    return upright(image, frame.rotation)


def open_file(path: str, context: Context) -> VideoFile:
    """A video file; a show of a set duration repeats it, and a restarted stage goes on where it was."""
    origin_ns = int(context.memo.get("origin_ns", 0))
    skip_ns = context.now_ns - origin_ns if origin_ns else 0
    looping = context.show.duration_s is not None
    return VideoFile(path, looping=looping, skip_ns=skip_ns, now_ns=clock.now_ns)
