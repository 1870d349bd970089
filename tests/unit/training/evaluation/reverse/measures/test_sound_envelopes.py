"""Sounds for controls: another sound at the same loudness envelope, clicks at their ticks, stretches without onsets."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from training.evaluation.reverse.measures.sound_envelopes import (
    click_ticks,
    click_track,
    loudness_envelope,
    match_envelope,
    sustained_ticks,
)
from training.measures.onsets import detect_onsets


def beats(hertz: float, every_s: float, seconds: float = 4.0) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * t) * np.exp(-6.0 * (t % every_s))).astype(np.float32)


def test_another_sound_takes_the_loudness_and_keeps_its_pitch() -> None:
    low, high = beats(200.0, 0.5), beats(1500.0, 0.31, 3.0)
    matched = match_envelope(high, low)
    assert matched.dtype == np.float32
    assert matched.size == low.size
    pattern, before = loudness_envelope(low), loudness_envelope(np.resize(high, low.size))
    after = loudness_envelope(matched)
    assert np.corrcoef(before, pattern)[0, 1] < 0.5 < 0.95 < np.corrcoef(after, pattern)[0, 1]
    assert np.abs(20 * np.log10(after[8:-8] / pattern[8:-8])).mean() < 1.5
    spectrum = np.abs(np.fft.rfft(matched))
    assert np.argmax(spectrum) * SAMPLE_RATE / matched.size == pytest.approx(1500.0, abs=5.0)


def test_silence_stays_silent_whatever_envelope_is_asked_for() -> None:
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    assert not match_envelope(silence, beats(300.0, 0.5, 2.0)).any()
    assert np.abs(match_envelope(beats(300.0, 0.5, 2.0), silence)).max() < 1e-3


def test_clicks_come_at_their_ticks_and_end_in_silence() -> None:
    sound, ticks = click_track(4.0), click_ticks(4.0)
    assert sound.size % TICK_SAMPLES == 0
    assert len(ticks) == 7
    loud = np.abs(sound.reshape(-1, TICK_SAMPLES)).max(1) > 0.1
    assert np.flatnonzero(loud).tolist() == ticks
    assert len(detect_onsets(sound)) == 7
    assert not sound[-SAMPLE_RATE:].any()


def test_a_sustained_tick_sounds_and_has_no_onset_near() -> None:
    level = np.full(50, -20.0)
    level[40:] = -90.0
    goes_on = sustained_ticks(level, np.array([10]), after=8)
    assert np.flatnonzero(goes_on).tolist() == [*range(9), *range(18, 40)]
    assert not sustained_ticks(np.full(9, -120.0), np.zeros(0, np.int64)).any()
