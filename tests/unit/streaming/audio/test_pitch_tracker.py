"""Pitches of tones with overtones, of noise and of silence."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.pitch_tracker import PitchTracker
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES


def heard(sound: np.ndarray) -> list[float | None]:
    tracker = PitchTracker()
    return [tracker.hear(tick) for tick in sound.astype(np.float32).reshape(-1, TICK_SAMPLES)]


@pytest.mark.parametrize("midi", [36.0, 45.0, 57.3, 69.0, 84.5, 88.0])
def test_a_tone_with_overtones_is_found_to_five_cents(midi: float) -> None:
    hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    time_s = np.arange(6 * TICK_SAMPLES) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * hz * k * time_s + k) / k for k in range(1, 6)) * 0.1
    found = heard(np.asarray(tone))[1:]
    assert all(one is not None and abs(one - midi) < 0.05 for one in found)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(6 * TICK_SAMPLES)
    assert heard(noise) == [None] * 6
    assert heard(np.zeros(3 * TICK_SAMPLES)) == [None] * 3


def test_what_is_at_the_end_counts() -> None:
    time_s = np.arange(4 * TICK_SAMPLES) / SAMPLE_RATE
    low, high = (0.2 * np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 330.0))
    found = heard(np.concatenate([low, high]))
    assert found[3] == pytest.approx(57.0, abs=0.05)
    assert found[5] == pytest.approx(64.02, abs=0.05)
