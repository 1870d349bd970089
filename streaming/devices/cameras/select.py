"""Chooses the camera that `--camera` names: webcam, file, address, synthetic performer, or the first there is."""

from __future__ import annotations

import glob
import re
import sys
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.devices.cameras.frames import STILL_NS, CameraSource, Frame
from streaming.devices.cameras.live_capture import network_camera, webcam
from streaming.devices.cameras.video_file import VideoFile
from streaming.errors import SourceError
from streaming.stage import Context

PERFORMER_SIZE = (640, 480)
PERFORMER_RATE_HZ = 25
PERFORMANCE_S = 600.0
"""Length of the synthetic performance when the show has no duration; it then begins again."""
AUTO_OPEN_S = 4.0
AUTO_DEVICES = 4
"""How many webcams `auto` tries."""
RENDER_AHEAD_NS = STILL_NS // 2
_URL = re.compile(r"^(rtsp|rtsps|rtmp|http|https|udp|tcp|srt|rtp)://", re.IGNORECASE)


class Performer(Protocol):
    """What is used of a synthetic performer."""

    def frame(self, t_s: float) -> NDArray[np.uint8]:
        """The picture at a time: uint8 BGR [H, W, 3]."""


class PerformerCamera(CameraSource):
    """A synthetic performer before a camera of exactly 25 fps.

    A frame is rendered in the half tick before its capture time and handed out when that time has come, as a sensor
    would: the drawing belongs to the world, not to the instrument's latency. Before `start` the performer stands still.

    Args:
        performer: what is filmed.
        description: what it is, for people.
        length_s: the performance begins again after this time.
    """

    rate_hz = float(PERFORMER_RATE_HZ)

    def __init__(self, performer: Performer, description: str, length_s: float) -> None:
        self.description = description
        self._performer = performer
        self._length = max(1, round(length_s * PERFORMER_RATE_HZ))
        self._playing = False
        self._index = 0
        self._ready: NDArray[np.uint8] | None = None
        self._context: Context | None = None

    def open(self, context: Context) -> None:
        """Draw the standing performer."""
        self._context = context
        self.resume_ns = context.now_ns
        self._still = self._performer.frame(0.0).copy()

    def start(self, origin_ns: int, now_ns: int) -> None:
        """The performance begins at `origin_ns`."""
        self.resume_ns, self._playing, self._ready = origin_ns, True, None
        self._index = max(0, -(-(now_ns - origin_ns) // STILL_NS))

    def shift(self, by_ns: int) -> bool:
        """Move the performance."""
        self.resume_ns += by_ns
        return True

    def poll(self, now_ns: int) -> Frame | None:
        """The frame whose time has come; when late, the newest one."""
        due_ns = self._due_ns()
        if now_ns < due_ns:
            if self._ready is None and now_ns >= due_ns - RENDER_AHEAD_NS:
                self._ready = self._render(self._index)
            return None
        newest = (now_ns - self.resume_ns) // STILL_NS
        if newest > self._index:
            if self._playing and self._context is not None:
                self._context.metrics.count("drops", newest - self._index)
            self._index, self._ready = newest, None
        image = self._ready if self._ready is not None else self._render(newest)
        self._index, self._ready = newest + 1, None
        return Frame(image, newest if self._playing else 0, self.resume_ns + newest * STILL_NS)

    def wake_ns(self) -> int | None:
        """Half a tick before the next frame to draw it, then at its time."""
        due_ns = self._due_ns()
        return due_ns if self._ready is not None else due_ns - RENDER_AHEAD_NS

    def close(self) -> None:
        """Nothing to release."""

    def _due_ns(self) -> int:
        return self.resume_ns + self._index * STILL_NS

    def _render(self, index: int) -> NDArray[np.uint8]:
        if not self._playing:
            return self._still
        return self._performer.frame((index % self._length) / PERFORMER_RATE_HZ)


def open_camera(context: Context) -> CameraSource:
    """Open the camera that the show names.

    A restarted stage finds in `context.memo` what it had chosen (`camera`) and where it was (`origin_ns`), and waits
    for a live camera that is gone instead of giving up.

    Raises:
        SourceError: when it cannot be used.
    """
    # The other cores belong to the instrument.
    cv2.setNumThreads(1)
    name = str(context.memo.get("camera") or context.show.camera)
    if name == "auto":
        source, name = _first_camera(context)
    else:
        source = _source(name, context)
        try:
            source.open(context)
        except BaseException:
            source.close()
            raise
    context.memo["camera"] = name
    return source


def _source(name: str, context: Context) -> CameraSource:
    restarted = "camera" in context.memo
    if name.partition(":")[0].partition("@")[0] == "performer":
        return _performer(name, context)
    if name.isdecimal() or name.startswith("/dev/video"):
        device = int(name) if name.isdecimal() else name
        return webcam(device, open_timeout_s=0.0) if restarted else webcam(device)
    if _URL.match(name):
        return network_camera(name, open_timeout_s=0.0) if restarted else network_camera(name)
    if not name:
        raise SourceError("no camera is named", "--camera", "use auto, a number, a file, an address or performer")
    origin_ns = int(context.memo.get("origin_ns", 0))
    skip_ns = context.now_ns - origin_ns if origin_ns else 0
    return VideoFile(name, looping=context.show.duration_s is not None, skip_ns=skip_ns)


def _performer(name: str, context: Context) -> PerformerCamera:
    # Only here: no other camera needs the drawing code.
    from performers.performer import SyntheticPerformer, UnknownPerformerError, parse_performer

    try:
        kind, seed = parse_performer(name)
    except UnknownPerformerError as error:
        raise SourceError(*error.args) from error
    length_s = context.show.duration_s or PERFORMANCE_S
    seed = context.show.seed if seed is None else seed
    performer = SyntheticPerformer(kind, seed, size=PERFORMER_SIZE, duration_s=length_s)
    return PerformerCamera(performer, f"performer:{performer.kind}@{seed}", length_s)


def webcams() -> list[int]:
    """The webcams worth trying, without opening any: on Linux the device files there are, elsewhere the first ones."""
    if sys.platform.startswith("linux"):
        found = [
            int(path.removeprefix("/dev/video")) for path in glob.glob("/dev/video[0-9]*") if path[10:].isdecimal()
        ]
        return sorted(found)[:AUTO_DEVICES]
    return [0, 1]


def _first_camera(context: Context) -> tuple[CameraSource, str]:
    for device in webcams():
        source = webcam(device, open_timeout_s=AUTO_OPEN_S)
        try:
            source.open(context)
        except SourceError:
            source.close()
            continue
        return source, str(device)
    performer = _performer("performer", context)
    performer.open(context)
    context.note(f"no webcam was found: {performer.description} plays (choose with --camera)")
    return performer, "performer"
