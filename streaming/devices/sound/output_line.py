"""An open audio output together with the ring, the resamplers and the clock that feed it and follow it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streaming.audio.resampler import TickResampler
from streaming.audio.tick_ring import TickRing
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.devices.sound.outputs import AudioOutput, ChannelPlan, Feed
from streaming.schema.messages import Sound
from streaming.telemetry.metrics import Metrics
from streaming.timing.clock import DeviceClock


class OutputLine:
    """An output that runs: silence until `begin`, then ticks.

    Args:
        output: an open output; it is closed when it cannot be used.
        plan: the channels that the show wants.
        feed_clock: reads the clock for the device's thread; None for the real one.

    Attributes:
        output: the device.
        ring: holds its next ticks, at its rate.
        clock: the time at which each of its samples leaves it.
        feed: what the device calls.
        resampler: makes ticks of the device's rate.
        first_tick: the first tick that it plays.
        origin: the position of that tick's first sample.
        underruns, late, errors: what has been counted so far.

    Raises:
        UserError: when it has no such channels, cannot be started, or has a rate without whole ticks.
    """

    def __init__(self, output: AudioOutput, plan: ChannelPlan, feed_clock: Callable[[], int] | None = None) -> None:
        self.output = output
        self.first_tick = self.origin = 0
        self.underruns = self.late = self.errors = 0
        try:
            output.arrange(plan)
            self.ring = TickRing(output.samplerate, channels=output.sides)
            self.resampler = TickResampler(SAMPLE_RATE, output.samplerate)
            self._side_resampler: TickResampler | None = None
            self.clock = DeviceClock(float(output.samplerate))
            self.feed = Feed(self.ring, feed_clock) if feed_clock else Feed(self.ring)
            output.start(self.feed)
        except Exception:
            output.close()
            raise

    @property
    def latency_ms(self) -> float:
        """From the call for a sample to its leaving the device, with the resampling."""
        return round((self.output.latency_s + self.resampler.latency_s) * 1e3, 2)

    def observe(self) -> list[float]:
        """Follow the device's time; gives the delays in ms of its blocks since the last call."""
        delays: list[float] = []
        for position, due_ns, delay_ns in self.feed.drain():
            self.clock.observe(position, due_ns + delay_ns)
            delays.append(delay_ns / 1e6)
        return delays

    def count(self, metrics: Metrics, *, heard: bool) -> int:
        """Count what has gone wrong since the last call.

        Args:
            metrics: takes `underruns`, or `underruns_before`, `late` and `bad`.
            heard: whether an underrun is heard.

        Returns:
            The underruns that were heard.
        """
        underruns = self.output.underruns - self.underruns
        late = self.ring.late + self.ring.ahead - self.late
        errors = self.feed.errors + self.ring.bad - self.errors
        for name, fresh in (("underruns" if heard else "underruns_before", underruns), ("late", late), ("bad", errors)):
            if fresh > 0:
                metrics.count(name, fresh)
        self.underruns, self.late, self.errors = self.underruns + underruns, self.late + late, self.errors + errors
        return underruns if heard else 0

    def begin(self, position: int, tick: int, end_tick: int | None) -> None:
        """Play ticks from a position on; the first one fades in unless it is the performance's first.

        Args:
            position: of the first tick's first sample; it must lie in the future.
            tick: its number.
            end_tick: the tick after the last one; None where the show has no set end.
        """
        size = self.ring.tick_samples
        self.first_tick, self.origin = tick, position
        self.ring.start(position, tick, end_tick, fade_in=tick > 0)
        self.output.span(position, tick * size, None if end_tick is None else end_tick * size)

    def dac_ns(self, tick: int) -> int:
        """When a tick begins to leave the device, in ns of the monotonic clock."""
        return self.clock.time_of(self.origin + (tick - self.first_tick) * self.ring.tick_samples)

    def earliest_ns(self) -> int:
        """The time before which a tick that is chosen now would be too late for the device."""
        ahead = self.ring.tick_samples + self.output.longest_block
        return self.clock.time_of(self.ring.position + ahead)

    def samples_of(self, sound: Sound) -> NDArray[np.float32]:
        """A tick at the device's rate: float32 [n], or [n, 2] where the output has two sides.

        It must get every tick, so that the resamplers' state has no gap.
        """
        if sound.pcm.shape != (TICK_SAMPLES,):
            return sound.pcm
        middle = self.resampler.step(sound.pcm)
        if self.ring.channels == 1:
            return middle
        side = sound.side
        if side is not None and self._side_resampler is None:
            self._side_resampler = TickResampler(SAMPLE_RATE, self.ring.samplerate)
        if self._side_resampler is None:
            return np.repeat(middle[:, None], 2, axis=1)
        side = self._side_resampler.step(np.zeros(TICK_SAMPLES, np.float32) if side is None else side)
        return np.stack([middle + side, middle - side], axis=1)
