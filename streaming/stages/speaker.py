"""The speaker stage: feeds the audio device and publishes the device's time, which is the clock of the show."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

from streaming.audio.levels import SILENCE_DB, decibels
from streaming.audio.tick_ring import TickRecord
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.sound.changeover import DRAINING_NS, Changeover
from streaming.devices.sound.output_line import OutputLine
from streaming.devices.sound.outputs import AudioOutput, ChannelPlan
from streaming.devices.sound.search import DeviceFinder, rescan
from streaming.devices.sound.speakers import find_again, underrun_advice
from streaming.errors import DeviceLostError, SourceError, StageError, UserError
from streaming.schema.device_kinds import SPEAKER
from streaming.schema.messages import Message, Set, Sound, Speaker
from streaming.stage import Context, Inputs
from streaming.timing.away_ticks import AwayTicks

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

    The control `speaker` changes the output: the new one is opened while the old one plays, which fades out at the end
    of a tick; the next tick fades in on the new one. Both play at the same times of the show.

    Args:
        opener: opens the output that `--speaker` names; see `device_kinds.SPEAKER`.
        feed_clock: reads the clock for the device's thread; None for the real one.
        finder: opens a device that had gone, by its `AudioOutput.device`.
        renew: lets PortAudio look for devices anew.
    """

    def __init__(
        self,
        opener: Callable[[str, str, str], tuple[AudioOutput, str]] = SPEAKER.open,
        feed_clock: Callable[[], int] | None = None,
        finder: Callable[[str], AudioOutput] = find_again,
        renew: Callable[[], object] = rescan,
    ) -> None:
        self._opener, self._finder, self._renew = opener, finder, renew
        self._feed_clock = feed_clock
        self._line: OutputLine | None = None
        self._change: Changeover | None = None
        self._spec, self._newest = "", -1
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
        self._spec = show.speaker
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
        self._take_line(self._line_of(output))

    def _line_of(self, output: AudioOutput) -> OutputLine:
        # As it began: a file that is gone on with keeps its channels.
        wide = bool(self._context.memo.setdefault("wide", self._context.show.number("width") > 0.0))
        chosen = self._context.show.channels
        plan = ChannelPlan(tuple(map(int, chosen.split(","))) if chosen else (), wide)
        return OutputLine(output, plan, self._feed_clock)

    def _take_line(self, line: OutputLine) -> None:
        output, self._line = line.output, line
        self._context.info.update(device=output.name, samplerate=output.samplerate, latency_ms=line.latency_ms)
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
        for control in inputs.controls:
            if control.name == "speaker":
                self._ask(control, now_ns)
        if self._change is not None:
            self._step_change(self._change, now_ns)
        if self._search.searching and not self._search.find(now_ns, self._use):
            return self._step_away(inputs, now_ns)
        line = self._playing_line()
        self._watch_output(line, now_ns)
        for delay_ms in line.observe():
            self._context.metrics.gauge("device_delay_ms", delay_ms)
        if inputs.started and not line.ring.started and line.clock.ready:
            self._begin(line, now_ns)
        for sound in inputs.all(Sound):
            self._take(sound, now_ns)
        if not line.ring.started:
            return []
        for record in line.ring.drain():
            self._account(record)
        self._context.metrics.gauge("samples_played", self._samples_played())
        self._watch_end(now_ns)
        return self._speak(now_ns)

    def close(self) -> None:
        """Stop the output, and one that is being opened or left."""
        if self._wake_ns is not None:
            self._search.close()
        if self._change is not None:
            self._change.close()
        if self._line is not None:
            self._line.output.close()
            self._watch_output(self._line, 0, closing=True)

    def _playing_line(self) -> OutputLine:
        if self._line is None:
            raise StageError("no audio output is open")
        return self._line

    # A change of the output.

    def _ask(self, control: Set, now_ns: int) -> None:
        """Begin to change the output; what is in use already is confirmed at once."""
        text = str(control.value)
        if self._change is not None and not self._change.has_changed and text == str(self._change.control.value):
            # Its answer is for everybody who asked for this value.
            return
        if self._change is not None:
            where = f"set {control.name} {text}"
            self._context.confirm(control, UserError("another change is under way", where, "set it again in a moment"))
        elif text == self._spec:
            self._context.confirm(control, None)
        else:

            def opens() -> tuple[OutputLine, str]:
                if found := self._search.pause():
                    found.close()
                output, words = self._open_other(text)
                return self._line_of(output), words

            self._change = Changeover(control, opens, now_ns)

    def _open_other(self, text: str) -> tuple[AudioOutput, str]:
        """Open another output; one that has been plugged in since then is found where no sound device plays.

        Raises:
            UserError: when it cannot be used.
        """
        record = self._context.show.record
        try:
            return self._opener(text, record, "")
        except SourceError as error:
            if self._line is not None and self._line.output.device:
                fix = f"{error.fix}; one that was plugged in just now is found after set speaker none"
                raise SourceError(error.what, error.where, fix) from error
        self._renew()
        return self._opener(text, record, "")

    def _step_change(self, change: Changeover, now_ns: int) -> None:
        """Go on with a change: wait for the new output, agree on a tick, change there, and leave the old output."""
        if change.has_changed:
            if change.leave(now_ns, self._context.note):
                self._change = None
            return
        try:
            if not change.step(now_ns) or change.line is None:
                return
            old, new = self._line, change.line
            if old is None or not old.ring.started:
                # Nothing is heard of the old one: it is begun on like one that has come back.
                self._search.give_up()
                self._change_to(change, now_ns)
            elif change.tick < 0:
                tick = change.first_tick(old, self._newest, now_ns)
                if self._end_tick is not None and tick >= self._end_tick:
                    raise UserError("comes too late", f"set speaker {change.control.value}", "the show is about to end")
                new.begin(round(new.clock.position_at(old.dac_ns(tick))), tick, self._end_tick)
                old.ring.end_at(tick)
                change.tick = tick
            elif self._next_tick >= change.tick and new.ring.playing >= change.tick:
                self._samples_before += (change.tick - self._first_tick) * TICK_SAMPLES
                self._first_tick = change.tick
                self._change_to(change, now_ns)
        except UserError as error:
            if change.tick >= 0:
                raise StageError(f"{error.where}: {error.what}") from error
            change.close()
            self._change = None
            self._search.resume()
            self._context.confirm(change.control, error)

    def _change_to(self, change: Changeover, now_ns: int) -> None:
        """Put the new output in the old one's place."""
        memo, old = self._context.memo, self._line
        if change.line is None:
            return
        # Before the memo: a stage that ends now comes back with both or with neither.
        self._context.confirm(change.control, None)
        self._spec = str(change.control.value)
        for key in ("path", "mixed", "underruns"):
            memo.pop(key, None)
        self._take_line(change.line)
        if change.words:
            self._context.note(change.words)
        if change.tick >= 0:
            self._remember_file(change.line.output)
        change.begin_to_leave(old, now_ns + (DRAINING_NS if change.tick >= 0 else 0))

    # The ticks.

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

    def _begin(self, line: OutputLine, now_ns: int) -> None:
        """Choose the first tick and its position; after a restart the old sequence of ticks goes on."""
        ring, memo = line.ring, self._context.memo
        size = ring.tick_samples
        if "tick" not in memo:
            first, begin = 0, ring.position + LEAD_TICKS * size
        else:
            lead_ns = RETURN_TICKS * TICK_NS
            passed = (now_ns + lead_ns - int(memo["dac_ns"])) / float(memo.get("tick_ns", TICK_NS))
            first = int(memo["tick"]) + max(0, math.ceil(passed))
            grid_ns = int(memo["dac_ns"]) + (first - int(memo["tick"])) * float(memo.get("tick_ns", TICK_NS))
            begin = max(round(line.clock.position_at(round(grid_ns))), ring.position + size)
            if self._end_tick is not None:
                first = min(first, self._end_tick)
            lost = first - int(memo["tick"])
            self._concealed, self._played = int(memo.get("concealed", 0)) + lost, int(memo.get("played", 0))
            self._samples_before = int(memo.get("samples", 0))
            self._count_ticks(range(int(memo["tick"]), first), played=False)
        self._first_tick = first
        self._next_tick = first
        self._published = first - 1
        line.begin(begin, first, self._end_tick)
        self._away = None
        self._search.say_back(now_ns, line.output.name, line.output.samplerate)
        self._remember_file(line.output)

    def _remember_file(self, output: AudioOutput) -> None:
        if output.path is not None:
            # Set only now: a restarted stage must not continue a file that this show has not made.
            self._context.memo["path"] = str(output.path)
            self._context.info["device"] = output.name

    def _take(self, sound: Sound, now_ns: int) -> None:
        line, change = self._playing_line(), self._change
        # The resampler gets every tick, also a late one, so that its state has no gap.
        pcm = line.samples_of(sound)
        if sound.side is not None and line.ring.channels == 1 and not self._context.memo.get("mixed"):
            self._context.memo["mixed"] = True
            self._context.note("left and right are mixed in one channel; a show that begins with --width has two")
        if change is not None and change.line not in (None, line) and not change.has_changed:
            next_pcm = change.line.samples_of(sound)
            if line.ring.started and change.line.clock.ready:
                # A slower output needs the sound sooner, and what makes the sound must know before the change.
                ahead_ns = change.line.clock.time_of(change.line.ring.position) - now_ns
                self._tell_slack((line.dac_ns(sound.tick) - ahead_ns - now_ns) / 1e6)
            if 0 <= change.tick <= sound.tick:
                line, pcm = change.line, next_pcm
        if not line.ring.started:
            return
        self._newest = max(self._newest, sound.tick)
        if line.ring.put(sound.tick, pcm, now_ns):
            fresh = sound.capture_ns if sound.fresh else 0
            self._pending[sound.tick] = (fresh, decibels(sound.pcm))
            while len(self._pending) > _MAX_PENDING:
                self._pending.pop(next(iter(self._pending)))
            return
        start_ns = line.ring.start_ns(sound.tick)
        if start_ns is not None:
            self._note_slack((start_ns - now_ns) / 1e6)

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
            heard_ns = self._dac_ns(record.tick) + round(self._playing_line().resampler.latency_s * 1e9)
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
        self._tell_slack(slack_ms)

    def _tell_slack(self, slack_ms: float) -> None:
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
        rate_hz = float(SAMPLE_RATE)
        if not away:
            line = self._playing_line()
            rate_hz = line.clock.rate_hz * TICK_SAMPLES / line.ring.tick_samples
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
        return self._playing_line().dac_ns(tick)

    def _samples_played(self) -> int:
        ring = self._playing_line().ring
        return self._samples_before + ring.samples_played * TICK_SAMPLES // ring.tick_samples

    def _watch_end(self, now_ns: int) -> None:
        if self._end_tick is None or self._finished or now_ns < self._dac_ns(self._end_tick):
            return
        if self._next_tick >= self._end_tick:
            self._finished = True
            self._context.finish("the duration is over")

    def _advise(self, output: AudioOutput, underruns: int) -> None:
        """Say once what helps against underruns, when there are several."""
        memo = self._context.memo
        total = int(memo.get("underruns", 0)) + underruns
        memo["underruns"] = total
        if total >= ADVISED_UNDERRUNS > total - underruns:
            self._context.note(underrun_advice(output, total))

    def _watch_output(self, line: OutputLine, now_ns: int, closing: bool = False) -> None:
        """Count what the output's threads have noticed, and end the stage when the device has stopped."""
        output = line.output
        for words in output.notes():
            self._context.note(words)
        # A sound server underruns when clients join it; before the first tick that is inaudible.
        self._advise(output, line.count(self._context.metrics, heard=line.ring.playing >= self._first_tick))
        if closing or output.alive():
            return
        if output.device:
            self._search.say_lost(now_ns, output.name)
            raise DeviceLostError(f"{output.name} has gone")
        raise StageError(f"{output.name}: the audio output has stopped")


def build() -> SpeakerStage:
    """Make the stage, for the process table."""
    return SpeakerStage()
