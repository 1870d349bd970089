"""A change of the audio output of a speaker stage that plays: no click, no tick lost, and a failure loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.conventions import TICK_NS, TICK_SAMPLES
from streaming.devices.sound.outputs import ChannelPlan, Feed
from streaming.errors import DeviceLostError, SourceError, StageError, UserError
from streaming.schema.messages import Set, Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.speaker import SpeakerStage
from streaming.telemetry.metrics import Metrics, Totals

MS = 1_000_000
BLOCK_MS = 5
TONE_HZ = 200.0


class SimulatedOutput:
    """A device that takes a block every few ms of simulated time, a while before it is heard."""

    def __init__(self, name: str, rate: int, *, sides: int = 1, block_ms: int = BLOCK_MS, delay_ms: int = 7) -> None:
        self.name, self.device = name, name if name.startswith("card") else ""
        self.samplerate, self.sides, self.block_ms, self.delay_ns = rate, sides, block_ms, delay_ms * MS
        self.longest_block = rate * block_ms // 1000
        self.latency_s, self.underruns = delay_ms / 1e3, 0
        self.path: Path | None = None
        self.spans: list[tuple[int, int, int | None]] = []
        self.blocks: list[tuple[int, np.ndarray]] = []
        self.running, self.closed_ns = True, 0
        self.feed: Feed | None = None

    def arrange(self, plan: ChannelPlan) -> None:
        if plan.chosen and max(plan.chosen) > 2:
            raise SourceError("has 2 channels", self.name, "choose another --speaker")

    def start(self, feed: Feed) -> None:
        self.feed = feed

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        self.spans.append((position, tick_sample, samples))

    def take(self, now_ns: int) -> None:
        if self.feed is None or not self.running or now_ns // MS % self.block_ms:
            return
        shape = (self.longest_block,) if self.sides == 1 else (self.longest_block, self.sides)
        block = np.zeros(shape, np.float32)
        self.feed(block, self.delay_ns)
        self.blocks.append((now_ns + self.delay_ns, block))

    def alive(self) -> bool:
        return self.running

    def notes(self) -> list[str]:
        return []

    def close(self) -> None:
        self.running = False

    def heard(self) -> np.ndarray:
        return np.concatenate([block for _, block in self.blocks])

    def sounds_at_ms(self) -> np.ndarray:
        """The times in ms at which a sample is heard that is no silence, from the first to the last."""
        times = [
            at_ns / MS + 1e3 * np.flatnonzero(np.abs(block).reshape(len(block), -1).max(1) > 1e-4) / self.samplerate
            for at_ns, block in self.blocks
        ]
        return np.concatenate(times)


class ChangeBench:
    """A stage that plays a tone, and outputs to change to."""

    def __init__(self, *outputs: SimulatedOutput, memo: dict[str, Any] | None = None, **show: Any) -> None:
        self.now = 10**9
        self.outputs = {output.name: output for output in outputs}
        self.opened: list[str] = []
        self.plugged: list[SimulatedOutput] = []
        """Outputs that PortAudio finds when it looks anew."""
        self.may_open = threading.Event()
        self.may_open.set()
        self.stage = SpeakerStage(self.open, lambda: self.now, self.find, self.renew)
        self.answers: list[tuple[str, UserError | None]] = []
        self.notes: list[str] = []
        self.context = Context(
            show=Show(speaker=outputs[0].name, **show),
            metrics=Metrics(),
            memo={} if memo is None else memo,
            note=self.notes.append,
            confirm=lambda control, refusal: self.answers.append((str(control.value), refusal)),
            now_ns=self.now,
        )
        self.stage.setup(self.context)
        self.said: list[Speaker] = []
        self.asked: list[Set] = []
        self.to_send: dict[int, int] = {}
        self.last_sent = -1
        self.lead_ms = 60.0
        """How long before it is heard a tick's sound comes; longer when the stage says that it is short."""

    def open(self, text: str, record: str, resume: str) -> tuple[SimulatedOutput, str]:
        assert self.may_open.wait(5.0)
        self.opened.append(text)
        if text not in self.outputs:
            raise SourceError("there is no such audio output", f"--speaker {text}", "choose another --speaker")
        return self.outputs[text], ""

    def renew(self) -> None:
        self.outputs.update({output.name: output for output in self.plugged})
        self.plugged = []

    def find(self, device: str) -> SimulatedOutput:
        if not self.outputs[device].running:
            raise UserError("there is no such audio output", device, "plug it in")
        return self.outputs[device]

    def ask(self, name: str) -> None:
        self.asked.append(Set(name="speaker", value=name))

    def run(self, ms: int, *, started: bool = True) -> None:
        for _ in range(ms):
            for output in self.outputs.values():
                output.take(self.now)
            sounds: list[Sound] = []
            for tick in [tick for tick, at_ns in sorted(self.to_send.items()) if self.now >= at_ns]:
                del self.to_send[tick]
                place = tick * TICK_SAMPLES + np.arange(TICK_SAMPLES)
                sounds.append(Sound(tick=tick, pcm=(0.3 * np.sin(place * 2e-3 * np.pi * TONE_HZ / 32)).astype("f4")))
            wake_ns = self.stage.wake_ns()
            if sounds or self.asked or (wake_ns is not None and self.now >= wake_ns):
                inputs = Inputs({"sound": list(sounds)}, started=started, controls=self.asked)
                self.asked = []
                for message in self.stage.step(inputs, self.now):
                    assert isinstance(message, Speaker)
                    self.said.append(message)
                    self.lead_ms += max(0.0, 20.0 - (20.0 if message.slack_ms is None else message.slack_ms))
                    for tick in range(max(message.tick, self.last_sent + 1), message.tick + 5):
                        self.to_send[tick] = message.dac_ns + (tick - message.tick) * TICK_NS - round(self.lead_ms * MS)
                        self.last_sent = tick
            self.now += MS

    def run_until(self, condition: Callable[[], object]) -> None:
        """Run while the opener, which has a thread of its own, goes on."""
        for _ in range(500):
            if condition():
                return
            self.run(10)
            threading.Event().wait(0.002)
        raise AssertionError("it never happened")

    def totals(self) -> Totals:
        totals = Totals()
        totals.add(self.context.metrics.take())
        return totals


def loudest_jump(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


@pytest.mark.parametrize(
    ("rate", "sides", "block_ms", "delay_ms"), [(32_000, 1, 5, 7), (48_000, 2, 5, 7), (44_100, 1, 20, 60)]
)
def test_the_music_goes_over_at_a_tick_without_a_click_or_a_lost_tick(
    rate: int, sides: int, block_ms: int, delay_ms: int
) -> None:
    first = SimulatedOutput("card one", 32_000)
    second = SimulatedOutput("card two", rate, sides=sides, block_ms=block_ms, delay_ms=delay_ms)
    bench = ChangeBench(first, second)
    bench.run(1000)
    bench.ask("card two")
    bench.run_until(lambda: bench.answers)
    bench.run(1000)
    assert bench.answers == [("card two", None)]
    totals = bench.totals()
    assert totals.counter("ticks.concealed") <= 2
    assert totals.counter("ticks.expected") == totals.counter("ticks.played") + totals.counter("ticks.concealed")
    ticks = [message.tick for message in bench.said if message.tick > 0]
    assert ticks == list(range(1, ticks[-1] + 1)), "one message a tick"
    times = [message.dac_ns - message.tick * TICK_NS for message in bench.said if message.tick > 0]
    assert max(times) - min(times) < 3 * MS, "the show's time goes on"
    # The jump from one sample to the next is what the tone has itself, on both outputs.
    for output in (first, second):
        steepest = 0.3 * 2 * np.pi * TONE_HZ / output.samplerate
        assert loudest_jump(output.heard()) < 1.5 * steepest, output.name
    assert np.abs(second.heard()).max() == pytest.approx(0.3, rel=0.02)
    gap_ms = second.sounds_at_ms()[0] - first.sounds_at_ms()[-1]
    assert -12.0 < gap_ms < 90.0
    assert not first.running
    assert second.running
    assert bench.context.info["device"] == "card two"
    assert bench.context.info["samplerate"] == rate
    assert bench.context.memo["device"] == "card two"


def test_an_output_that_cannot_be_opened_changes_nothing_and_says_why() -> None:
    first = SimulatedOutput("card one", 32_000)
    bench = ChangeBench(first)
    bench.run(500)
    bench.ask("card three")
    bench.run_until(lambda: bench.answers)
    bench.run(500)
    (answer,) = bench.answers
    assert answer[0] == "card three"
    assert "there is no such audio output" in str(answer[1])
    assert bench.totals().counter("ticks.concealed") == 0
    assert first.running
    assert bench.context.info["device"] == "card one"


def test_an_output_that_was_plugged_in_since_then_is_found_where_no_sound_device_plays() -> None:
    first, silence = SimulatedOutput("card one", 32_000), SimulatedOutput("none", 32_000)
    bench = ChangeBench(first, silence)
    bench.plugged = [SimulatedOutput("card new", 48_000)]
    bench.run(500)
    for name in ("card new", "none", "card new"):
        answered = len(bench.answers)
        bench.ask(name)
        while len(bench.answers) == answered:
            bench.run(10)
            threading.Event().wait(0.002)
        for _ in range(60):
            bench.run(10)
            threading.Event().wait(0.001)
    refusal = str(bench.answers[0][1])
    assert "plugged in just now is found after set speaker none" in refusal
    assert bench.answers[1:] == [("none", None), ("card new", None)]
    assert bench.totals().counter("ticks.concealed") == 0


def test_a_refused_change_goes_on_looking_for_an_output_that_has_gone() -> None:
    first = SimulatedOutput("card one", 32_000)
    bench = ChangeBench(first)
    bench.run(1000)
    first.running = False
    with pytest.raises(DeviceLostError):
        bench.run(20)
    again = ChangeBench(first, memo=dict(bench.context.memo))
    again.now = bench.now
    again.run(100)
    again.ask("card three")
    again.run_until(lambda: again.answers)
    assert "there is no such audio output" in str(again.answers[0][1])
    first.running = True
    again.run_until(lambda: again.context.info.get("away") is False)


def test_an_output_with_a_rate_without_whole_ticks_is_closed_and_refused() -> None:
    first = SimulatedOutput("card one", 32_000)
    second = SimulatedOutput("card two", 31_999)
    bench = ChangeBench(first, second)
    bench.run(500)
    bench.ask("card two")
    bench.run_until(lambda: bench.answers)
    assert "not a whole number of samples" in str(bench.answers[0][1])
    assert not second.running
    assert first.running


def test_while_an_output_is_opened_another_change_is_refused_and_the_music_plays() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second)
    bench.run(500)
    bench.may_open.clear()
    bench.ask("card two")
    bench.run(500)
    bench.ask("card one")
    bench.run(20)
    assert "another change is under way" in str(bench.answers[0][1])
    bench.ask("card two")
    bench.run(20)
    assert len(bench.answers) == 1, "who asks for the same one waits for the same answer"
    assert bench.totals().counter("ticks.concealed") == 0
    bench.may_open.set()
    bench.run_until(lambda: len(bench.answers) == 2)
    assert bench.answers[1] == ("card two", None)


def test_the_output_that_plays_is_confirmed_without_opening_it_again() -> None:
    bench = ChangeBench(SimulatedOutput("card one", 32_000))
    bench.run(200)
    bench.ask("card one")
    bench.run(20)
    assert bench.answers == [("card one", None)]
    assert bench.opened == ["card one"]


def test_an_output_that_does_not_answer_is_refused_in_time_and_closed_when_it_comes() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second)
    bench.run(200)
    bench.may_open.clear()
    bench.ask("card two")
    bench.run(10_100)
    assert "does not answer within 10 s" in str(bench.answers[0][1])
    bench.may_open.set()
    bench.run_until(lambda: not second.running)
    assert first.running


def test_a_change_before_the_performance_begins_is_done_at_once() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second)
    bench.ask("card two")
    for _ in range(200):
        bench.run(10, started=False)
        threading.Event().wait(0.002)
    assert bench.answers == [("card two", None)]
    assert not first.running
    bench.run(500)
    assert not first.heard().any()
    assert np.abs(second.heard()).max() > 0.25
    assert bench.totals().counter("ticks.concealed") == 0


def test_the_file_that_comes_next_holds_the_show_s_time_and_a_restart_goes_on_with_it() -> None:
    first, film = SimulatedOutput("card one", 32_000), SimulatedOutput("file", 32_000)
    film.path = Path("sound.wav")
    bench = ChangeBench(first, film, duration_s=60.0)
    bench.run(1000)
    bench.ask("file")
    bench.run_until(lambda: bench.answers)
    ((_, place, length),) = film.spans
    assert place > 20 * TICK_SAMPLES
    assert place % TICK_SAMPLES == 0
    assert length == 60 * 32_000
    assert bench.context.memo["path"] == "sound.wav"
    assert "device" not in bench.context.memo, "a restart must not look for the old one"
    bench.run(400)
    bench.run_until(lambda: not first.running)
    bench.run(50)
    first.running = True
    bench.ask("card one")
    bench.run_until(lambda: bench.context.memo.get("device") == "card one")
    assert "path" not in bench.context.memo, "a restart must not go on with a file that is not in use"


def test_another_output_ends_the_wait_for_one_that_has_gone() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second)
    bench.run(1000)
    first.running = False
    with pytest.raises(DeviceLostError):
        bench.run(20)
    bench.stage.close()
    again = ChangeBench(first, second, memo=dict(bench.context.memo))
    again.now = bench.now
    again.run(400)
    concealed = again.totals().counter("ticks.concealed")
    assert concealed > 5
    again.ask("card two")
    again.run_until(lambda: again.answers)
    again.run(500)
    assert again.answers == [("card two", None)]
    assert np.abs(second.heard()).max() > 0.25
    assert again.context.info["away"] is False
    assert again.context.memo["device"] == "card two"


def test_a_change_that_comes_at_the_end_of_the_show_is_refused() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second, duration_s=1.0)
    bench.run(1000)
    bench.ask("card two")
    bench.run_until(lambda: bench.answers)
    assert "comes too late" in str(bench.answers[0][1])


def test_an_output_that_dies_as_it_takes_over_ends_the_stage_which_a_restart_mends() -> None:
    first, second = SimulatedOutput("card one", 32_000), SimulatedOutput("card two", 48_000)
    bench = ChangeBench(first, second)
    bench.run(500)
    bench.ask("card two")
    bench.run_until(lambda: second.spans)
    second.running = False
    with pytest.raises(StageError, match="stopped"):
        bench.run(100)
    assert bench.answers == []
