"""The phase of a camera that runs on its own clock against the ticks, and how fast it drifts. It reads no clock."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from streaming.conventions import TICK_NS, TICKS_PER_SECOND

RATES_HZ = (10, 15, 20, 24, 25, 30, 48, 50, 60, 75, 90, 100, 120)
"""The rates that cameras are made for; one that sends 29.97 frames a second is a slow one of 30."""
NEAR = 0.02
"""A camera has one of these rates when it is off by less than this share."""
SPACING_NS = 100_000_000
POINTS = 600
"""A minute of frames, one in `SPACING_NS`."""
MOST_TICKS = 250
"""A longer gap in the ticks begins anew."""
LEAST_S = 5.0
"""No drift is given before so many seconds."""


class CameraPhase:
    """Estimates phase and drift from the capture times of frames and the times of the ticks.

    Attributes:
        phase_ms: how long after the start of a tick at the speaker frames are captured, modulo `step_ms`; None while
            unknown.
        drift_ppm: by how much the camera is slower than its nominal rate, by the audio device's clock, in parts per
            million: so many microseconds a second the phase grows. None while unknown.
        step_ms: frames come at phases that are multiples of this apart: 40 ms at 25 frames a second, 6.7 at 30.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as after the camera was lost."""
        self.phase_ms: float | None = None
        self.drift_ppm: float | None = None
        self.step_ms: float | None = None
        # (number of the frame, when it was captured in ns)
        self._points: deque[tuple[int, int]] = deque(maxlen=POINTS)
        self._count = self._last_ns = 0
        self._rate = 0
        self._ticks: deque[tuple[int, int]] = deque(maxlen=POINTS)
        self._tick_ns = float(TICK_NS)

    def observe_tick(self, tick: int, dac_ns: int) -> None:
        """Take in when a tick's first sample leaves the speaker, by the device's clock."""
        if self._ticks and not 0 <= tick - self._ticks[-1][0] <= MOST_TICKS:
            self._ticks.clear()
        if not self._ticks or dac_ns - self._ticks[-1][1] >= SPACING_NS:
            self._ticks.append((tick, dac_ns))
        first, last = self._ticks[0], self._ticks[-1]
        if last[1] - first[1] >= LEAST_S * 1e9:
            self._tick_ns = (last[1] - first[1]) / (last[0] - first[0])

    def observe_frame(self, capture_ns: int, rate_hz: float) -> None:
        """Take in a frame's capture time, and the camera's rate as far as it is known."""
        rate = min(RATES_HZ, key=lambda known: abs(rate_hz - known))
        if abs(rate_hz / rate - 1.0) > NEAR:
            return
        interval_ns = 1e9 / rate
        passed = round((capture_ns - self._last_ns) / interval_ns)
        if rate != self._rate or not self._points or not 0 < passed <= 2 * rate:
            self._restart(capture_ns, rate)
            return
        self._count += passed
        self._last_ns = capture_ns
        if capture_ns - self._points[-1][1] >= SPACING_NS:
            self._points.append((self._count, capture_ns))
            self._estimate()

    def _restart(self, capture_ns: int, rate: int) -> None:
        self._points.clear()
        self._points.append((0, capture_ns))
        self._count, self._last_ns, self._rate = 0, capture_ns, rate
        self.phase_ms = self.drift_ppm = None
        self.step_ms = 1e3 * math.gcd(rate, TICKS_PER_SECOND) / (rate * TICKS_PER_SECOND)

    def _estimate(self) -> None:
        counts, times = (np.array(values, np.float64) for values in zip(*self._points, strict=True))
        origin = self._points[-1][1]
        nominal_ns = self._tick_ns * TICKS_PER_SECOND / self._rate
        # How late each frame is, by the audio device's clock, against frames of the nominal rate that end here.
        late = (times - origin) - (counts - self._count) * nominal_ns
        if times[-1] - times[0] >= LEAST_S * 1e9:
            slope, here = np.polyfit(counts - self._count, late, 1)
            self.drift_ppm = float(slope / nominal_ns * 1e6)
        else:
            here = float(np.median(late))
        if self._ticks and self.step_ms is not None:
            step_ns = self.step_ms * 1e6 * self._tick_ns / TICK_NS
            self.phase_ms = float((origin + here - self._ticks[-1][1]) % step_ns) / 1e6
