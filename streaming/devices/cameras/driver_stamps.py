"""The time at which a camera's frame was captured: the driver's own stamp, where it is true.

Video4Linux stamps each buffer with the time at which the frame began to arrive, usually by the monotonic clock, and
OpenCV gives that stamp as `CAP_PROP_POS_MSEC`. Some drivers stamp with another clock, with zero, or with the time of
another frame, so each stamp is compared with the frame's arrival before it is used. Stamps of another clock that runs
evenly still tell how far apart frames are: they are moved to where they are never later than an arrival.
"""

from __future__ import annotations

from collections import deque

MAX_AGE_NS = 250_000_000
"""A frame that is older when it arrives was not stamped by this clock, or is too old to play by."""
FUTURE_NS = 1_000_000
"""A stamp may be later than the arrival by so much: it is rounded to microseconds, and the arrival is read first."""
TRUSTED_AFTER = 8
"""The driver's stamps are used after so many true ones on end; before that frames have their arrival's time."""
DOUBTED_AFTER = 3
"""After so many untrue ones on end the driver is not believed any more, until it is right again."""
RECENT = 64
"""Frames whose delay between stamp and arrival is remembered."""
EVEN_NS = 100_000_000
"""Another clock is used where the delays of all remembered frames differ by less."""
DRIVER, SHIFTED, NEAREST, ARRIVAL = "driver", "driver, by another clock", "arrival, less the driver's delay", "arrival"


class DriverStamps:
    """Chooses each frame's capture time.

    Attributes:
        source: where the newest capture time came from: `DRIVER`; `SHIFTED`, the stamp plus the least difference of the
            clocks, without the driver's own delay; `NEAREST`, the arrival less the usual delay, where a trusted driver
            gave one wrong stamp; or `ARRIVAL`.
        delay_ms: median delay between a true stamp and the arrival, in ms; None without true stamps.
    """

    def __init__(self) -> None:
        self.source = ARRIVAL
        self._delays: deque[int] = deque(maxlen=RECENT)
        self._differences: deque[int] = deque(maxlen=RECENT)
        self._last_stamp_ns = self._last_true_ns = 0
        self._last_ns = 0
        self._true = self._untrue = 0

    @property
    def delay_ms(self) -> float | None:
        """See the class."""
        return sorted(self._delays)[len(self._delays) // 2] / 1e6 if self._delays else None

    def capture_ns(self, stamp_ms: float, arrival_ns: int) -> int:
        """When a frame was captured, in ns of the monotonic clock; never before the frame before it.

        Args:
            stamp_ms: the driver's stamp in ms; 0 or negative for none.
            arrival_ns: when the frame arrived.
        """
        stamp_ns = round(stamp_ms * 1e6) if 0.0 < stamp_ms < 1e15 else 0
        delay_ns = arrival_ns - stamp_ns
        rises = stamp_ns > self._last_stamp_ns
        if stamp_ns > self._last_true_ns and -FUTURE_NS <= delay_ns <= MAX_AGE_NS:
            self._true, self._untrue, self._last_true_ns = self._true + 1, 0, stamp_ns
            self._delays.append(max(0, delay_ns))
        else:
            self._untrue += 1
            if self._untrue >= DOUBTED_AFTER:
                self._true = 0
                self._delays.clear()
        self._differences.append(delay_ns)
        if not rises or max(self._differences) - min(self._differences) > EVEN_NS:
            self._differences.clear()
        self._last_stamp_ns = stamp_ns
        captured_ns = self._choose(stamp_ns, arrival_ns)
        self._last_ns = max(self._last_ns + 1, captured_ns)
        return self._last_ns

    def _choose(self, stamp_ns: int, arrival_ns: int) -> int:
        if self._true < TRUSTED_AFTER:
            if self._untrue >= DOUBTED_AFTER and len(self._differences) >= TRUSTED_AFTER:
                self.source = SHIFTED
                return stamp_ns + min(self._differences)
            self.source = ARRIVAL
            return arrival_ns
        if self._untrue:
            self.source = NEAREST
            return arrival_ns - round((self.delay_ms or 0.0) * 1e6)
        self.source = DRIVER
        return min(stamp_ns, arrival_ns)
