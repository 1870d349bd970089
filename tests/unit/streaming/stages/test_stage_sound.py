"""The sound stage: order, gaps, bad codes, and sound that is not finite or too loud."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.audio.levels import decibels
from streaming.audio.true_peak_limiter import DELAY_SAMPLES
from streaming.schema.messages import TOPICS, Set, Sound, Tokens
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.sound import SoundStage
from streaming.telemetry.metrics import Metrics
from streaming.transport import wire

DELAY_NS = round(DELAY_SAMPLES / 32_000 * 1e9)


class FakeDecoder:
    """Gives the running number of its steps and the first code, so that order and state can be seen."""

    spec = EngineSpec("decoder", "fake")

    def __init__(self) -> None:
        self.steps = 0
        self.resets = 0
        self.out: np.ndarray | None = None

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        codes = inputs["frames"]
        if bands := self.spec.config.get("mel_dim"):
            assert codes.shape == (bands, 2)
            assert codes.dtype == np.float32
            return {"pcm": np.full(1280, codes[0, 0], np.float32)}
        assert codes.shape == (4, 2)
        assert codes.dtype == np.int16
        self.steps += 1
        if self.out is not None:
            return {"pcm": self.out}
        return {"pcm": np.full(1280, codes[0, 0] / 4096.0 + self.steps * 1e-4, np.float32)}

    def reset(self) -> None:
        self.steps = 0
        self.resets += 1


def tokens(tick: int, code: int = 5, **kwargs: Any) -> Tokens:
    return Tokens(tick=tick, frames=np.full((4, 2), code, np.int16), **kwargs)


@pytest.fixture
def ready() -> tuple[SoundStage, FakeDecoder, Metrics]:
    engine, metrics = FakeDecoder(), Metrics()
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    context = Context(show=Show(), metrics=metrics)
    stage.setup(context)
    assert context.info["backend"] == "fake"
    assert engine.steps == 0, "the warm-up is forgotten"
    return stage, engine, metrics


def step(stage: SoundStage, *messages: Tokens) -> list[Sound]:
    found = stage.step(Inputs({"tokens": list(messages)}), 0)
    assert all(isinstance(message, Sound) for message in found)
    return list(found)  # type: ignore[arg-type]


def test_ticks_are_decoded_in_order_and_carry_their_origin(ready: Any) -> None:
    stage, _, metrics = ready
    first, second = step(stage, tokens(0, 8, fresh=True, capture_ns=10_000_077, stamps={"camera": 1}), tokens(1, 9))
    assert (first.tick, first.fresh, first.capture_ns, first.stamps) == (0, True, 10_000_077 - DELAY_NS, {"camera": 1})
    assert (second.tick, second.fresh) == (1, False)
    assert first.pcm.shape == (1280,)
    assert first.pcm.dtype == np.float32
    assert first.pcm[DELAY_SAMPLES] == pytest.approx(8 / 4096 + 1e-4)
    assert second.pcm[DELAY_SAMPLES] == pytest.approx(9 / 4096 + 2e-4)
    health = metrics.take()
    assert health.counters == {}
    assert health.gauges["level_db"] == pytest.approx(decibels(second.pcm))


def test_gaps_repeats_and_a_clock_that_begins_anew(ready: Any) -> None:
    stage, engine, metrics = ready
    assert [sound.tick for sound in step(stage, tokens(10), tokens(14), tokens(14), tokens(12))] == [10, 14]
    assert engine.steps == 2, "the state goes on across the gap"
    assert metrics.take().counters == {"gaps": 3, "repeats": 2}
    assert [sound.tick for sound in step(stage, tokens(200), tokens(0), tokens(1))] == [200, 0, 1]


@pytest.mark.parametrize(
    "frames",
    [
        np.full((4, 2), 2048, np.int16),
        np.full((4, 2), -1, np.int16),
        np.zeros((4, 3), np.int16),
        np.zeros((4, 2), np.float32),
        np.full((4, 2), 70_000, np.int64),
        None,
    ],
)
def test_codes_that_are_no_codes_repeat_the_last_ones(ready: Any, frames: Any) -> None:
    stage, _, metrics = ready
    step(stage, tokens(0, 100))
    (sound,) = step(stage, Tokens(tick=1, frames=frames))
    assert sound.pcm[-1] == pytest.approx(100 / 4096 + 2e-4)
    assert metrics.take().counters == {"bad": 1}


@pytest.mark.parametrize("out", [np.full(1280, np.nan, np.float32), np.zeros(7, np.float32)])
def test_sound_that_is_none_becomes_silence_and_the_decoder_begins_anew(ready: Any, out: np.ndarray) -> None:
    stage, engine, metrics = ready
    engine.out = out
    resets = engine.resets
    (sound,) = step(stage, tokens(0))
    np.testing.assert_array_equal(sound.pcm, np.zeros(1280, np.float32))
    assert engine.resets == resets + 1
    assert metrics.take().counters == {"nan": 1}


def test_spectrograms_are_decoded_and_what_is_none_repeats_the_last_one() -> None:
    engine, metrics = FakeDecoder(), Metrics()
    engine.spec = EngineSpec("decoder", "fake", config={"mel_dim": 7})
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(), metrics=metrics))
    good = np.full((7, 2), 0.25, np.float32)
    broken = good.copy()
    broken[3, 1] = np.nan
    frames: list[np.ndarray] = [good, broken, np.zeros((4, 2), np.int16)]
    sounds = step(stage, *(Tokens(tick=tick, frames=one) for tick, one in enumerate(frames)))
    assert [float(sound.pcm[-1]) for sound in sounds] == [0.25] * 3
    assert metrics.take().counters == {"bad": 2}


def test_what_a_decoder_that_looks_ahead_says_was_seen_earlier() -> None:
    engine = FakeDecoder()
    engine.spec = EngineSpec("decoder", "fake", latency_samples=2402)
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(), metrics=Metrics()))
    (sound,) = stage.step(Inputs({"tokens": [tokens(0, capture_ns=1_000_000_000)]}), 0)
    assert isinstance(sound, Sound)
    assert sound.capture_ns == 1_000_000_000 - round((2402 + DELAY_SAMPLES) / 32_000 * 1e9)
    (unknown,) = stage.step(Inputs({"tokens": [tokens(1)]}), 0)
    assert unknown.capture_ns == 0


def heard(stage: SoundStage, ticks: range, *changes: Set) -> np.ndarray:
    """The sound of some ticks; the changes arrive with the first."""
    sounds = stage.step(Inputs({"tokens": [tokens(tick) for tick in ticks]}, controls=list(changes)), 0)
    return np.concatenate([sound.pcm for sound in sounds if isinstance(sound, Sound)])


def test_volume_and_mute_change_the_sound_within_the_time_of_the_fade(ready: Any) -> None:
    stage, engine, metrics = ready
    engine.out = np.full(1280, 0.1, np.float32)
    heard(stage, range(1))
    quieter = heard(stage, range(1, 5), Set(name="volume", value=-20.0), Set(name="fade", value=0.1))
    assert quieter[DELAY_SAMPLES] == pytest.approx(0.1, rel=0.001), "the fade begins at the tick's first sample"
    assert 0.01 < quieter[1600 + DELAY_SAMPLES] < 0.1, "half-way"
    np.testing.assert_allclose(quieter[3200 + DELAY_SAMPLES :], 0.01, rtol=1e-5)
    silent = heard(stage, range(5, 9), Set(name="mute", value=1.0))
    assert silent[0] == pytest.approx(0.01, rel=1e-5)
    np.testing.assert_array_equal(silent[3200 + DELAY_SAMPLES :], 0.0)
    back = heard(stage, range(9, 13), Set(name="mute", value=0.0))
    np.testing.assert_allclose(back[3200 + DELAY_SAMPLES :], 0.01, rtol=1e-5)
    assert metrics.take().counters == {}


def test_panic_is_silence_within_its_tick_whatever_else_fades_and_the_decoder_begins_anew(ready: Any) -> None:
    stage, engine, _ = ready
    engine.out = np.full(1280, 0.1, np.float32)
    heard(stage, range(1))
    slow = heard(stage, range(1, 3), Set(name="fade", value=30.0), Set(name="mute", value=1.0))
    assert slow[-1] > 0.05, "the mute takes its 30 s"
    resets = engine.resets
    silent = heard(stage, range(3, 6), Set(name="panic", value=1.0))
    np.testing.assert_array_equal(silent[200 + DELAY_SAMPLES :], 0.0)
    assert engine.resets == resets + 1
    still = heard(stage, range(6, 8), Set(name="mute", value=0.0), Set(name="volume", value=6.0))
    np.testing.assert_array_equal(still, 0.0)
    back = heard(
        stage, range(8, 12), Set(name="volume", value=0.0), Set(name="fade", value=0.05), Set(name="panic", value=0.0)
    )
    assert back[1600 + DELAY_SAMPLES :] == pytest.approx(0.1)
    assert engine.resets == resets + 1


def test_a_show_that_begins_muted_is_silent_from_the_first_sample() -> None:
    engine = FakeDecoder()
    engine.out = np.full(1280, 0.5, np.float32)
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(controls={"mute": 1.0}), metrics=Metrics()))
    np.testing.assert_array_equal(heard(stage, range(2)), 0.0)


def test_a_value_out_of_range_is_refused_and_the_present_one_stays() -> None:
    engine, lines = FakeDecoder(), list[str]()
    engine.out = np.full(1280, 0.5, np.float32)
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(), metrics=Metrics(), note=lines.append))
    np.testing.assert_array_equal(heard(stage, range(2), Set(name="volume", value=40.0))[DELAY_SAMPLES:], 0.5)
    assert len(lines) == 1
    assert "volume" in lines[0]


def test_no_peak_passes_minus_one_db_however_loud_the_decoder_and_the_volume_are() -> None:
    engine, metrics = FakeDecoder(), Metrics()
    engine.out = (1.5 * np.sin(2 * np.pi * 440 * np.arange(1280) / 32_000)).astype(np.float32)
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(controls={"volume": 6.0}), metrics=metrics))
    assert np.abs(heard(stage, range(5))).max() <= 10 ** (-1 / 20)
    assert metrics.take().gauges["limited_db.max"] == pytest.approx(20 * np.log10(1.5 * 2) + 1.1, abs=0.2)


def test_the_gain_of_the_tokens_is_followed_smoothly_and_what_is_no_number_is_ignored(ready: Any) -> None:
    stage, engine, _ = ready
    engine.out = np.full(1280, 0.5, np.float32)
    gains = [0.0, 0.0, 1.0, 1.0, 0.5, 0.0, 0.0, float("nan"), 7.0]
    sounds = step(stage, *(tokens(tick, gain=gain) for tick, gain in enumerate(gains)))
    assert not sounds[0].pcm.any()
    assert not sounds[1].pcm.any()
    opening = sounds[2].pcm[DELAY_SAMPLES : DELAY_SAMPLES + 320]
    assert (np.diff(opening) > 0).all()
    assert np.diff(opening).max() < 0.003
    np.testing.assert_array_equal(sounds[3].pcm, 0.5)
    assert sounds[5].pcm[0] == pytest.approx(0.25, rel=0.02)
    assert not sounds[6].pcm[DELAY_SAMPLES:].any()
    np.testing.assert_array_equal(sounds[8].pcm, 0.5)


def test_the_level_of_the_voice_is_corrected_without_a_click(ready: Any) -> None:
    stage, engine, _ = ready
    engine.out = np.full(1280, 0.2, np.float32)
    levels = 5 * [0.0] + 15 * [6.0] + [float("nan")] + 15 * [60.0]
    pcm = np.concatenate([sound.pcm for sound in step(stage, *(tokens(n, level_db=db) for n, db in enumerate(levels)))])
    np.testing.assert_allclose(pcm[2 * 1280 : 5 * 1280], 0.2, rtol=1e-5)
    assert pcm[19 * 1280] == pytest.approx(0.2 * 10 ** (6 / 20), rel=1e-3)
    assert np.abs(np.diff(pcm[1280:])).max() < 1e-3
    assert pcm[-1] == pytest.approx(0.2 * 10 ** (10 / 20), rel=1e-3), "no correction is larger than 10 dB"


def test_width_and_room_are_live_and_the_other_listeners_hear_the_mono_sum(ready: Any) -> None:
    stage, engine, _ = ready
    engine.out = (0.1 * np.sin(2 * np.pi * 440 * np.arange(1280) / 32_000)).astype(np.float32)
    (dry,) = step(stage, tokens(0))
    assert dry.side is None
    changes = [Set(name="width", value=1.0), Set(name="room", value=0.5)]
    sounds = stage.step(Inputs({"tokens": [tokens(tick) for tick in range(1, 30)]}, controls=list(changes)), 0)
    last = sounds[-1]
    assert isinstance(last, Sound)
    assert last.side is not None
    assert last.side.shape == (1280,)
    assert last.side.dtype == last.pcm.dtype == np.float32
    assert decibels(last.side) > -50.0
    received = wire.unpack(list(wire.pack(last, TOPICS["sound"])), TOPICS["sound"])
    assert isinstance(received, Sound)
    assert received.side is not None
    np.testing.assert_array_equal(received.side, last.side)


def test_the_limiter_is_heard_of_with_the_sound() -> None:
    engine = FakeDecoder()
    engine.out = (1.5 * np.sin(2 * np.pi * 440 * np.arange(1280) / 32_000)).astype(np.float32)
    stage = SoundStage(engine_opener=lambda network, **_: engine)
    stage.setup(Context(show=Show(), metrics=Metrics()))
    assert max(sound.limited_db for sound in step(stage, *(tokens(tick) for tick in range(4)))) > 3.0
