"""The pitch tracker: tones to within cents, silence and noise to no pitch, and what agreement counts."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import TOKEN_FRAME_SAMPLES
from training.measures.pitch import agreement, pitch_track

RATE = 32_000


def tone(midi: float, seconds: float = 0.6, partials: int = 6) -> np.ndarray:
    hz = 440.0 * 2 ** ((midi - 69) / 12)
    t = np.arange(int(RATE * seconds)) / RATE
    waves = np.stack([np.sin(2 * np.pi * hz * h * t + h) / h for h in range(1, partials + 1)])
    return np.asarray(0.3 * waves.sum(0), np.float32)


@pytest.mark.parametrize("midi", [38.0, 50.3, 60.0, 69.0, 76.5, 86.0])
@pytest.mark.parametrize("partials", [1, 8])
def test_a_tone_is_found_to_within_ten_cents(midi: float, partials: int) -> None:
    track = pitch_track(tone(midi, partials=partials))
    middle = track[4:-4]
    assert track.shape == (int(RATE * 0.6) // TOKEN_FRAME_SAMPLES,)
    assert not np.isnan(middle).any()
    assert np.abs(middle - midi).max() < 0.1


def test_silence_and_noise_have_no_pitch() -> None:
    assert np.isnan(pitch_track(np.zeros(RATE, np.float32))).all()
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert np.isnan(pitch_track(noise)).mean() > 0.95


def test_a_change_of_pitch_is_found_where_it_is() -> None:
    track = pitch_track(np.concatenate([tone(60.0), tone(67.0)]))
    assert abs(int(np.argmax(track > 63.5)) - 30) <= 2


def test_agreement_counts_the_frames_that_should_be_voiced() -> None:
    wanted = np.array([60.0, 60.0, np.nan, 62.0])
    assert agreement(np.array([60.3, 61.0, 60.0, np.nan]), wanted) == pytest.approx(1 / 3)
    assert np.isnan(agreement(wanted, np.full(4, np.nan)))
