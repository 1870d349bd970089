"""The microphone stage: cuts the sound of a microphone, or the show's own music, into ticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.audio.echo_canceller import EchoCanceller, PlaybackHistory
from streaming.audio.levels import SILENCE_DB, SILENT_INPUT_DB, decibels
from streaming.audio.resampler import TickResampler
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.sound.inputs import AudioInput, Intake
from streaming.devices.sound.microphones import find_again
from streaming.devices.sound.search import DeviceFinder
from streaming.errors import DeviceLostError, StageError
from streaming.schema.device_kinds import MICROPHONE, SELF
from streaming.schema.messages import Message, Microphone, Sound, Speaker
from streaming.stage import Context, Inputs
from streaming.timing.away_ticks import AwayTicks
from streaming.timing.clock import DeviceClock

WAKE_NS = 5_000_000
SILENT_AFTER_S = 10
"""After so many seconds below `SILENT_INPUT_DB` on end a note says so, once."""


class MicrophoneStage:
    """Publishes every tick of sound.

    The ticks are those of the input's clock, or of the speaker where the show listens to itself. While a microphone is
    away its ticks go on by the monotonic clock and are silent; it is looked for until it is back.

    Args:
        opener: opens the input that `--microphone` names; see `device_kinds.MICROPHONE`.
        intake_clock: reads the clock for the device's thread; None for the real one.
        finder: opens a device that had gone, by its `AudioInput.device`.
    """

    def __init__(
        self,
        opener: Callable[[str], tuple[AudioInput, str]] = MICROPHONE.open,
        intake_clock: Callable[[], int] | None = None,
        finder: Callable[[str], AudioInput] = find_again,
    ) -> None:
        self._opener, self._finder = opener, finder
        self._search: DeviceFinder[AudioInput] | None = None
        self._away: AwayTicks | None = None
        self._intake_clock = intake_clock
        self._input: AudioInput | None = None
        self._speaker: Speaker | None = None
        self._wake_ns: int | None = None
        self._tick = -1
        self._overruns = self._lost = self._errors = 0
        self._silent_ticks = 0
        self._loss = ""
        self._finished = False
        self._echo_canceller: EchoCanceller | None = None
        self._playback = PlaybackHistory()

    def setup(self, context: Context) -> None:
        """Open the input; its sound is used from the start of the performance on.

        A restarted stage looks for its device.

        Raises:
            UserError: when the input cannot be used.
        """
        self._context = context
        show = context.show
        self._end_tick = None if show.duration_s is None else round(show.duration_s * TICKS_PER_SECOND)
        if show.microphone == SELF:
            context.info.update(device="the show's own music", samplerate=SAMPLE_RATE)
            return
        self._search = DeviceFinder(context, self._finder, "nothing is heard")
        if self._search.searching:
            self._wake_ns = context.now_ns + WAKE_NS
            return
        self._input, line = self._opener(show.microphone)
        if line and show.direction == "both":
            # Without an input the show listens to its own music.
            self._input.close()
            self._input = None
            context.note(f"{line.rpartition(';')[0]}; the picture moves to the show's own music")
            context.info.update(device="the show's own music", samplerate=SAMPLE_RATE)
            return
        if line:
            context.note(line)
        self._use(self._input)
        self._wake_ns = context.now_ns + WAKE_NS

    def _use(self, source: AudioInput) -> None:
        """Prepare for an input, and start it unless it is a file."""
        self._input, rate, context = source, source.samplerate, self._context
        self._overruns = self._lost = self._errors = 0
        self._size = rate // TICKS_PER_SECOND
        self._resampler = TickResampler(rate, SAMPLE_RATE, self._size)
        self._device = DeviceClock(float(rate))
        self._intake = Intake(rate, self._intake_clock) if self._intake_clock else Intake(rate)
        if not source.waits:
            source.start(self._intake)
            # The microphone picks up the show's own music, which must not be answered.
            self._echo_canceller = EchoCanceller() if context.show.direction == "both" else None
        context.info.update(device=source.name, samplerate=rate)
        if self._search is not None:
            self._search.keep(source.device, source.name)

    def wake_ns(self) -> int | None:
        """Every 5 ms; never by time where the show listens to itself."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Publish the ticks that are complete.

        Raises:
            DeviceLostError: when the device has gone; a new process looks for it.
            StageError: when another input has stopped by itself; a restart opens it anew.
        """
        search = self._search
        if search is None or (self._input is None and not search.searching):
            return self._own_music(inputs)
        self._wake_ns = now_ns + WAKE_NS
        for sound in inputs.all(Sound):
            if sound.pcm.shape == (TICK_SAMPLES,):
                self._playback.add(sound.tick, sound.pcm)
        if (speaker := inputs.latest(Speaker)) is not None:
            self._playback.set(speaker)
        if search.searching and not search.find(now_ns, self._use):
            return self._step_away(inputs, now_ns, search.lost)
        for position, at_ns in self._intake.drain():
            self._device.observe(position, at_ns)
        if not inputs.started:
            self._intake.skip_to(self._intake.written)
            return []
        if self._away is not None and not self._device.ready:
            return self._step_away(inputs, now_ns, search.lost)
        if self._away is not None:
            self._return(now_ns, self._away, search)
        if self._tick < 0:
            self._begin(now_ns)
        return self._new_ticks(now_ns) if self._device.ready else []

    def _new_ticks(self, now_ns: int) -> Sequence[Message]:
        self._watch(now_ns)
        ticks = []
        while (taken := self._intake.take(self._size)) is not None:
            ticks.append(self._tick_of(*taken))
        self._watch_end()
        return [message for message in ticks if self._end_tick is None or message.tick < self._end_tick]

    def close(self) -> None:
        """Close the input."""
        if self._search is not None:
            self._search.close()
        if self._input is not None:
            self._input.close()

    def _step_away(self, inputs: Inputs, now_ns: int, lost: bool) -> Sequence[Message]:
        """Silent ticks, each once it has passed, while there is no device."""
        if not inputs.started:
            return []
        memo, metrics = self._context.memo, self._context.metrics
        if self._away is None:
            first = int(memo["tick"]) + 1 if "tick" in memo else 0
            at_ns = int(memo["capture_ns"]) + TICK_NS if "tick" in memo else now_ns
            self._away = AwayTicks(first, at_ns)
        silent = []
        for tick in self._away.begun(now_ns - TICK_NS, self._end_tick):
            self._tick = tick
            if lost:
                metrics.count("away_ms", TICK_NS // 1_000_000)
            memo.update(tick=tick, capture_ns=self._away.start_ns(tick))
            pcm = np.zeros(TICK_SAMPLES, np.float32)
            silent.append(Microphone(tick=tick, pcm=pcm, level_db=SILENCE_DB, capture_ns=self._away.start_ns(tick)))
        metrics.gauge("level_db", SILENCE_DB, peak=True)
        self._watch_end()
        return silent

    def _return(self, now_ns: int, away: AwayTicks, search: DeviceFinder[AudioInput]) -> None:
        """Go on with the ticks from a device that is back: at the next one that begins, in step with those before."""
        at_ns = max(now_ns, self._device.time_of(self._intake.written))
        first = away.next_tick + max(0, -(-(at_ns - away.start_ns(away.next_tick)) // TICK_NS))
        self._tick = self._first = first
        self._origin = max(round(self._device.position_at(away.start_ns(first))), self._intake.written)
        self._intake.skip_to(self._origin)
        self._away = None
        if self._input is not None:
            search.say_back(now_ns, self._input.name, self._input.samplerate)

    def _begin(self, now_ns: int) -> None:
        """Number the first tick; after a restart the numbers go on as if never interrupted."""
        self._origin = self._intake.written
        self._intake.skip_to(self._origin)
        memo = self._context.memo
        passed = (now_ns - int(memo["capture_ns"])) // TICK_NS if "tick" in memo else 0
        self._tick = int(memo.get("tick", 0)) + passed
        self._first = self._tick
        if self._input is not None and self._input.waits:
            self._input.start(self._intake, self._tick * TICK_NS / 1e9)

    def _tick_of(self, position: int, sound: NDArray[np.float32]) -> Microphone:
        pcm = np.clip(np.nan_to_num(self._resampler.step(sound)), -1.0, 1.0).astype(np.float32)
        self._watch_silence(decibels(pcm))
        # Ticks that were lost in the ring leave a gap in the numbers.
        self._tick = self._first + (position - self._origin) // self._size
        captured_ns = self._device.time_of(position) - round(self._resampler.latency_s * 1e9)
        if self._echo_canceller is not None:
            pcm = self._echo_canceller.step(pcm, self._playback.at(captured_ns))
            canceller = self._echo_canceller
            if canceller.gain_db is not None and canceller.residual_db is not None:
                self._context.metrics.gauge("loop_gain_db", canceller.gain_db)
                self._context.metrics.gauge("loop_left_db", canceller.residual_db)
        level = decibels(pcm)
        if self._input is not None and self._input.away:
            self._context.metrics.count("away_ms", TICK_NS // 1_000_000)
        self._context.memo.update(tick=self._tick, capture_ns=captured_ns)
        self._context.metrics.gauge("level_db", level, peak=True)
        return Microphone(tick=self._tick, pcm=pcm, level_db=level, capture_ns=captured_ns)

    def _watch_silence(self, level_db: float) -> None:
        """Say once that nothing is heard, and report the longest silence in whole multiples of 10 s."""
        self._silent_ticks = self._silent_ticks + 1 if level_db < SILENT_INPUT_DB else 0
        seconds, left = divmod(self._silent_ticks, TICKS_PER_SECOND)
        source, context = self._input, self._context
        if left or not seconds or seconds % SILENT_AFTER_S or source is None or source.name == "none" or source.ended:
            return
        if source.name == "browser" and source.away is not False:
            return
        if "silent_s" not in context.memo:
            itself = ", or --microphone self" if context.show.direction == "both" else ""
            what, first = ("the file", "") if source.waits else ("the microphone", "plug in, ")
            context.note(f"{what} is silent: {first}choose another with --microphone{itself}")
        longest = max(seconds, int(context.memo.get("silent_s", 0)))
        context.memo["silent_s"] = context.info["silent_s"] = longest

    def _own_music(self, inputs: Inputs) -> Sequence[Message]:
        """The sound on its way to the speaker, with the time at which it will be played."""
        self._speaker = inputs.latest(Speaker) or self._speaker
        ticks = []
        for sound in inputs.all(Sound):
            if sound.pcm.shape != (TICK_SAMPLES,):
                continue
            level = decibels(sound.pcm)
            self._context.metrics.gauge("level_db", level, peak=True)
            ticks.append(
                Microphone(tick=sound.tick, pcm=sound.pcm, level_db=level, capture_ns=self._leaves_ns(sound.tick))
            )
        return ticks

    def _leaves_ns(self, tick: int) -> int:
        """When a tick's first sample leaves the speaker; 0 while that is not known."""
        speaker = self._speaker
        if speaker is None or speaker.rate_hz <= 0:
            return 0
        return speaker.dac_ns + round((tick - speaker.tick) * TICK_SAMPLES / speaker.rate_hz * 1e9)

    def _watch(self, now_ns: int) -> None:
        """Count lost samples, and end the stage when the device has stopped."""
        source, metrics = self._input, self._context.metrics
        if source is None:
            return
        if source.overruns > self._overruns:
            metrics.count("overruns", source.overruns - self._overruns)
            self._overruns = source.overruns
        if self._intake.lost > self._lost:
            metrics.count("samples_lost", self._intake.lost - self._lost)
            self._lost = self._intake.lost
        if self._intake.errors > self._errors:
            metrics.count("bad", self._intake.errors - self._errors)
            self._errors = self._intake.errors
        if source.loss and not self._loss:
            self._loss = source.loss
            self._context.note(source.loss)
        if self._search is not None:
            self._watch_sender(source, self._search, now_ns)
        if source.alive():
            return
        if source.device and self._search is not None:
            self._search.say_lost(now_ns, source.name)
            raise DeviceLostError(f"{source.name} has gone")
        raise StageError(f"{source.name}: the microphone has stopped")

    def _watch_sender(self, source: AudioInput, search: DeviceFinder[AudioInput], now_ns: int) -> None:
        """Say and count that who sends the sound has gone or is back; the input itself stays."""
        if source.away and not search.lost:
            search.say_lost(now_ns, source.name)
        elif source.away is False and search.lost:
            search.say_back(now_ns, source.name, source.samplerate)

    def _watch_end(self) -> None:
        """Finish at the end of the duration or of the file."""
        if self._end_tick is not None and self._tick + 1 >= self._end_tick:
            self._finish("the duration is over")
        elif self._end_tick is None and self._input is not None and self._input.ended:
            self._finish("the sound file ended")

    def _finish(self, reason: str) -> None:
        # Where there is a speaker, it says when the show ends.
        if not self._finished and self._context.show.direction == "music-to-video":
            self._finished = True
            self._context.finish(reason)


def build() -> MicrophoneStage:
    """Make the stage, for the process table."""
    return MicrophoneStage()
