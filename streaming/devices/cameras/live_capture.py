"""Webcams and network cameras: a thread grabs frames, keeps the newest one, and reopens a camera that was lost."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.devices.cameras.driver_stamps import ARRIVAL, DriverStamps
from streaming.devices.cameras.frames import CameraSource, Frame, shrink
from streaming.devices.cameras.picture_watch import PictureWatch
from streaming.devices.cameras.v4l2_modes import CameraMode, choose_mode, read_modes
from streaming.errors import DeviceLostError, SourceError
from streaming.stage import Context
from streaming.timing import clock

RETRY_S = 1.0
"""Seconds between two attempts to reopen a lost camera."""
OPEN_TIMEOUT_MS = 5_000
READ_TIMEOUT_MS = 2_000
WEBCAM_OPEN_S = 10.0
URL_OPEN_S = 12.0
BUFFERS = 3
"""With one buffer the driver has none while a frame is decoded, and drops the frame that begins then. A longer queue
adds no delay, because the grabbing thread empties it."""
MAX_FAILURES = 3
"""Failed grabs in a row after which a camera counts as lost; webcams miss a single one now and then."""
MAX_ERRORS = 20
SLOW_FAILURE_NS = 1_000_000_000
"""A camera whose grab has failed after so long is lost at once: it has sent nothing in this time."""
SILENT_NS = 4_000_000_000
"""A camera whose driver has not come back for this long is lost, though the driver may still come back."""
STUCK_NS = 20_000_000_000
"""A driver that has not come back from opening or reading a camera in this time never will: a new process tries."""
_RATE_SMOOTHING = 0.05


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; of one that could not be opened `grab` gives False."""

    def grab(self) -> bool: ...  # noqa: D102
    def retrieve(self) -> tuple[bool, Any]: ...  # noqa: D102
    def get(self, prop: int, /) -> float: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


class LiveCapture(CameraSource):
    """A camera that runs on its own clock.

    The capture time is the driver's stamp where that is true (see `DriverStamps`), else that of the arrival, read right
    after `grab` and before decoding. The delay inside a network camera is not known and not included.

    Args:
        connect: opens the camera; may block (it runs in the grabbing thread).
        description: what it is, in words for the user, without passwords.
        fix: what the user can do when it cannot be opened.
        open_timeout_s: seconds for which `open` waits for the first frame; 0 to return at once and keep trying.
        now_ns: reads the clock.
        retry_s: seconds between two attempts to reopen it.
        stamped: `CAP_PROP_POS_MSEC` is the driver's stamp.
        comes_later: it is not lost before its first frame, for which `open` does not wait.
    """

    free_running = True

    def __init__(
        self,
        connect: Callable[[], Capture],
        description: str,
        fix: str,
        *,
        open_timeout_s: float = WEBCAM_OPEN_S,
        now_ns: Callable[[], int] = clock.now_ns,
        retry_s: float = RETRY_S,
        stamped: bool = False,
        comes_later: bool = False,
    ) -> None:
        self._comes_later = comes_later
        self.description = description
        self.stamps, self._stamped = ARRIVAL, stamped
        self._connect, self._fix, self._timeout_s = connect, fix, open_timeout_s
        self._now_ns, self._retry_s = now_ns, retry_s
        self._lock = threading.Lock()
        self._newest: tuple[NDArray[np.uint8], int, int] | None = None
        self._stop, self._attempted, self._got_one = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._context: Context | None = None
        self._index = -1
        self._lost_ns: int | None = None
        self._busy_ns = 0
        self._watch = PictureWatch()
        self._said_errors: set[str] = set()

    def open(self, context: Context) -> None:
        """Start the grabbing thread and wait for the first frame."""
        self._context = context
        self._thread = threading.Thread(target=self._run, name="grab", daemon=True)
        self._thread.start()
        if self._timeout_s <= 0:
            return
        self._attempted.wait(self._timeout_s)
        if not self._got_one.is_set():
            self._stop.set()
            raise SourceError("the camera gives no picture", self.description, self._fix)

    def poll(self, now_ns: int) -> Frame | None:
        """The newest frame; frames that it replaced are counted as drops.

        Raises:
            DeviceLostError: when the driver hangs.
        """
        busy_ns = self._busy_ns
        if busy_ns and clock.now_ns() - busy_ns > SILENT_NS:
            self._say_lost()
        if busy_ns and clock.now_ns() - busy_ns > STUCK_NS:
            raise DeviceLostError(f"{self.description}: the driver does not answer")
        with self._lock:
            newest, self._newest = self._newest, None
        return None if newest is None else Frame(*newest)

    def wake_ns(self) -> int | None:
        """Every second, to look after the grabbing thread, which itself wakes the stage for a frame."""
        return clock.now_ns() + 1_000_000_000

    def close(self) -> None:
        """Stop the grabbing thread; one that hangs in a driver ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.5)
            self._thread = None

    # What follows runs in the grabbing thread.

    def _run(self) -> None:
        while not self._stop.is_set():
            capture: Capture | None = None
            self._busy_ns = clock.now_ns()
            try:
                capture = self._connect()
                self._drain(capture)
            except Exception as error:
                # Drivers raise all kinds of errors; the show goes on and the camera is tried again.
                self._note_error(f"camera: {self.description}: {type(error).__name__}: {error}")
            self._say_lost()
            if capture is not None:
                capture.release()
            self._busy_ns = 0
            self._attempted.set()
            self._stop.wait(self._retry_s)

    def _drain(self, capture: Capture) -> None:
        failures, last_ns, stamps = 0, 0, DriverStamps()
        while not self._stop.is_set():
            self._busy_ns = begun_ns = clock.now_ns()
            if not capture.grab():
                failures += 1
                if failures >= MAX_FAILURES or clock.now_ns() - begun_ns > SLOW_FAILURE_NS:
                    return
                continue
            at_ns = self._now_ns()
            stamp_ms = capture.get(cv2.CAP_PROP_POS_MSEC) if self._stamped else 0.0
            good, image = capture.retrieve()
            if not good or image is None or image.size == 0:
                failures += 1
                if failures >= MAX_FAILURES:
                    return
                continue
            failures = 0
            at_ns = stamps.capture_ns(stamp_ms, at_ns)
            self.stamps, self.stamp_delay_ms = stamps.source, stamps.delay_ms
            if last_ns:
                interval_s = max(at_ns - last_ns, 1_000_000) / 1e9
                self.rate_hz = 1.0 / ((1 - _RATE_SMOOTHING) / self.rate_hz + _RATE_SMOOTHING * interval_s)
            else:
                nominal = capture.get(cv2.CAP_PROP_FPS)
                self.rate_hz = nominal if 1.0 <= nominal <= 240.0 else 25.0
            last_ns = at_ns
            self._keep(shrink(image), at_ns)

    def _keep(self, image: NDArray[np.uint8], at_ns: int) -> None:
        self._index += 1
        with self._lock:
            replaced = self._newest is not None
            self._newest = (image, self._index, at_ns)
        if self._context is None:
            return
        if replaced:
            self._context.metrics.count("drops")
        if self._lost_ns is not None:
            self._count_away(clock.now_ns())
            self._lost_ns = None
            self._context.info["away"] = False
            self._context.metrics.count("reconnects")
            self._context.metrics.count("device_back")
            self._note(f"camera back: {self.description}")
        if wrong := self._watch.look(image, at_ns):
            self._note(f"camera: {self.description}: {wrong}")
        self._got_one.set()
        self._attempted.set()
        self._context.wake()

    def _say_lost(self) -> None:
        waits = self._timeout_s <= 0 and not self._comes_later
        if self._stop.is_set() or self._context is None or not (self._got_one.is_set() or waits):
            return
        now_ns = clock.now_ns()
        if self._lost_ns is not None:
            self._count_away(now_ns)
            return
        self._lost_ns = now_ns
        self._context.info["away"] = True
        self._context.metrics.count("device_lost")
        self._note(f"camera lost: {self.description}; the last picture stays, and it is tried again every second")

    def _count_away(self, now_ns: int) -> None:
        """Count the time without a picture since the last count."""
        if self._lost_ns is not None and self._context is not None:
            self._context.metrics.count("away_ms", max(0, now_ns - self._lost_ns) // 1_000_000)
            self._lost_ns = now_ns

    def _note_error(self, line: str) -> None:
        """Say each error once, as it comes back every second."""
        if line not in self._said_errors and len(self._said_errors) < MAX_ERRORS:
            self._said_errors.add(line)
            self._note(line)

    def _note(self, line: str) -> None:
        if self._context is not None:
            self._context.metrics.note(line)
            self._context.wake()


def stable_name(device: int | str, links: str = "/dev/v4l/by-id") -> str:
    """The link that always leads to the same camera of this machine, as its number may change; "" where there is none.

    Args:
        device: its number or device file.
        links: the folder of links that udev makes.
    """
    target = os.path.realpath(device if isinstance(device, str) else f"/dev/video{device}")
    try:
        names = sorted(os.listdir(links))
    except OSError:
        return ""
    found = (os.path.join(links, name) for name in names)
    return next((link for link in found if os.path.realpath(link) == target and os.path.exists(target)), "")


def webcam(
    device: int | str,
    *,
    open_timeout_s: float = WEBCAM_OPEN_S,
    modes_of: Callable[[str], list[CameraMode]] = read_modes,
    open_capture: Callable[..., Any] = cv2.VideoCapture,  # noqa: TID251 - a device room
    links: str = "/dev/v4l/by-id",
) -> LiveCapture:
    """A camera of this machine, by its number or (Linux) its device file.

    Args:
        device: its number or file.
        open_timeout_s: see `LiveCapture`.
        modes_of: lists what the camera with a device file can send.
        open_capture: opens it with one of OpenCV's back ends.
        links: the folder of links that udev makes, by which an unplugged camera is known again.
    """
    linux = sys.platform.startswith("linux")
    # Unplugged and plugged in again a camera may get another number, and another camera its number.
    known = stable_name(device, links) if linux else ""

    def connect() -> Capture:
        nonlocal known
        silence()
        # The driver waits 10 s for a frame by default; an unplugged camera is to be noticed sooner.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
        known = known or (stable_name(device, links) if linux else "")
        path = os.path.realpath(known) if known else device if isinstance(device, str) else f"/dev/video{device}"
        mode = choose_mode(modes_of(path)) if linux else None
        opened = open_capture(path if known else device, cv2.CAP_V4L2 if linux else cv2.CAP_ANY)
        for prop, value in _properties(mode):
            opened.set(prop, value)
        capture: Capture = opened
        return capture

    name = f"webcam {device}"
    fix = "plug it in, close other programs that use it, or choose another (run_live.py doctor lists them)"
    return LiveCapture(connect, name, fix, open_timeout_s=open_timeout_s, stamped=linux)


def _properties(mode: CameraMode | None) -> list[tuple[int, float]]:
    """What to set of an opened camera, in order: OpenCV takes the format before the size, and the rate last."""
    wanted = mode or CameraMode("", 640, 480, 30.0)
    return [
        (cv2.CAP_PROP_BUFFERSIZE, BUFFERS),
        *([(cv2.CAP_PROP_FOURCC, int.from_bytes(wanted.pixels.encode(), "little"))] if wanted.pixels else []),
        (cv2.CAP_PROP_FRAME_WIDTH, wanted.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, wanted.height),
        (cv2.CAP_PROP_FPS, wanted.fps),
    ]


def network_camera(url: str, *, open_timeout_s: float = URL_OPEN_S, retry_s: float = RETRY_S) -> LiveCapture:
    """A camera behind an rtsp, http or udp address."""

    def connect() -> Capture:
        silence()
        # Each decoding thread adds one frame of delay, so there is one. This string replaces OpenCV's default options,
        # of which RTSP over TCP is kept.
        options = "fflags;nobuffer|flags;low_delay"
        if url.lower().startswith("rtsp"):
            options += "|rtsp_transport;tcp"
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = options
        params = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_TIMEOUT_MS,
            cv2.CAP_PROP_N_THREADS,
            1,
        ]
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, params)  # noqa: TID251 - a device room

    fix = "check the address and that the camera is on and reachable from here"
    return LiveCapture(connect, without_password(url), fix, open_timeout_s=open_timeout_s, retry_s=retry_s)


def open_webcam(name: str, context: Context) -> LiveCapture:
    """The webcam of a number or a device file; a restarted stage waits for it."""
    device = int(name) if name.isdecimal() else name
    return webcam(device, open_timeout_s=0.0) if "camera" in context.memo else webcam(device)


def open_network_camera(url: str, context: Context) -> LiveCapture:
    """The camera behind an address; a restarted stage waits for it."""
    return network_camera(url, open_timeout_s=0.0) if "camera" in context.memo else network_camera(url)


def without_password(url: str) -> str:
    """An address with user name and password replaced by ***."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return url.replace(parts.netloc, "***@" + parts.netloc.rpartition("@")[2], 1)


def silence() -> None:
    """Stop OpenCV and its FFmpeg from printing into the terminal."""
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
