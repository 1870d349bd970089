"""The microphone stage: whole ticks of the input's clock, numbered from the start, also after a loss or a restart."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from streaming.devices.sound.inputs import Intake
from streaming.errors import DeviceLostError, StageError, UserError
from streaming.schema.messages import Message, Microphone, Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.microphone import MicrophoneStage
from streaming.telemetry.metrics import Metrics

MS = 1_000_000


class FakeInput:
    """An input of any rate that hands over what a test says."""

    def __init__(self, rate: int, device: str = "") -> None:
        self.name, self.device, self.samplerate = "fake", device, rate
        self.overruns, self.ended, self.there, self.waits = 0, False, True, False
        self.loss = ""
        self.intake: Intake | None = None
        self.skipped_s = 0.0
        self.away: bool | None = None

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        self.intake, self.skipped_s = intake, skip_s

    def alive(self) -> bool:
        return self.there

    def close(self) -> None:
        self.there = False


class MicrophoneBench:
    """A stage on virtual time: `pass_ms` lets time pass and the input hear a steady tone."""

    def __init__(
        self,
        rate: int = 32_000,
        memo: dict[str, Any] | None = None,
        device: str = "",
        there: bool = True,
        now_ns: int = 5_000 * MS,
        **show: Any,
    ) -> None:
        self.input, self.metrics, self.now, self.given = FakeInput(rate, device), Metrics(), now_ns, 0
        self.there = there
        self.finished: list[str] = []
        self.notes: list[str] = []
        self.loudness = 0.5
        self.stage = MicrophoneStage(lambda spec: (self.input, ""), lambda: self.now, self.find)
        settings = {"direction": "music-to-video", "duration_s": None, **show}
        self.context = Context(
            Show(**settings),
            self.metrics,
            memo=memo or {},
            now_ns=self.now,
            finish=self.finished.append,
            note=self.notes.append,
        )
        self.stage.setup(self.context)
        self.started = False

    def find(self, device: str) -> FakeInput:
        """The device, where it is there."""
        if not self.there or device != self.input.device:
            raise UserError("there is no such audio input", device, "plug it in")
        return self.input

    def pass_ms(self, milliseconds: int, step: bool = True) -> list[Microphone]:
        heard: list[Any] = []
        for _ in range(milliseconds // 5):
            self.now += 5 * MS
            count = self.input.samplerate // 200
            tone = self.loudness * np.sin(2 * np.pi * 250 * (self.given + np.arange(count)) / self.input.samplerate)
            if self.input.intake is not None:
                self.input.intake(tone.astype(np.float32), 5 * MS)
                self.given += count
            if step:
                heard += self.stage.step(Inputs(started=self.started), self.now)
        return heard


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
def test_every_tick_after_the_start_is_published_with_its_time(rate: int) -> None:
    show = MicrophoneBench(rate)
    assert show.pass_ms(100) == []
    show.started = True
    begun = show.now
    heard = show.pass_ms(1000)
    assert [message.tick for message in heard] == list(range(len(heard)))
    assert 24 <= len(heard) <= 25
    for message in heard:
        assert message.pcm.shape == (1280,)
        assert message.pcm.dtype == np.float32
        assert message.capture_ns == pytest.approx(begun + message.tick * 40 * MS, abs=7 * MS)
    assert heard[-1].level_db == pytest.approx(-9.0, abs=0.1)
    joined = np.concatenate([message.pcm for message in heard[2:]])
    assert np.abs(np.diff(joined)).max() < 0.5 * 2 * np.pi * 250 / 32_000 * 1.05, "no seam between ticks"


def test_ticks_that_could_not_be_taken_leave_a_gap() -> None:
    show = MicrophoneBench()
    show.started = True
    before = show.pass_ms(400)
    show.pass_ms(2500, step=False)
    after = show.pass_ms(200)
    assert after[0].tick > before[-1].tick + 1
    assert after[-1].tick == pytest.approx(before[-1].tick + 67, abs=1), "they are counted on"
    assert show.metrics.take().counters["samples_lost"] % 1280 == 0


def test_a_microphone_that_goes_is_silent_and_comes_back_in_step() -> None:
    first = MicrophoneBench(48_000, device="card")
    first.started = True
    heard = first.pass_ms(1000)
    first.input.there = False
    with pytest.raises(DeviceLostError):
        first.pass_ms(20)
    assert first.notes == ["fake has gone; nothing is heard, and it is looked for until it is back"]
    second = MicrophoneBench(44_100, memo=first.context.memo, device="card", there=False, now_ns=first.now + 500 * MS)
    second.started = True
    silent = second.pass_ms(1000)
    assert [message.tick for message in silent] == list(range(heard[-1].tick + 1, silent[-1].tick + 1))
    assert len(silent) == pytest.approx(37, abs=1), "those of half a second before it was started again, too"
    assert not any(message.pcm.any() for message in silent)
    second.there = True
    back: list[Microphone] = []
    for _ in range(500):
        back += second.pass_ms(10)
        if back and back[-1].pcm.any():
            break
        threading.Event().wait(0.005)
    back += second.pass_ms(600)
    ticks = [message.tick for message in [*heard, *silent, *back]]
    assert ticks == sorted(set(ticks))
    assert len(ticks) >= ticks[-1] - 2, "at most the tick in which it came back is missing"
    for message in back:
        assert message.capture_ns - heard[0].capture_ns == pytest.approx(40 * MS * message.tick, abs=6 * MS)
    assert back[-1].level_db == pytest.approx(-9.0, abs=0.1)
    assert "fake is back after" in second.notes[-1]
    counters = second.metrics.take().counters
    assert counters["device_back"] == 1
    assert counters["away_ms"] >= 40 * len(silent)


def test_a_restarted_stage_counts_on_as_if_time_had_run() -> None:
    first = MicrophoneBench()
    first.started = True
    last = first.pass_ms(400)[-1]
    second = MicrophoneBench(memo=dict(first.context.memo))
    second.now = first.now + 1000 * MS
    second.started = True
    again = second.pass_ms(200)[0]
    assert again.tick == pytest.approx(last.tick + 26, abs=2)


def test_a_sender_that_goes_is_said_and_counted_and_so_is_its_return() -> None:
    """A browser's microphone: the input stays, and is silent meanwhile."""
    show = MicrophoneBench()
    show.started = True
    ticks = show.pass_ms(200)
    assert not show.notes, "it has not come yet"
    show.input.away = False
    ticks += show.pass_ms(200)
    show.input.away = True
    ticks += show.pass_ms(400)
    assert show.context.info["away"] is True
    show.input.away = False
    ticks += show.pass_ms(200)
    assert show.context.info["away"] is False
    assert [message.tick for message in ticks] == list(range(len(ticks)))
    assert [line.split(";")[0] for line in show.notes] == ["fake has gone", "fake is back after 0.4 s, at 32000 Hz"]
    counters = show.metrics.take().counters
    assert (counters["device_lost"], counters["device_back"], counters["away_ms"]) == (1, 1, 400)


def test_a_file_begins_with_the_performance_and_goes_on_where_it_would_be_after_a_restart() -> None:
    show = MicrophoneBench()
    show.input.waits, show.input.intake = True, None
    first = MicrophoneStage(lambda spec: (show.input, ""), lambda: show.now)
    context = Context(Show(direction="music-to-video"), Metrics(), now_ns=show.now)
    first.setup(context)
    assert show.input.intake is None, "it does not play to nobody"
    first.step(Inputs(started=True), show.now)
    assert show.input.intake is not None
    assert show.input.skipped_s == 0.0
    second = MicrophoneStage(lambda spec: (show.input, ""), lambda: show.now)
    memo = {"tick": 100, "capture_ns": show.now - 400 * MS}
    second.setup(Context(Show(direction="music-to-video"), Metrics(), memo=memo, now_ns=show.now))
    second.step(Inputs(started=True), show.now)
    assert show.input.skipped_s == pytest.approx(4.4)


def test_without_a_device_the_show_hears_itself_where_it_plays() -> None:
    opened = MicrophoneBench().input
    notes: list[str] = []
    stage = MicrophoneStage(lambda spec: (opened, "no microphone (none; none found); nothing is heard"))
    stage.setup(Context(Show(direction="both"), Metrics(), note=notes.append))
    assert not opened.there, "it is closed"
    assert notes == ["no microphone (none; none found); the picture moves to the show's own music"]
    (heard,) = stage.step(Inputs({"sound": [Sound(tick=3, pcm=np.zeros(1280, np.float32))]}), 0)
    assert isinstance(heard, Microphone)
    assert heard.tick == 3


def test_what_the_show_plays_into_its_own_microphone_is_taken_out() -> None:
    def heard_with(direction: str) -> float:
        show = MicrophoneBench(direction=direction)
        show.started = True
        rng = np.random.default_rng(0)
        tones, levels = [], []
        for tick in range(150):
            tones.append(0.1 * rng.normal(size=1280).astype(np.float32))
            speaker = Speaker(tick=tick, dac_ns=show.now)
            messages: dict[str, list[Message]] = {"sound": [Sound(tick=tick, pcm=tones[-1])], "speaker": [speaker]}
            heard = show.stage.step(Inputs(messages, started=True), show.now)
            levels += [message.level_db for message in heard if isinstance(message, Microphone)]
            for part in range(8):
                show.now += 5 * MS
                assert show.input.intake is not None
                show.input.intake(tones[-1][part * 160 : (part + 1) * 160], 5 * MS)
        return float(np.mean(levels[-40:]))

    assert heard_with("music-to-video") > -23.0, "nothing is played by that show: all that is heard counts"
    assert heard_with("both") < -40.0


def test_it_ends_with_its_time_or_its_file_where_there_is_no_speaker() -> None:
    show = MicrophoneBench(duration_s=1.0)
    show.started = True
    heard = show.pass_ms(1500)
    assert [heard[0].tick, heard[-1].tick] == [0, 24]
    assert show.finished == ["the duration is over"]
    show = MicrophoneBench()
    show.started = True
    show.pass_ms(100)
    assert show.finished == []
    show.input.ended = True
    show.pass_ms(100)
    assert show.finished == ["the sound file ended"]
    both = MicrophoneBench(direction="both")
    both.started = both.input.ended = True
    both.pass_ms(100)
    assert both.finished == [], "the speaker says when"


def test_a_device_that_has_gone_ends_the_stage_and_overruns_are_counted() -> None:
    show = MicrophoneBench()
    show.started = True
    show.input.overruns = 3
    show.pass_ms(50)
    assert show.metrics.take().counters["overruns"] == 3
    show.input.there = False
    with pytest.raises(StageError, match="has stopped"):
        show.pass_ms(50)


def test_the_show_itself_is_heard_with_the_time_at_which_it_is_played() -> None:
    metrics = Metrics()
    stage = MicrophoneStage(lambda spec: pytest.fail("no device is opened"))
    stage.setup(Context(Show(microphone="self"), metrics))
    assert stage.wake_ns() is None
    pcm = np.full(1280, 0.1, np.float32)
    early = stage.step(Inputs({"sound": [Sound(tick=0, pcm=pcm)]}), 0)
    assert early[0].capture_ns == 0, "nobody knows yet"
    speaker = Speaker(tick=7, dac_ns=10_000 * MS)
    both = {"speaker": [speaker], "sound": [Sound(tick=9, pcm=pcm), Sound(tick=10, pcm=pcm[:5])]}
    (heard,) = stage.step(Inputs(both), 0)  # type: ignore[arg-type]
    assert isinstance(heard, Microphone)
    assert (heard.tick, heard.capture_ns) == (9, 10_080 * MS)
    assert heard.level_db == pytest.approx(-20.0, abs=0.01)


@pytest.mark.parametrize("loudness", [0.0, 2e-4])
def test_a_microphone_that_hears_nothing_for_10_s_is_said_once(loudness: float) -> None:
    """Digital silence, and -77 dB of full scale."""
    show = MicrophoneBench(direction="both")
    show.started, show.loudness = True, loudness
    show.pass_ms(9_500)
    assert show.notes == []
    assert "silent_s" not in show.context.info
    show.pass_ms(1_000)
    line = "the microphone is silent: plug in, choose another with --microphone, or --microphone self"
    assert show.notes == [line]
    assert show.context.info["silent_s"] == 10
    show.pass_ms(10_500)
    show.loudness = 0.5
    show.pass_ms(1_000)
    show.loudness = loudness
    show.pass_ms(10_500)
    assert show.notes == [line]
    assert show.context.info["silent_s"] == 20, "the longest silence"
    again = MicrophoneBench(memo=dict(show.context.memo), direction="both")
    again.now, again.started, again.loudness = show.now, True, loudness
    again.pass_ms(11_000)
    assert again.notes == [], "not by a restarted stage either"


def test_what_is_soft_but_there_is_not_called_silent() -> None:
    show = MicrophoneBench()
    show.started, show.loudness = True, 5e-4  # -69 dB
    show.pass_ms(11_000)
    assert show.notes == []


def test_where_nothing_is_to_be_heard_nothing_is_said_of_silence() -> None:
    none = MicrophoneBench()
    none.input.name = "none"
    over = MicrophoneBench(direction="both")
    over.input.ended = True
    for show in (none, over):
        show.started, show.loudness = True, 0.0
        show.pass_ms(11_000)
        assert show.notes == []
