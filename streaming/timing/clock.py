"""The only file that reads a clock: monotonic time, absolute sleeps, the audio device's clock, spinning cores."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator

from streaming.conventions import SAMPLE_RATE
from streaming.errors import StageError

_BUCKET_S = 0.25
_WINDOW_BUCKETS = 64
"""16 s of history: at a drift of 1 ppm per second the curvature within it is 0.1 ms."""
_MIN_SPAN_S = 1.0
"""A rate is estimated from this much history on; before, the last known one is used."""
_MAX_SLOPE = 2e-3
"""No device is further off than 2,000 ppm."""
_STEP_S = 2e-3
"""Later than the estimate by more than this, for `_STEP_AFTER_S` on end: the device has paused. Earlier: it jumped."""
_STEP_AFTER_S = 1.0
_SLEW_S = 0.5
"""A correction is spread over this time, so that the clock has no steps."""
_JUMP_S = 5e-3
"""A correction larger than this is made at once."""


def now_ns() -> int:
    """Monotonic time in nanoseconds; on Linux and macOS the same clock for every process of the machine."""
    return time.monotonic_ns()


def sleep_until(deadline_ns: int) -> None:
    """Sleep until an absolute monotonic time; returns at once when it has passed."""
    while (remaining_ns := deadline_ns - time.monotonic_ns()) > 0:
        time.sleep(remaining_ns / 1e9)


def wall_seconds(at_ns: int) -> float:
    """The wall-clock time of a monotonic time, in seconds since 1970: for stamps that other programs understand."""
    return time.time() - (time.monotonic_ns() - at_ns) / 1e9


def wall_text() -> str:
    """Wall-clock time as `20261122-041200`, for the names of files only: people look for them by date and hour."""
    return datetime.datetime.now().strftime("%Y%m%d-%H%M%S")


class DeviceClock:
    """A smooth clock from noisy observations of an audio device.

    An observation is a position p and the time t by which it had been reached. It is never early but often late, by a
    scheduling delay, so the truth is the lower envelope of the observations. The envelope is the line under all points
    that lies closest to them: the edge of their lower convex hull over the centroid (Moon, Skelly, Towsley 1999,
    "Estimation and removal of clock skew from network delay measurements"). Points are the minima of 0.25 s buckets,
    so memory is constant. Corrections are then slewed, as a delay-locked loop does (Adriaensen 2005, "Using a DLL to
    filter time"), so that the clock never steps back and has no jumps of its own.

    Args:
        rate_hz: the nominal rate in positions per second.
    """

    def __init__(self, rate_hz: float = SAMPLE_RATE) -> None:
        if rate_hz <= 0:
            raise ValueError(f"rate_hz must be positive, not {rate_hz}")
        self._nominal = float(rate_hz)
        self._slope = 0.0
        self._count = 0
        self._restart(0, 0)

    def _restart(self, position: int, at_ns: int) -> None:
        # x: seconds of positions at the nominal rate; r: the time beyond that (lateness plus drift), in seconds.
        self._origin, self._origin_ns = position, at_ns
        self._buckets: deque[tuple[float, float]] = deque(maxlen=_WINDOW_BUCKETS)
        self._bucket_index = -1
        self._late_since: float | None = None
        self._settled_at = 0.0
        self._x = -1.0
        self._line = (0.0, 0.0)
        self._out = (0.0, 0.0, 0.0)

    @property
    def ready(self) -> bool:
        """True once there is an observation, so that times can be asked for."""
        return self._count > 0

    @property
    def rate_hz(self) -> float:
        """The device's measured rate in positions per second of monotonic time; the nominal one at first."""
        return self._nominal / (1.0 + self._slope)

    def observe(self, position: int, at_ns: int) -> None:
        """Add an observation: `position` had been reached by `at_ns`. A decreasing position restarts the clock."""
        x = (position - self._origin) / self._nominal
        if self._count == 0 or x < self._x:
            self._restart(position, at_ns)
            x = 0.0
        self._count += 1
        self._x = x
        r = (at_ns - self._origin_ns) / 1e9 - x
        if len(self._buckets) == 0:
            self._anchor(x, r)
            return
        late = r - self._line_at(x)
        if late < -_STEP_S and x - self._settled_at > _STEP_AFTER_S:
            self._anchor(x, r)
            return
        if late <= _STEP_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = x
        new_bucket = self._put(x, r)
        if self._late_since is not None and x - self._late_since > _STEP_AFTER_S:
            self._forget_before(self._late_since)
            self._late_since = None
            new_bucket = True
        if new_bucket or late < 0.0:
            self._fit()
        self._slew(x)

    def time_of(self, position: float) -> int:
        """The monotonic time in ns at which the device reaches a position (past or future).

        Raises:
            StageError: before the first observation.
        """
        self._need()
        x = (position - self._origin) / self._nominal
        return self._origin_ns + round((x + self._out_at(x)) * 1e9)

    def position_at(self, at_ns: int) -> float:
        """The position that the device has reached at a monotonic time; the inverse of `time_of`.

        Raises:
            StageError: before the first observation.
        """
        self._need()
        u = (at_ns - self._origin_ns) / 1e9
        x0, r0, error = self._out
        slope = self._slope
        x = x0 + (u - x0 - r0) / (1.0 + slope)
        if x > x0:
            x = x0 + (u - x0 - r0) / (1.0 + slope + error / _SLEW_S)
            if x > x0 + _SLEW_S:
                x = x0 + (u - x0 - r0 - error) / (1.0 + slope)
        return self._origin + x * self._nominal

    def _need(self) -> None:
        if self._count == 0:
            raise StageError("the device clock was asked before its first observation")

    def _line_at(self, x: float) -> float:
        x0, r0 = self._line
        return r0 + self._slope * (x - x0)

    def _out_at(self, x: float) -> float:
        x0, r0, error = self._out
        return r0 + self._slope * (x - x0) + error * min(max((x - x0) / _SLEW_S, 0.0), 1.0)

    def _anchor(self, x: float, r: float) -> None:
        """Discard the history, keep the rate, and restart at one point."""
        self._buckets.clear()
        self._bucket_index = -1
        self._late_since = None
        self._settled_at = x
        self._put(x, r)
        self._line = (x, r)
        self._out = (x, r, 0.0)

    def _put(self, x: float, r: float) -> bool:
        """Add a point to its bucket, which keeps the earliest; True when that began a new bucket."""
        index = int(x / _BUCKET_S)
        if index != self._bucket_index:
            self._bucket_index = index
            self._buckets.append((x, r))
            return True
        x0, r0 = self._buckets[-1]
        if r - self._slope * x < r0 - self._slope * x0:
            self._buckets[-1] = (x, r)
        return False

    def _forget_before(self, x: float) -> None:
        while len(self._buckets) > 1 and self._buckets[0][0] < x:
            self._buckets.popleft()

    def _fit(self) -> None:
        """Fit the line below all points that is closest to them."""
        points = self._buckets
        slope = self._slope
        if points[-1][0] - points[0][0] >= _MIN_SPAN_S:
            middle = sum(x for x, _ in points) / len(points)
            slope = _slope_over(_lower_hull(points), middle)
            slope = min(max(slope, -_MAX_SLOPE), _MAX_SLOPE)
        x0, r0 = min(points, key=lambda point: point[1] - slope * point[0])
        here = self._out_at(self._x)
        self._line, self._slope = (x0, r0), slope
        self._out = (self._x, here, 0.0)

    def _slew(self, x: float) -> None:
        """Aim the output at the line: at once while young or far off, else within `_SLEW_S`."""
        target, here = self._line_at(x), self._out_at(x)
        error = target - here
        if x - self._settled_at < _STEP_AFTER_S or abs(error) > _JUMP_S:
            self._out = (x, target, 0.0)
        else:
            self._out = (x, here, error)


def _lower_hull(points: deque[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lower convex hull of points in order of x (Andrew's monotone chain)."""
    hull: list[tuple[float, float]] = []
    for x, r in points:
        while len(hull) >= 2:
            (xa, ra), (xb, rb) = hull[-2], hull[-1]
            if (rb - ra) * (x - xa) < (r - ra) * (xb - xa):
                break
            hull.pop()
        hull.append((x, r))
    return hull


def _slope_over(hull: list[tuple[float, float]], middle: float) -> float:
    """The slope of the hull's edge that spans `middle`."""
    for (xa, ra), (xb, rb) in itertools.pairwise(hull):
        if xb >= middle:
            return (rb - ra) / (xb - xa)
    return 0.0


# The pipe on stdin ends with the parent, however it dies; the parent's id is a second witness where another child of
# the parent has inherited the pipe.
_SPINNER = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
if hasattr(os, "nice"):
    os.nice(19)
def watch():
    os.read(0, 1)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(200000):
        pass
"""


@contextlib.contextmanager
def keep_awake(cores: int | None = None) -> Iterator[None]:
    """Keep every core from halting, with one spinner process per core at nice 19, while the context lasts.

    An idle virtual machine wakes up to 100 ms late, a laptop's power states do the same on a smaller scale. The
    spinners yield to everything, and end with their parent even when it is killed with `kill -9`.

    Args:
        cores: how many spinners; None for one per core that this process may use.
    """
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    command = [sys.executable, "-S", "-E", "-c", _SPINNER, str(os.getpid())]
    spinners: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(cores):
            spinner = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0
            )
            spinners.append(spinner)
        yield
    finally:
        for spinner in spinners:
            if spinner.stdin is not None:
                spinner.stdin.close()
            spinner.kill()
        for spinner in spinners:
            spinner.wait()
