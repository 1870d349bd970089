"""Late latching, the schedule of ticks, and genlock: when to read the motion, which tick to make. It reads no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES


@dataclass(frozen=True)
class LatchLimits:
    """The controller's parameters, in milliseconds unless the name has another unit.

    Attributes:
        initial: the lead before anything is measured.
        lowest: never less.
        highest: never more; a tick that would have needed more is a stall, which no lead can serve.
        floor: spare time over what 99 % of the ticks need: a shared machine with two busy cores was seen to stall
            for 10 to 30 ms a few times a minute, and a concealed tick is worse than 8 ms.
        peak_floor: spare time over what the worst tick of `peak_s` needed.
        chase: the worst tick counts by no more than this over what 99 % need: a stall of the whole machine, now and
            then, would else be paid for with latency for 90 s. If it is not rare the 99 % show it.
        quantile: which part of the ticks of `window_s` the floor is for.
        window_s: memory of the quantile, in seconds.
        peak_s: memory of the worst tick, in seconds.
        start_s: peaks of these first seconds are forgotten after the same time (caches and clocks are still cold).
        cold: how many first reports are ignored when the lead is settled.
        settle: after so many reports the lead is set, once, to what the ticks since then needed and `floor`; a slow
            fall from `initial` would be a minute of changing latency.
        deadband: the lead is lowered only when it is too large by more than this.
        fall_per_s: how fast it is lowered; 0.5 ms/s is not heard as a change of latency.
    """

    initial: float = 52.0
    lowest: float = 20.0
    highest: float = 120.0
    floor: float = 18.0
    peak_floor: float = 4.0
    chase: float = 35.0
    quantile: float = 0.99
    window_s: float = 30.0
    peak_s: float = 90.0
    start_s: float = 1.0
    cold: int = 5
    settle: int = 15
    deadband: float = 3.0
    fall_per_s: float = 0.5


class LatchController:
    """Decides the lead: how long before a tick's first sample leaves the device its work begins.

    A tick's need is its lead less the slack that the speaker reports for it. The lead is kept above the need of nearly
    all ticks by `floor`, and above the largest need of the last 90 s by `peak_floor`. It rises at once, falls slowly,
    and rests within a deadband: for the musician a changing lead is latency jitter.
    """

    def __init__(self, limits: LatchLimits | None = None) -> None:
        self._limits = limits or LatchLimits()
        self._lead = self._limits.initial
        window = max(8, round(self._limits.window_s * 1e9 / TICK_NS))
        self._needs: deque[float] = deque(maxlen=window)
        # Peaks in falling order: (need, forgotten at); the first one is the largest that is still remembered.
        self._peaks: deque[tuple[float, int]] = deque(maxlen=4096)
        # A report may concern a tick that was begun up to five reports ago, with the lead of that time.
        self._recent: deque[float] = deque([self._lead], maxlen=5)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._needed = self._most = 0.0
        self._falling = False
        self._reports = 0
        self._early_worst = 0.0

    @property
    def lead_ms(self) -> float:
        """The lead to use now, in ms."""
        return self._lead

    @property
    def needed_ms(self) -> float:
        """The need of a quick tick (the 10 % quantile) in ms; 0 before the first measurement."""
        return self._needed

    def update(self, slack_ms: float | None, now_ns: int) -> float:
        """Take in a report of the speaker.

        Args:
            slack_ms: smallest time by which a tick's sound had come before it was needed (negative: too late), or None.
            now_ns: the time, not decreasing.

        Returns:
            The lead to use from now on, in ms.
        """
        limits = self._limits
        if self._first_ns is None:
            self._first_ns = self._last_ns = now_ns
        elapsed_s = min(max(now_ns - self._last_ns, 0) / 1e9, 1.0)
        self._last_ns = now_ns
        if slack_ms is not None:
            need = min(self._recent) - slack_ms
            self._take(need, now_ns)
            self._settle(need)
        target = self._target(now_ns)
        if target >= self._lead:
            self._lead, self._falling = target, False
        else:
            excess = self._lead - target
            self._falling = excess > (0.0 if self._falling else limits.deadband)
            if self._falling:
                self._lead -= min(excess, limits.fall_per_s * elapsed_s)
        self._lead = min(max(self._lead, limits.lowest), limits.highest)
        self._recent.append(self._lead)
        return self._lead

    def _take(self, need: float, now_ns: int) -> None:
        limits = self._limits
        if need > limits.highest - limits.peak_floor:
            return  # a stall: no lead can serve it
        first_ns = now_ns if self._first_ns is None else self._first_ns
        young = now_ns - first_ns < limits.start_s * 1e9
        memory_s = limits.start_s if young else limits.peak_s
        if not young:
            self._needs.append(need)
        until = now_ns + round(memory_s * 1e9)
        while self._peaks and self._peaks[-1][0] <= need and self._peaks[-1][1] <= until:
            self._peaks.pop()
        self._peaks.append((need, until))

    def _settle(self, need: float) -> None:
        limits = self._limits
        self._reports += 1
        if limits.cold < self._reports <= limits.settle:
            self._early_worst = max(self._early_worst, need)
            if self._reports == limits.settle:
                self._lead = min(self._lead, max(self._early_worst + limits.floor, limits.lowest))
                self._peaks.clear()

    def _target(self, now_ns: int) -> float:
        limits = self._limits
        while self._peaks and self._peaks[0][1] <= now_ns:
            self._peaks.popleft()
        worst = self._peaks[0][0] if self._peaks else None
        if len(self._needs) >= 8:
            if len(self._needs) < 100 or self._reports % 5 == 0:
                self._measure()
            target = self._most + limits.floor
            if worst is not None:
                worst = min(worst, self._most + limits.chase)
        elif worst is None:
            return self._lead
        else:
            # Too few reports to lower the lead, but a late tick already raises it.
            target = self._lead
            worst = min(worst, limits.initial + 0.5 * limits.chase)
        return target if worst is None else max(target, worst + limits.peak_floor)

    def _measure(self) -> None:
        """Measure the need of a quick tick and that of nearly all ticks."""
        sorted_needs = np.sort(np.fromiter(self._needs, np.float64))
        count = len(sorted_needs)
        self._needed = float(sorted_needs[count // 10])
        # One of a few is not yet "nearly all": until there are 100, the worst of them counts as a peak only.
        self._most = float(sorted_needs[int((self._limits.quantile if count >= 100 else 0.9) * count)])


class TickSchedule:
    """Which tick to make next, and when; never the same tick twice, never one whose time has passed.

    Attributes:
        skipped: ticks that were passed over since their time had passed.
    """

    _REWOUND = 50
    """A device whose tick lies this far behind the last one made has restarted its count."""

    def __init__(self, last_made: int = -1) -> None:
        self.skipped = 0
        self._last = last_made
        self._tick = 0
        self._dac_ns: int | None = None
        self._tick_ns = float(TICK_NS)

    @property
    def ready(self) -> bool:
        """True once the device's time is known."""
        return self._dac_ns is not None

    @property
    def last_made(self) -> int:
        """The newest tick that was made, -1 for none."""
        return self._last

    def observe(self, tick: int, dac_ns: int, rate_hz: float = float(SAMPLE_RATE)) -> None:
        """Set when sample 0 of `tick` leaves the device: at `dac_ns`; `rate_hz`: codec-rate samples per second."""
        if tick < self._last - self._REWOUND:
            self._last = tick - 1
        self._tick, self._dac_ns = tick, dac_ns
        if abs(rate_hz / SAMPLE_RATE - 1.0) < 0.01:
            self._tick_ns = TICK_SAMPLES / rate_hz * 1e9

    def dac_ns(self, tick: int) -> int:
        """When sample 0 of a tick leaves the device.

        Raises:
            ValueError: before the device's time is known.
        """
        if self._dac_ns is None:
            raise ValueError("the schedule was asked before its first observation")
        return self._dac_ns + round((tick - self._tick) * self._tick_ns)

    def next(self, now_ns: int, lead_ms: float, needed_ms: float = 0.0) -> tuple[int, int] | None:
        """The next tick to make and when to begin; asking changes nothing.

        Args:
            now_ns: the time.
            lead_ms: how long before its first sample a tick's work begins.
            needed_ms: a tick that leaves in less than this cannot be made any more.

        Returns:
            (tick, begin_ns), where begin_ns may have passed; None before the device's time is known.
        """
        if self._dac_ns is None:
            return None
        tick = self._last + 1
        short = now_ns + needed_ms * 1e6 - self.dac_ns(tick)
        if short > 0:
            tick += int(-(-short // self._tick_ns))
        return tick, self.dac_ns(tick) - round(lead_ms * 1e6)

    def take(self, tick: int) -> int:
        """Note that a tick is being made.

        Returns:
            How many ticks were passed over before it; 0 for the first tick made.

        Raises:
            ValueError: for a tick that was made already.
        """
        if tick <= self._last:
            raise ValueError(f"tick {tick} was made already")
        gap = tick - self._last - 1 if self._last >= 0 else 0
        self._last = tick
        self.skipped += gap
        return gap


class Genlock:
    """Keeps a camera that the show paces itself in step with the latch, as studios lock theirs to one clock.

    A frame that is captured just after a latch waits a whole tick for the next one. The frames of a file or a synthetic
    performer can be shifted by a few milliseconds, so they are captured just early enough for their motion to arrive
    before it is read: the smallest latency, and a constant one. A webcam cannot be shifted, and its phase drifts.

    Args:
        margin_ms: how long before the latch a motion should be there, over what 95 % of the frames need.
        step_ms: the largest shift of one frame; too small to be seen.
        hasty_ms: the same for the first `HASTY` frames. The very first shift, after `FIRST` frames, is made at once:
            a gradual one would add latency for a second.
    """

    RATE_TOLERANCE = 0.002
    FIRST, HASTY = 3, 60

    def __init__(self, margin_ms: float = 6.0, step_ms: float = 1.0, hasty_ms: float = 3.0) -> None:
        self._margin_ms, self._step_ms, self._hasty_ms = margin_ms, step_ms, hasty_ms
        self._ready: deque[float] = deque(maxlen=100)
        self._observed = 0
        self._moved_ns = 0

    @classmethod
    def fits(cls, rate_hz: float) -> bool:
        """Whether a camera's rate is that of the ticks, so that a phase between them exists."""
        return abs(rate_hz * TICK_NS / 1e9 - 1.0) <= cls.RATE_TOLERANCE

    def shift_ns(self, latch_ns: int, capture_ns: int, motion_ns: int) -> int:
        """How far to move the camera's time now.

        Args:
            latch_ns: when a tick's motion was read.
            capture_ns: when the frame of that motion was captured.
            motion_ns: when that motion was published.

        Returns:
            Nanoseconds to add to the time of the frames to come: at first up to half a tick either way, then a step.
        """
        self._ready.append((motion_ns - capture_ns) / 1e6)
        self._observed += 1
        if self._observed < self.FIRST:
            return 0
        needed_ms = float(np.quantile(np.fromiter(self._ready, float), 0.95)) + self._margin_ms
        wanted_ns = latch_ns - round(needed_ms * 1e6)
        error_ns = (wanted_ns - capture_ns + TICK_NS // 2) % TICK_NS - TICK_NS // 2
        if self._observed == self.FIRST:
            self._moved_ns = latch_ns
            return error_ns
        if capture_ns <= self._moved_ns:
            # Captured before the first shift: it does not show the camera's present phase.
            return 0
        step_ns = round((self._hasty_ms if self._observed <= self.HASTY else self._step_ms) * 1e6)
        return max(-step_ns, min(step_ns, error_ns // 4))
