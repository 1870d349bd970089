"""The speaker stage on a simulated device: the clock it publishes, what it counts, restarts, and the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.conventions import TICK_NS
from streaming.devices.sound.outputs import ChannelPlan, Feed
from streaming.devices.sound.wav_file import header as wav_header
from streaming.errors import DeviceLostError, StageError, UserError
from streaming.schema.messages import Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.speaker import LEAD_TICKS, SpeakerStage
from streaming.telemetry.metrics import Metrics, Totals

MS = 1_000_000
BLOCK_MS = 5
DELAY_NS = 7 * MS


class FakeOutput:
    """A device that takes a block every 5 ms of simulated time, `ppm` too fast."""

    def __init__(self, samplerate: int, device: str = "") -> None:
        self.name = "fake"
        self.device = device
        self.longest_block = samplerate * BLOCK_MS // 1000
        self.samplerate = samplerate
        self.sides = 1
        self.plans: list[ChannelPlan] = []
        self.latency_s = 0.007
        self.underruns = 0
        self.running = True
        self.feed: Feed | None = None
        self.heard: list[np.ndarray] = []
        self.spans: list[tuple[int, int, int | None]] = []
        self.lines: list[str] = []
        self.path: Path | None = None

    def arrange(self, plan: ChannelPlan) -> None:
        self.plans.append(plan)
        self.sides = max(self.sides, 2 if plan.wide else 1)

    def start(self, feed: Feed) -> None:
        self.feed = feed

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        self.spans.append((position, tick_sample, samples))

    def take(self) -> None:
        assert self.feed is not None
        count = self.samplerate * BLOCK_MS // 1000
        block = np.zeros(count if self.sides == 1 else (count, self.sides), np.float32)
        self.feed(block, DELAY_NS)
        self.heard.append(block)

    def alive(self) -> bool:
        return self.running

    def notes(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def close(self) -> None:
        self.running = False


class SpeakerBench:
    """The stage, its device and a pipeline that sends each tick's sound some time before it is needed."""

    def __init__(
        self,
        rate: int = 32_000,
        memo: dict[str, Any] | None = None,
        now_ns: int = 10**9,
        device: str = "",
        there: bool = True,
        **show: Any,
    ) -> None:
        self.now = now_ns
        self.there = there
        self.output = FakeOutput(rate, device)
        self.stage = SpeakerStage(lambda spec, record, resume: (self.output, "a line"), lambda: self.now, self.find)
        self.finished: list[str] = []
        self.notes: list[str] = []
        self.context = Context(
            show=Show(**show),
            metrics=Metrics(),
            memo={} if memo is None else memo,
            finish=self.finished.append,
            note=self.notes.append,
            now_ns=self.now,
        )
        self.stage.setup(self.context)
        self.said: list[tuple[int, Speaker]] = []
        self.side = 0.0
        """Of the sound, as a share of its middle."""
        self.to_send: dict[int, int] = {}
        self.last_sent = -1
        self.sent: dict[int, np.ndarray] = {}

    def find(self, device: str) -> FakeOutput:
        """The device, where it is there."""
        if not self.there or device != self.output.device:
            raise UserError("there is no such audio output", device, "plug it in")
        return self.output

    def run_until(self, condition: Callable[[], object]) -> None:
        """Run while the search, which has a thread of its own, goes on."""
        for _ in range(500):
            if condition():
                return
            self.run(10)
            threading.Event().wait(0.005)
        raise AssertionError("it never happened")

    def run(self, ms: int, ahead_ms: float = 20.0, lost: frozenset[int] = frozenset(), started: bool = True) -> None:
        for _ in range(ms):
            if self.now // MS % BLOCK_MS == 0 and self.output.feed is not None:
                self.output.take()
            sounds: list[Sound] = []
            for tick, send_ns in sorted(self.to_send.items()):
                if self.now >= send_ns:
                    del self.to_send[tick]
                    if tick not in lost:
                        pcm = np.sin(0.05 * np.arange(1280) + tick).astype(np.float32) * np.float32(0.1)
                        self.sent[tick] = pcm
                        capture = send_ns - 30 * MS
                        side = self.side * pcm if self.side else None
                        sounds.append(Sound(tick=tick, pcm=pcm, side=side, fresh=tick % 2 == 0, capture_ns=capture))
            wake = self.stage.wake_ns()
            if sounds or (wake is not None and self.now >= wake):
                inputs = Inputs({"sound": list(sounds)}, started=started)
                for message in self.stage.step(inputs, self.now):
                    assert isinstance(message, Speaker)
                    self.said.append((self.now, message))
                    for tick in range(max(message.tick, self.last_sent + 1), message.tick + 5):
                        dac = message.dac_ns + (tick - message.tick) * TICK_NS
                        self.to_send[tick] = round(dac - DELAY_NS - ahead_ms * MS)
                        self.last_sent = tick
            self.now += MS

    def totals(self) -> Totals:
        totals = Totals()
        totals.add(self.context.metrics.take())
        return totals


def test_it_plays_silence_until_the_performance_begins() -> None:
    bench = SpeakerBench()
    bench.run(300, started=False)
    assert bench.said == []
    assert bench.totals().counters == {}
    assert not np.concatenate(bench.output.heard).any()
    assert bench.notes == ["a line"]
    assert bench.context.info["device"] == "fake"
    assert bench.context.info["samplerate"] == 32_000


def test_a_show_in_time_is_played_bit_for_bit_and_counted() -> None:
    bench = SpeakerBench(duration_s=2.0)
    bench.run(100, started=False)
    begun = bench.now
    bench.run(2500)
    totals = bench.totals()
    assert totals.counters == {"ticks.expected": 50, "ticks.played": 50}
    assert totals.gauges["samples_played"] == 64_000
    assert bench.finished == ["the duration is over"]
    position, place, length = bench.output.spans[0]
    assert (place, length) == (0, 64_000)
    heard = np.concatenate(bench.output.heard)
    expected = np.concatenate([bench.sent[tick] for tick in range(50)])
    np.testing.assert_array_equal(heard[position : position + 64_000], expected)
    first = bench.said[0][1]
    assert first.tick == 0
    assert LEAD_TICKS * TICK_NS <= first.dac_ns - begun <= LEAD_TICKS * TICK_NS + 30 * MS
    ticks = [message.tick for _, message in bench.said]
    assert [tick for tick in ticks if tick > 0] == list(range(1, 50)), "one message a tick"
    for _, message in bench.said[10:]:
        assert abs(message.dac_ns - (first.dac_ns + message.tick * TICK_NS)) < 1.5 * MS
        assert message.rate_hz == pytest.approx(32_000, rel=2e-3)
    slack = totals.percentile("slack_ms", 50)
    assert slack == pytest.approx(20.0, abs=6.0)
    # fresh ticks only; sent 20 ms before it is needed, captured 30 ms before that, 7 ms in the device
    assert totals.histograms["motion_to_sound_ms"].n == 25
    assert totals.percentile("motion_to_sound_ms", 50) == pytest.approx(57.0, abs=3.0)
    assert totals.gauges["level_db"] == pytest.approx(-23.0, abs=0.2)


def test_left_and_right_go_to_the_two_channels_of_an_output_that_has_them() -> None:
    bench = SpeakerBench(duration_s=1.0, controls={"width": 0.5}, channels="3,4")
    assert bench.output.plans == [ChannelPlan((3, 4), wide=True)]
    bench.run(500)
    bench.side = 0.5
    bench.run(1000)
    heard = np.concatenate(bench.output.heard)[bench.output.spans[0][0] :]
    played = np.concatenate([bench.sent[tick] for tick in range(25)])
    share = np.where(np.abs(played) > 0.01, heard[: played.size].T / np.where(played == 0.0, 1.0, played), np.nan)
    left, right = np.nanmedian(share[:, -5 * 1280 :], axis=1)
    assert (left, right) == (pytest.approx(1.5), pytest.approx(0.5))
    np.testing.assert_array_equal(heard[: 5 * 1280, 0], heard[: 5 * 1280, 1])
    assert bench.totals().counters == {"ticks.expected": 25, "ticks.played": 25}


def test_the_two_sides_are_resampled_alike() -> None:
    bench = SpeakerBench(48_000, duration_s=1.0, controls={"width": 0.5})
    bench.side = -0.25
    bench.run(1500)
    heard = np.concatenate(bench.output.heard)
    inside = np.abs(heard[:, 0]) > 0.02
    np.testing.assert_allclose(heard[inside, 1] / heard[inside, 0], 1.25 / 0.75, rtol=1e-3)


def test_one_channel_gets_the_mix_and_says_so_once() -> None:
    bench = SpeakerBench(duration_s=1.0)
    assert bench.output.plans == [ChannelPlan()]
    bench.side = 0.5
    bench.run(1500)
    assert [note for note in bench.notes if "mixed in one channel" in note] == bench.notes[1:]
    position = bench.output.spans[0][0]
    expected = np.concatenate([bench.sent[tick] for tick in range(25)])
    np.testing.assert_array_equal(np.concatenate(bench.output.heard)[position : position + 32_000], expected)


def test_a_show_that_began_without_a_width_goes_on_with_one_channel_after_a_restart() -> None:
    bench = SpeakerBench(duration_s=4.0)
    bench.run(500)
    again = SpeakerBench(memo=dict(bench.context.memo), now_ns=bench.now, duration_s=4.0, controls={"width": 1.0})
    assert again.output.plans == [ChannelPlan()]


def test_missing_and_late_ticks_are_concealed_counted_and_reported_as_negative_slack() -> None:
    bench = SpeakerBench()
    bench.run(2000, lost=frozenset({5, 30, 31}))
    totals = bench.totals()
    assert totals.counter("ticks.concealed") == 3
    assert totals.counter("ticks.concealed_start") == 1
    assert totals.counter("ticks.expected") == totals.counter("ticks.played") + 3
    bench.run(400, ahead_ms=-15.0)
    late = bench.totals()
    assert late.counter("late") >= 3
    assert late.counter("ticks.concealed") >= 3
    assert min(message.slack_ms for _, message in bench.said if message.slack_ms is not None) < -10.0
    assert bench.said[-1][1].concealed == totals.counter("ticks.concealed") + late.counter("ticks.concealed")


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_other_rates_are_resampled_and_counted_at_the_codec_rate(rate: int) -> None:
    bench = SpeakerBench(rate, duration_s=1.0)
    bench.run(1500)
    totals = bench.totals()
    assert totals.counters == {"ticks.expected": 25, "ticks.played": 25}
    assert totals.gauges["samples_played"] == 32_000
    assert bench.said[-1][1].rate_hz == pytest.approx(32_000, rel=2e-3)
    assert np.abs(np.concatenate(bench.output.heard)).max() == pytest.approx(0.1, abs=0.01)
    # one more millisecond, for the resampler
    assert totals.percentile("motion_to_sound_ms", 50) == pytest.approx(58.0, abs=3.0)


def test_a_restart_keeps_the_grid_and_counts_what_was_lost() -> None:
    bench = SpeakerBench(duration_s=4.0)
    bench.run(1500)
    memo = dict(bench.context.memo)
    before = bench.totals()
    old = bench.said[-1][1]
    again = SpeakerBench(memo=memo, now_ns=bench.now + 500 * MS + 3 * MS, duration_s=4.0)
    assert again.context.memo is memo
    again.run(4000)
    totals = again.totals()
    assert before.counter("ticks.expected") + totals.counter("ticks.expected") == 100
    lost = totals.counter("ticks.concealed")
    assert 12 <= lost <= 19, "half a second, and what it takes to begin"
    assert before.counter("ticks.played") + totals.counter("ticks.played") == 100 - lost
    first = again.said[0][1]
    assert first.dac_ns > bench.now
    drift = first.dac_ns - (old.dac_ns + (first.tick - old.tick) * TICK_NS)
    assert abs(drift) < 2 * MS, "ticks go on where they would have been"
    assert again.finished == ["the duration is over"]
    assert totals.gauges["samples_played"] == (100 - lost) * 1280
    _, place, length = again.output.spans[0]
    assert (place, length) == (first.tick * 1280, 128_000)
    assert again.said[-1][1].concealed == lost


def test_a_restart_after_the_end_only_ends() -> None:
    bench = SpeakerBench(duration_s=1.0)
    bench.run(900)
    again = SpeakerBench(memo=dict(bench.context.memo), now_ns=bench.now + 10**10, duration_s=1.0)
    again.run(200)
    assert again.finished == ["the duration is over"]
    assert bench.totals().counter("ticks.expected") + again.totals().counter("ticks.expected") == 25


def test_underruns_notes_and_a_device_that_stops() -> None:
    bench = SpeakerBench()
    bench.output.underruns = 1
    bench.run(20)
    assert (bench.totals().counter("underruns_before"), bench.totals().counter("underruns")) == (1, 0)
    bench.run(280)
    bench.output.underruns = 3
    bench.output.lines = ["the disk is full"]
    bench.run(20)
    assert bench.notes[-1] == "the disk is full"
    assert bench.totals().counter("underruns") == 2
    bench.output.running = False
    with pytest.raises(StageError, match="fake"):
        bench.run(20)
    bench.stage.close()


def test_a_device_that_goes_and_comes_back_with_another_rate_costs_the_ticks_it_was_away() -> None:
    first = SpeakerBench(48_000, device="card", duration_s=8.0)
    first.run(1500)
    before = first.totals()
    old = first.said[-1][1]
    first.output.running = False
    with pytest.raises(DeviceLostError):
        first.run(20)
    assert first.notes[-1] == "fake has gone; the show goes on without its sound, and it is looked for until it is back"
    second = SpeakerBench(
        44_100, memo=first.context.memo, now_ns=first.now + 300 * MS, device="card", there=False, duration_s=8.0
    )
    second.run(2000)
    assert second.context.info["away"]
    ticks = [message.tick for _, message in second.said]
    assert ticks[-1] - ticks[0] >= 48, "its time goes on"
    away = [message for _, message in second.said]
    assert all(abs(said.dac_ns - old.dac_ns - (said.tick - old.tick) * TICK_NS) < 2 * MS for said in away[1:])
    second.there = True
    second.run_until(lambda: second.output.heard)
    second.run(1000)
    last = second.said[-1][1]
    assert abs(last.dac_ns - old.dac_ns - (last.tick - old.tick) * TICK_NS) < 3 * MS, "at the right tick"
    assert not second.context.info["away"]
    assert "fake is back after" in second.notes[-1]
    assert "44100 Hz" in second.notes[-1]
    totals = second.totals()
    lost, back = first.totals().counter("device_lost"), totals.counter("device_back")
    assert (lost, back) == (1, 1)
    assert totals.counter("away_ms") == 40 * totals.counter("ticks.concealed")
    assert totals.counter("ticks.played") >= 20
    counted = before.counter("ticks.expected") + totals.counter("ticks.expected")
    assert counted == last.tick + 1, "none is missing"
    heard = np.concatenate(second.output.heard)
    begin = int(np.argmax(np.abs(heard) > 0))
    assert np.abs(np.diff(heard[begin - 1 : begin + 400])).max() < 0.02, "it does not click"


def test_a_show_whose_device_stays_away_ends_in_time() -> None:
    first = SpeakerBench(device="card", duration_s=2.0)
    first.run(900)
    first.output.running = False
    with pytest.raises(DeviceLostError):
        first.run(20)
    second = SpeakerBench(
        memo=first.context.memo, now_ns=first.now + 300 * MS, device="card", there=False, duration_s=2.0
    )
    second.run(1500)
    assert second.finished == ["the duration is over"]
    assert first.totals().counter("ticks.expected") + second.totals().counter("ticks.expected") == 50
    second.stage.close()


def test_several_underruns_say_once_what_helps() -> None:
    bench = SpeakerBench(48_000)
    bench.run(500)
    for underruns in (1, 2, 3, 9):
        bench.output.underruns = underruns
        bench.run(20)
    advice = [note for note in bench.notes if "underruns" in note]
    assert len(advice) == 1
    assert "240 frames (5.0 ms)" in advice[0]
    assert "480 frames" in advice[0]


def test_sound_that_cannot_be_played_is_counted() -> None:
    bench = SpeakerBench()
    bench.run(300)
    at = bench.said[-1][1].tick + 6
    bad = [Sound(tick=at, pcm=np.zeros(7, np.float32)), Sound(tick=at, pcm=np.full(1280, np.nan, np.float32))]
    bench.stage.step(Inputs({"sound": list(bad)}, started=True), bench.now)
    bench.run(20)
    assert bench.totals().counter("bad") == 2


def test_it_closes_after_a_setup_that_failed() -> None:
    SpeakerStage().close()


def test_a_show_that_does_not_begin_leaves_an_earlier_take_as_it_was(tmp_path: Path) -> None:
    """Not even a stage that was started again before the show goes on with a file that this show has not made."""
    path = tmp_path / "last.wav"
    take = wav_header(32_000, 64_000) + bytes(64_000)
    path.write_bytes(take)
    memo: dict[str, Any] = {}
    for _ in range(2):
        stage = SpeakerStage()
        stage.setup(Context(Show(speaker=f"file:{path}"), Metrics(), memo=memo))
        stage.step(Inputs(), 0)
        stage.close()
        assert "path" not in memo
    assert path.read_bytes() == take
    assert list(tmp_path.iterdir()) == [path]


def counts_from(first: int) -> tuple[int, ...]:
    """What a speaker that is started again at a tick counts in two seconds, as differences from where it began."""
    lost = 7
    memo = {
        "tick": first,
        "dac_ns": 10**9 - 40 * MS,
        "tick_ns": float(TICK_NS),
        "played": first - lost,
        "concealed": lost,
        "samples": (first - lost) * 1280,
    }
    bench = SpeakerBench(memo=memo)
    bench.run(2_000)
    newest, totals = bench.said[-1][1], bench.totals()
    assert newest.played + newest.concealed == newest.tick + 1
    assert "ticks.concealed_start" not in totals.counters
    samples = totals.gauges["samples_played"] - (first - lost) * 1280
    assert samples == int(samples) > 0
    counted = (totals.counter(f"ticks.{name}") for name in ("expected", "played", "concealed"))
    return newest.tick - first, newest.dac_ns, newest.played - first, newest.concealed, int(samples), *counted


def test_after_a_thousand_hours_every_count_is_as_exact_as_in_the_first_minute() -> None:
    assert counts_from(1_000 * 3_600 * 25) == counts_from(1_000)
