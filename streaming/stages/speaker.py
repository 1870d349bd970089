"""The speaker stage: feeds the audio device and publishes the device's time, which is the clock of the show."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.audio.levels import SILENCE_DB, decibels
from streaming.audio.resampler import TickResampler
from streaming.audio.tick_ring import TickRecord, TickRing
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.sound.outputs import AudioOutput, ChannelPlan, Feed
from streaming.devices.sound.search import DeviceFinder
from streaming.devices.sound.speakers import find_again, underrun_advice
from streaming.errors import DeviceLostError, StageError
from streaming.schema.device_kinds import SPEAKER
from streaming.schema.messages import Message, Sound, Speaker
from streaming.stage import Context, Inputs
from streaming.timing.away_ticks import AwayTicks
from streaming.timing.clock import DeviceClock

LEAD_TICKS = 4
"""Ticks from the start of the performance to tick 0, in which the stages make the first sound."""
RETURN_TICKS = 2
"""The same after a restart, when the other stages run already."""
WAKE_NS = 10_000_000
ADVISED_UNDERRUNS = 3
"""After so many underruns a note says what helps."""
_MAX_PENDING = 64


class SpeakerStage:
    """Plays the ticks of the performance on one audio output.

    While a sound device is away its ticks go on by the monotonic clock, and are counted as concealed; the device is
    looked for until it is back. It may come back with another rate.

    Args:
        opener: opens the output that `--speaker` names; see `device_kinds.SPEAKER`.
        feed_clock: reads the clock for the device's thread; None for the real one.
        finder: opens a device that had gone, by its `AudioOutput.device`.
    """

    def __init__(
        self,
        opener: Callable[[str, str, str], tuple[AudioOutput, str]] = SPEAKER.open,
        feed_clock: Callable[[], int] | None = None,
        finder: Callable[[str], AudioOutput] = find_again,
    ) -> None:
        self._opener, self._finder = opener, finder
        self._feed_clock = feed_clock
        self._output: AudioOutput | None = None
        self._search: DeviceFinder[AudioOutput]
        self._away: AwayTicks | None = None
        self._first_tick = 0
        self._next_tick = 0
        self._samples_before = 0
        self._wake_ns: int | None = None
        self._announced_ns = 0
        self._published = -1
        self._slack_ms: float | None = None
        self._level_db = SILENCE_DB
        self._played = self._concealed = 0
        self._underruns = self._late = self._errors = 0
        # tick -> (capture time in ns if the tick is the first of its motion, else 0; level in dB)
        self._pending: dict[int, tuple[int, float]] = {}
        self._finished = False

    def setup(self, context: Context) -> None:
        """Open the output; it plays silence until the performance begins. A restarted stage looks for its device.

        Raises:
            UserError: when the output cannot be used.
        """
        # The device's callback needs the interpreter's lock, which a busy thread keeps for up to 5 ms by default.
        sys.setswitchinterval(0.0005)
        self._context = context
        show, memo = context.show, context.memo
        self._end_tick = None if show.duration_s is None else round(show.duration_s * TICKS_PER_SECOND)
        self._wake_ns = context.now_ns + WAKE_NS
        self._search = DeviceFinder(context, self._finder, "the show goes on without its sound")
        if self._search.searching:
            return
        output, line = self._opener(show.speaker, show.record, str(memo.get("path", "")))
        if line:
            context.note(line)
        self._use(output)

    def _use(self, output: AudioOutput) -> None:
        """Start an output."""
        self._output = output
        self._underruns = self._late = self._errors = 0
        # As it began: a file that is gone on with keeps its channels.
        wide = bool(self._context.memo.setdefault("wide", self._context.show.number("width") > 0.0))
        chosen = self._context.show.channels
        output.arrange(ChannelPlan(tuple(map(int, chosen.split(","))) if chosen else (), wide))
        self._ring = TickRing(output.samplerate, channels=output.sides)
        self._resampler = TickResampler(SAMPLE_RATE, output.samplerate)
        self._side_resampler: TickResampler | None = None
        self._device = DeviceClock(float(output.samplerate))
        self._feed = Feed(self._ring, self._feed_clock) if self._feed_clock else Feed(self._ring)
        output.start(self._feed)
        self._context.info.update(
            device=output.name,
            samplerate=output.samplerate,
            latency_ms=round((output.latency_s + self._resampler.latency_s) * 1e3, 2),
        )
        self._search.keep(output.device, output.name)

    def wake_ns(self) -> int | None:
        """Every 10 ms."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Pass sound to the device, count the ticks, and publish the device's time.

        Raises:
            DeviceLostError: when the device has gone; a new process looks for it.
            StageError: when another output has stopped by itself; a restart opens it anew.
        """
        self._wake_ns = now_ns + WAKE_NS
        if self._search.searching and not self._search.find(now_ns, self._use):
            return self._step_away(inputs, now_ns)
        self._watch_output(now_ns)
        for position, due_ns, delay_ns in self._feed.drain():
            self._device.observe(position, due_ns + delay_ns)
            self._context.metrics.gauge("device_delay_ms", delay_ns / 1e6)
        if inputs.started and not self._ring.started and self._device.ready:
            self._begin(now_ns)
        for sound in inputs.all(Sound):
            self._take(sound, now_ns)
        if not self._ring.started:
            return []
        for record in self._ring.drain():
            self._account(record)
        self._context.metrics.gauge("samples_played", self._samples_played())
        self._watch_end(now_ns)
        return self._speak(now_ns)

    def close(self) -> None:
        """Stop the output."""
        if self._wake_ns is not None:
            self._search.close()
        if self._output is not None:
            self._output.close()
            self._watch_output(0, closing=True)

    def _step_away(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Count the ticks that pass without a device, and publish their times."""
        memo = self._context.memo
        if not inputs.started:
            return []
        if self._away is None:
            tick = int(memo.get("tick", 0))
            at_ns = int(memo.get("dac_ns", now_ns + LEAD_TICKS * TICK_NS))
            self._away = AwayTicks(tick, at_ns)
            self._first_tick, self._next_tick, self._published = tick, tick, tick - 1
            self._concealed, self._played = int(memo.get("concealed", 0)), int(memo.get("played", 0))
            self._samples_before = int(memo.get("samples", 0))
        passed = self._away.begun(now_ns, self._end_tick)
        self._count_ticks(passed, played=False)
        self._concealed += len(passed)
        self._next_tick = passed.stop
        self._level_db = SILENCE_DB
        self._context.metrics.gauge("level_db", SILENCE_DB, peak=True)
        self._watch_end(now_ns)
        return self._speak(now_ns)

    def _begin(self, now_ns: int) -> None:
        """Choose the first tick and its position; after a restart the old sequence of ticks goes on."""
        size, memo = self._ring.tick_samples, self._context.memo
        if "tick" not in memo:
            first, begin = 0, self._ring.position + LEAD_TICKS * size
        else:
            lead_ns = RETURN_TICKS * TICK_NS
            passed = (now_ns + lead_ns - int(memo["dac_ns"])) / float(memo.get("tick_ns", TICK_NS))
            first = int(memo["tick"]) + max(0, math.ceil(passed))
            grid_ns = int(memo["dac_ns"]) + (first - int(memo["tick"])) * float(memo.get("tick_ns", TICK_NS))
            begin = max(round(self._device.position_at(round(grid_ns))), self._ring.position + size)
            if self._end_tick is not None:
                first = min(first, self._end_tick)
            lost = first - int(memo["tick"])
            self._concealed, self._played = int(memo.get("concealed", 0)) + lost, int(memo.get("played", 0))
            self._samples_before = int(memo.get("samples", 0))
            self._count_ticks(range(int(memo["tick"]), first), played=False)
        self._first_tick = first
        self._next_tick = first
        self._published = first - 1
        self._ring.start(begin, first, self._end_tick, fade_in=first > 0)
        self._away = None
        self._origin = begin
        if self._output is not None:
            self._search.say_back(now_ns, self._output.name, self._output.samplerate)
            length = None if self._end_tick is None else self._end_tick * size
            self._output.span(begin, first * size, length)
            if self._output.path is not None:
                # Set only now: a restarted stage must not continue a file that this show has not made.
                memo["path"] = str(self._output.path)
                self._context.info["device"] = self._output.name

    def _take(self, sound: Sound, now_ns: int) -> None:
        # The resampler gets every tick, also a late one, so that its state has no gap.
        pcm = self._sides_of(sound) if sound.pcm.shape == (TICK_SAMPLES,) else sound.pcm
        if not self._ring.started:
            return
        if self._ring.put(sound.tick, pcm, now_ns):
            fresh = sound.capture_ns if sound.fresh else 0
            self._pending[sound.tick] = (fresh, decibels(sound.pcm))
            while len(self._pending) > _MAX_PENDING:
                self._pending.pop(next(iter(self._pending)))
            return
        start_ns = self._ring.start_ns(sound.tick)
        if start_ns is not None:
            self._note_slack((start_ns - now_ns) / 1e6)

    def _sides_of(self, sound: Sound) -> NDArray[np.float32]:
        """A tick at the device's rate: float32 [n], or [n, 2] where the output has two sides."""
        middle = self._resampler.step(sound.pcm)
        if self._ring.channels == 1:
            if sound.side is not None and not self._context.memo.get("mixed"):
                self._context.memo["mixed"] = True
                self._context.note("left and right are mixed in one channel; a show that begins with --width has two")
            return middle
        side = sound.side
        if side is not None and self._side_resampler is None:
            self._side_resampler = TickResampler(SAMPLE_RATE, self._ring.samplerate)
        if self._side_resampler is None:
            return np.repeat(middle[:, None], 2, axis=1)
        side = self._side_resampler.step(np.zeros(TICK_SAMPLES, np.float32) if side is None else side)
        return np.stack([middle + side, middle - side], axis=1)

    def _account(self, record: TickRecord) -> None:
        metrics = self._context.metrics
        self._next_tick = record.tick + 1
        self._count_ticks(range(record.tick, self._next_tick), record.played)
        fresh, level = self._pending.pop(record.tick, (0, SILENCE_DB))
        self._level_db = level if record.played else SILENCE_DB
        metrics.gauge("level_db", self._level_db, peak=True)
        if record.played:
            self._played += 1
        else:
            self._concealed += 1
        if record.arrived_ns is not None:
            self._note_slack((record.start_ns - record.arrived_ns) / 1e6)
        if fresh and record.played:
            heard_ns = self._dac_ns(record.tick) + round(self._resampler.latency_s * 1e9)
            metrics.observe("motion_to_sound_ms", (heard_ns - fresh) / 1e6)

    def _count_ticks(self, ticks: range, played: bool) -> None:
        metrics = self._context.metrics
        if not ticks:
            return
        metrics.count("ticks.expected", len(ticks))
        if played:
            metrics.count("ticks.played", len(ticks))
            return
        metrics.count("ticks.concealed", len(ticks))
        if self._search.lost:
            metrics.count("away_ms", len(ticks) * TICK_NS // 1_000_000)
        if early := sum(tick < TICKS_PER_SECOND for tick in ticks[:TICKS_PER_SECOND]):
            metrics.count("ticks.concealed_start", early)

    def _note_slack(self, slack_ms: float) -> None:
        self._context.metrics.observe("slack_ms", slack_ms)
        self._slack_ms = slack_ms if self._slack_ms is None else min(self._slack_ms, slack_ms)

    def _speak(self, now_ns: int) -> Sequence[Message]:
        """One message for each tick that has begun; before tick 0 one every 40 ms with the time of tick 0."""
        playing = self._next_tick - 1
        if playing <= self._published and not (
            playing < self._first_tick and now_ns - self._announced_ns >= TICK_NS - WAKE_NS // 2
        ):
            return []
        self._announced_ns = now_ns
        self._published = playing
        tick = max(playing, self._first_tick)
        dac_ns = self._dac_ns(tick)
        away = self._away is not None
        rate_hz = float(SAMPLE_RATE) if away else self._device.rate_hz * TICK_SAMPLES / self._ring.tick_samples
        played_ticks = 0 if away else self._next_tick - self._first_tick
        self._context.memo.update(
            # All ticks before this one are counted; those lost by a kill are counted as concealed after the restart.
            tick=self._next_tick,
            dac_ns=self._dac_ns(self._next_tick),
            tick_ns=TICK_SAMPLES / rate_hz * 1e9,
            played=self._played,
            concealed=self._concealed,
            samples=self._samples_before + played_ticks * TICK_SAMPLES,
        )
        slack_ms, self._slack_ms = self._slack_ms, None
        return [
            Speaker(
                tick=tick,
                dac_ns=dac_ns,
                rate_hz=rate_hz,
                slack_ms=slack_ms,
                played=self._played,
                concealed=self._concealed,
                level_db=self._level_db,
            )
        ]

    def _dac_ns(self, tick: int) -> int:
        if self._away is not None:
            return self._away.start_ns(tick)
        return self._device.time_of(self._origin + (tick - self._first_tick) * self._ring.tick_samples)

    def _samples_played(self) -> int:
        return self._samples_before + self._ring.samples_played * TICK_SAMPLES // self._ring.tick_samples

    def _watch_end(self, now_ns: int) -> None:
        if self._end_tick is None or self._finished or now_ns < self._dac_ns(self._end_tick):
            return
        if self._next_tick >= self._end_tick:
            self._finished = True
            self._context.finish("the duration is over")

    def _advise(self, underruns: int) -> None:
        """Say once what helps against underruns, when there are several."""
        memo = self._context.memo
        total = int(memo.get("underruns", 0)) + underruns
        memo["underruns"] = total
        if self._output is not None and total >= ADVISED_UNDERRUNS > total - underruns:
            self._context.note(underrun_advice(self._output, total))

    def _watch_output(self, now_ns: int, closing: bool = False) -> None:
        """Count what the output's threads have noticed, and end the stage when the device has stopped."""
        output, metrics = self._output, self._context.metrics
        if output is None:
            return
        for line in output.notes():
            self._context.note(line)
        if output.underruns > self._underruns:
            # A sound server underruns when clients join it; before the first tick that is inaudible.
            heard = self._ring.playing >= self._first_tick
            fresh, self._underruns = output.underruns - self._underruns, output.underruns
            metrics.count("underruns" if heard else "underruns_before", fresh)
            self._advise(fresh if heard else 0)
        late = self._ring.late + self._ring.ahead
        if late > self._late:
            metrics.count("late", late - self._late)
            self._late = late
        errors = self._feed.errors + self._ring.bad
        if errors > self._errors:
            metrics.count("bad", errors - self._errors)
            self._errors = errors
        if closing or output.alive():
            return
        if output.device:
            self._search.say_lost(now_ns, output.name)
            raise DeviceLostError(f"{output.name} has gone")
        raise StageError(f"{output.name}: the audio output has stopped")


def build() -> SpeakerStage:
    """Make the stage, for the process table."""
    return SpeakerStage()
