"""A network stream as a screen: H.264, sent to an RTSP server such as MediaMTX, or by UDP to whoever listens."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from streaming.conventions import TICKS_PER_SECOND
from streaming.devices.cameras.live_capture import without_password
from streaming.devices.media import MediaError
from streaming.devices.screens.device import Count, Image, Note, NullScreen
from streaming.system.files import reason
from streaming.system.realtime import take_normal_priority

RETRY_S = 1.0
"""Between two attempts to reach the server."""
ANSWER_S = 5.0
"""In which the server must answer."""
CLOSE_S = 2.0
FORMATS = {"rtsp": "rtsp", "udp": "mpegts"}
_ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "threads": "1"}


class StreamScreen(NullScreen):
    """A stream of the pictures; a thread encodes the newest one and sends it.

    A server that cannot be reached is tried again every second; the show goes on meanwhile.

    Args:
        url: where it goes: `rtsp://HOST:PORT/PATH` or `udp://HOST:PORT`.
        note: says one line to the user.
        count: adds to a counter: `drops`, `device_lost`, `device_back`.
    """

    def __init__(self, url: str, note: Note = lambda line: None, count: Count = lambda name, by: None) -> None:
        self.name = without_password(url)
        self._url, self._note, self._count = url, note, count
        self._filled, self._stop = threading.Event(), threading.Event()
        self._newest: tuple[int, Image] | None = None
        self._is_lost = self._was_there = False
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def show(self, tick: int, picture: Image) -> None:
        """Make this the next picture to be sent; one that was not sent yet is dropped and counted."""
        if self._newest is not None and self._was_there and not self._is_lost:
            self._count("drops", 1)
        self._newest = (tick, picture)
        self._filled.set()

    def close(self) -> None:
        """End the stream; may be called twice."""
        self._stop.set()
        self._filled.set()
        self._thread.join(CLOSE_S)

    # What follows runs in the sending thread.

    def _run(self) -> None:
        take_normal_priority()
        av.logging.set_level(None)
        while not self._stop.is_set():
            first = self._take()
            if first is None:
                continue
            try:
                self._send_all(*first)
            except MediaError as error:
                if not self._is_lost:
                    self._is_lost = True
                    self._count("device_lost", 1)
                    self._note(f"the stream to {self.name} is lost ({reason(error)}); it is tried again every second")
                self._stop.wait(RETRY_S)

    def _take(self) -> tuple[int, Image] | None:
        """The newest picture that was not sent yet; None for none within a second."""
        self._filled.wait(1.0)
        self._filled.clear()
        newest, self._newest = self._newest, None
        return newest

    def _send_all(self, first_tick: int, picture: Image) -> None:
        """Send pictures of one size until there is another size, or the end."""
        size = picture.shape[1] & ~1, picture.shape[0] & ~1
        scheme = self._url.partition(":")[0].lower()
        options = {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}
        container: Any = av.open(self._url, "w", format=FORMATS[scheme], options=options, timeout=ANSWER_S)
        try:
            video = container.add_stream("libx264", rate=TICKS_PER_SECOND, options=dict(_ENCODER))
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            video.codec_context.gop_size = TICKS_PER_SECOND
            video.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
            at, last = first_tick, first_tick - 1
            while not self._stop.is_set():
                if at > last and (picture.shape[1] & ~1, picture.shape[0] & ~1) != size:
                    return
                if at > last:
                    whole = np.ascontiguousarray(picture[: size[1], : size[0]])
                    frame = av.VideoFrame.from_ndarray(cv2.cvtColor(whole, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
                    frame.pts, frame.time_base, last = at - first_tick, Fraction(1, TICKS_PER_SECOND), at
                    container.mux(video.encode(frame))
                    self._say_sent()
                at, picture = self._take() or (last, picture)
        finally:
            container.close()

    def _say_sent(self) -> None:
        self._was_there = True
        if self._is_lost:
            self._is_lost = False
            self._count("device_back", 1)
            self._note(f"the stream to {self.name} is back")


def open_stream(url: str, note: Note, count: Count) -> StreamScreen:
    """A stream to an address."""
    note(f"the pictures go to {without_password(url)}")
    return StreamScreen(url, note, count)
