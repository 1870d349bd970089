"""Playability on synthetic hands whose strikes, speed, height and rests are known."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from training.measures.playability import (
    HandTrack,
    find_strikes,
    loudness_with_speed,
    pitch_with_height,
    score_playability,
    score_strikes,
    silence_in_stillness,
    speed_of,
)

SECONDS = 16.0
STRIKES = np.array([1.0, 1.7, 2.2, 3.1, 4.0, 4.4, 5.5, 6.3, 7.0, 8.2, 9.1, 9.6, 10.9, 11.5, 12.6, 13.3, 14.8])


def striking_hand(strikes: np.ndarray = STRIKES, rate: float = 30.0, jitter: float = 0.001) -> HandTrack:
    """A hand that falls by 0.15 of the frame in 0.12 s, stops dead at each strike, and rises in 0.36 s."""
    times = np.arange(0.0, SECONDS, 1 / rate)
    low = np.zeros(times.size)
    for strike in strikes:
        down = np.clip((times - strike + 0.12) / 0.12, 0, 1) ** 2 * (times <= strike)
        up = np.cos(np.clip((times - strike) / 0.36, 0, 1) * np.pi / 2) ** 2 * (times > strike)
        low = np.maximum(low, down + up)
    noise = np.random.default_rng(0).normal(0, jitter, (times.size, 2))
    positions = np.stack([np.full(times.size, 0.5), 0.4 + 0.15 * low], axis=1) + noise
    return HandTrack(times, positions, np.ones(times.size))


def wandering_hand(height: np.ndarray, times: np.ndarray) -> HandTrack:
    return HandTrack(times, np.stack([0.5 + 0 * times, 1 - height], axis=1), np.ones(times.size))


def clicks(times: np.ndarray) -> np.ndarray:
    t = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    out = np.zeros(t.size)
    for time in times:
        after = t - time
        out += np.where(after >= 0, np.exp(-np.maximum(after, 0) / 0.05), 0) * np.sin(2 * np.pi * 900 * t)
    return (0.4 * out).astype(np.float32)


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
def test_every_strike_is_found_where_the_hand_stops(rate: float) -> None:
    strikes = find_strikes(striking_hand(rate=rate))
    assert strikes.size == STRIKES.size
    assert np.abs(strikes - STRIKES).max() < 0.04


def test_slow_lowering_raising_jitter_and_lost_points_are_no_strikes() -> None:
    times = np.arange(0, SECONDS, 1 / 30)
    slow = wandering_hand(0.5 + 0.2 * np.sin(2 * np.pi * 0.3 * times), times)
    assert find_strikes(slow).size == 0
    still = striking_hand(np.zeros(0), jitter=0.001)
    assert find_strikes(still).size == 0
    hand = striking_hand()
    lost = HandTrack(hand.times_s, hand.positions, np.where(hand.times_s < 5.0, 0.2, 1.0))
    assert find_strikes(lost).min() > 5.0
    turned = HandTrack(hand.times_s, hand.positions * [1, -1], hand.visibility)
    assert find_strikes(turned).size < STRIKES.size / 4


def test_strikes_and_late_onsets_have_the_lag_and_spread_that_were_put_in() -> None:
    rng = np.random.default_rng(1)
    onsets = np.sort(STRIKES + 0.07 + rng.normal(0, 0.01, STRIKES.size))
    found = score_strikes(STRIKES, onsets, SECONDS)
    assert found.lag_ms == pytest.approx(70, abs=6)
    assert found.spread_ms == pytest.approx(10, abs=5)
    assert found.f1 < 0.3 < 0.9 < found.fitted.value
    chance = score_strikes(STRIKES, np.sort(rng.uniform(0, SECONDS, STRIKES.size)), SECONDS)
    assert chance.fitted.value < 0.5
    assert chance.spread_ms > 40


@pytest.mark.parametrize("count", [0, 7])
def test_few_strikes_have_no_score(count: int) -> None:
    found = score_strikes(STRIKES[:count], STRIKES, SECONDS)
    assert (found.strikes, found.onsets) == (count, STRIKES.size)
    assert np.isnan([found.f1, found.fitted.value, found.fitted.control, found.lag_ms, found.spread_ms]).all()


def test_speed_is_in_frame_sides_per_second_and_unknown_where_the_hand_is_lost() -> None:
    times = np.arange(0, 4, 0.04)
    hand = HandTrack(times, np.stack([0.3 * times, 0.4 * times], 1), np.where(times > 3, 0.0, 1.0))
    speed = speed_of(hand, np.array([1.0, 2.0, 3.5]), 0.08)
    assert speed[:2] == pytest.approx([0.5, 0.5])
    assert np.isnan(speed[2])


def test_louder_for_faster_correlates_and_steady_sound_does_not() -> None:
    times = np.arange(0, SECONDS, 1 / 30)
    swing = 0.3 * np.abs(np.sin(0.9 * times)) * np.sin(2 * np.pi * 1.1 * times + 2 * np.sin(0.5 * times))
    hand = wandering_hand(0.5 + swing, times)
    t = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 300 * t)
    speed = np.interp(t, times, np.abs(np.gradient(swing, times)))
    following = loudness_with_speed([hand], (0.3 * speed * tone).astype(np.float32))
    steady = loudness_with_speed([hand], (0.1 * tone).astype(np.float32))
    assert following.value > 0.85
    assert abs(following.control) < 0.35
    assert abs(steady.value) < 0.35


def test_pitch_that_follows_the_height_ranks_with_it_and_a_turned_one_against_it() -> None:
    times = np.arange(0, SECONDS, 1 / 30)
    height = 0.5 + 0.3 * np.sin(2 * np.pi * 0.21 * times)
    t = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE

    def voice(pitch: np.ndarray) -> np.ndarray:
        hertz = 220.0 * 2.0 ** np.interp(t, times, pitch)
        return (0.2 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE)).astype(np.float32)

    hand, still = wandering_hand(height, times), wandering_hand(0 * height, times)
    following, control = pitch_with_height([still, hand], voice(1.5 * height))
    assert following > 0.97 > 0.4 > control
    assert pitch_with_height([hand], voice(-1.5 * height))[0] < -0.97
    assert np.isnan(pitch_with_height([hand], voice(0 * height) * 0)).all()


def test_silence_is_asked_for_a_second_after_the_hands_stand_still() -> None:
    hand = striking_hand(np.array([1.0, 2.0, 3.0]), jitter=0.0005)
    t = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    obeying = (0.2 * np.sin(2 * np.pi * 300 * t) * (t < 3.8)).astype(np.float32)
    good = silence_in_stillness([hand], obeying)
    assert good.seconds == pytest.approx(11.5, abs=0.6)
    assert (good.silent_share, good.level_db) == (1.0, -120.0)
    bad = silence_in_stillness([hand], (0.2 * np.sin(2 * np.pi * 300 * t)).astype(np.float32))
    assert bad.silent_share == 0.0
    assert bad.level_db == pytest.approx(-17, abs=0.5)


def test_a_hand_out_of_view_is_not_still() -> None:
    hand = striking_hand(np.array([1.0]))
    gone = HandTrack(hand.times_s, hand.positions, np.zeros(hand.times_s.size))
    music = np.zeros(int(SECONDS * SAMPLE_RATE), np.float32)
    assert silence_in_stillness([gone], music).seconds == 0.0


def test_all_figures_of_a_film() -> None:
    figures = score_playability([striking_hand()], clicks(STRIKES + 0.03))
    assert figures["n_strikes"] == STRIKES.size
    assert figures["strike_f1_50ms"] > 0.9
    assert figures["strike_f1_50ms_fitted"] > figures["strike_f1_50ms_fitted_control"] + 0.3
    assert figures["strike_lag_spread_ms"] < 20
    assert figures["pitch_with_height"] is None or abs(figures["pitch_with_height"]) <= 1
    silent = score_playability([striking_hand()], np.zeros(int(SECONDS * SAMPLE_RATE), np.float32))
    assert silent["strike_f1_50ms"] == 0.0
    assert silent["strike_lag_ms"] is None
