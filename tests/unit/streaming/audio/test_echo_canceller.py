"""The guard in simulated rooms: what is played is taken out, what others play is not, and a loop does not howl."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.echo_canceller import LIMIT_DB, EchoCanceller, PlaybackHistory
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Speaker

TICKS = 25 * 20


def room(seed: int, delay_s: float, gain_db: float) -> np.ndarray:
    """An impulse response: a delay, a direct sound, and a decaying tail of 0.2 s; its energy is its gain."""
    rng = np.random.default_rng(seed)
    tail = rng.normal(size=int(0.2 * SAMPLE_RATE)) * np.exp(-np.arange(int(0.2 * SAMPLE_RATE)) / (0.03 * SAMPLE_RATE))
    tail[0] = 4.0 * np.abs(tail).max()
    tail *= 10 ** (gain_db / 20) / np.sqrt((tail**2).sum())
    return np.concatenate([np.zeros(int(delay_s * SAMPLE_RATE)), tail])


def music(seed: int, seconds: float) -> np.ndarray:
    """Plucked notes of many partials, with rests."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    at = 0.0
    while at < seconds - 1.0:
        length = rng.uniform(0.2, 0.8)
        t = np.arange(int(length * SAMPLE_RATE)) / SAMPLE_RATE
        pitch = 110.0 * 2 ** (rng.integers(0, 36) / 12)
        note = sum(np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6)) / k for k in range(1, 12))
        note = (note + 0.1 * rng.normal(size=t.size)) * np.exp(-4 * t) * np.minimum(1, t / 0.005)
        start = int(at * SAMPLE_RATE)
        sound[start : start + t.size] += 0.15 * note
        at += length * rng.uniform(0.5, 1.4)
    return sound


def db(x: np.ndarray) -> float:
    return 10 * float(np.log10((x.astype(np.float64) ** 2).mean() + 1e-12))


def cleaned(guard: EchoCanceller, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
    ticks = range(0, heard.size - TICK_SAMPLES + 1, TICK_SAMPLES)
    return np.concatenate([guard.step(heard[at : at + TICK_SAMPLES], played[at : at + TICK_SAMPLES]) for at in ticks])


@pytest.mark.parametrize("gain_db", [-12.0, 0.0, 6.0])
@pytest.mark.parametrize("delay_s", [0.003, 0.04])
def test_what_is_played_is_taken_out(gain_db: float, delay_s: float) -> None:
    played = music(1, 20.0).astype(np.float32)
    echo = np.convolve(played, room(2, delay_s, gain_db))[: played.size]
    noise = np.random.default_rng(3).normal(size=played.size) * 10 ** (-60 / 20)
    heard = (echo + noise).astype(np.float32)
    guard = EchoCanceller()
    left = cleaned(guard, heard, played)
    half = slice(left.size // 2, None)
    # Measured: 12.4 to 13.5 dB of a soft echo not far above the noise, 17.8 to 25 dB of a loud one.
    assert db(left[half]) < db(heard[half]) - (11.0 if gain_db < -6.0 else 16.0)
    assert guard.gain_db == pytest.approx(gain_db, abs=5.0)
    assert guard.residual_db is not None
    assert guard.residual_db <= LIMIT_DB + 0.1


def test_what_others_play_is_left_as_it_is() -> None:
    played, others = music(1, 24.0).astype(np.float32), music(9, 24.0)
    echo = np.convolve(played, room(2, 0.01, 0.0))[: played.size]
    # First the show alone, then somebody plays to it.
    others[: 8 * SAMPLE_RATE] = 0.0
    left = cleaned(EchoCanceller(), (echo + others).astype(np.float32), played)
    last = slice(12 * SAMPLE_RATE, left.size)
    wrong = left[last] - others[: left.size][last]
    assert db(wrong) < db(others[: left.size][last]) - 8.0
    assert db(echo[: left.size][last]) - db(wrong) > 8.0


def test_silence_from_the_speaker_leaves_the_microphone_untouched() -> None:
    heard = music(4, 2.0).astype(np.float32)[: 50 * TICK_SAMPLES]
    assert np.array_equal(cleaned(EchoCanceller(), heard, np.zeros_like(heard)), heard)


@pytest.mark.parametrize("gain_db", [0.0, 6.0])
def test_a_closed_loop_howls_without_it_and_calms_down_with_it(gain_db: float) -> None:
    """The show plays new notes as loud as what it hears, at most full scale, 0.2 s later, into a room."""
    response = room(5, 0.01, gain_db)
    levels = {}
    for guarded in (False, True):
        guard = EchoCanceller()
        rng = np.random.default_rng(6)
        played = np.zeros((TICKS + 16) * TICK_SAMPLES)
        heard_of = np.zeros(played.size + response.size)
        kick = music(7, 4.0) * 0.3
        for tick in range(TICKS):
            at = slice(tick * TICK_SAMPLES, (tick + 1) * TICK_SAMPLES)
            outside = kick[at] if at.stop <= kick.size else 0.0
            heard = (heard_of[at] + outside + 1e-4 * rng.normal(size=TICK_SAMPLES)).astype(np.float32)
            ear = guard.step(heard, played[at].astype(np.float32)) if guarded else heard
            level = min(0.3, float(np.sqrt((ear**2).mean())))
            later = slice((tick + 5) * TICK_SAMPLES, (tick + 6) * TICK_SAMPLES)
            played[later] = level * rng.normal(size=TICK_SAMPLES)
            begin = later.start
            heard_of[begin : begin + TICK_SAMPLES + response.size - 1] += np.convolve(played[later], response)
        levels[guarded] = db(played[(TICKS - 50) * TICK_SAMPLES : TICKS * TICK_SAMPLES])
    assert levels[False] > -22.0, "the control: what was played once goes round for ever, or grows"
    assert levels[True] < -45.0


def test_what_was_played_is_found_by_the_time_at_which_it_left() -> None:
    ramp = np.arange(10 * TICK_SAMPLES, dtype=np.float32)
    played = PlaybackHistory()
    assert not played.at(0).any(), "nothing is known yet"
    for tick in range(10):
        played.add(tick, ramp[tick * TICK_SAMPLES : (tick + 1) * TICK_SAMPLES])
    played.set(Speaker(tick=4, dac_ns=1_000_000_000, rate_hz=32_000.0))
    np.testing.assert_allclose(played.at(1_000_000_000), ramp[4 * TICK_SAMPLES : 5 * TICK_SAMPLES])
    # A quarter of a sample later, and two ticks and a half before.
    np.testing.assert_allclose(played.at(1_000_007_812), ramp[4 * 1280 : 5 * 1280] + 0.25, atol=0.01)
    np.testing.assert_allclose(played.at(900_000_000), ramp[1920:3200])
    assert not played.at(2_000_000_000).any(), "not played yet"
