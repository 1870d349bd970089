"""The palette: every family sounds, stays in bounds, and is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from training.datasets.codec import QUIETEST_DB, TEST_SEED, render_clip
from training.synthesis.sound_palette import FAMILIES, Timbre, draw_sound, drums, effects, note, phrase, room, textures


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_family_plays_a_phrase(family: str) -> None:
    x = phrase(family, 2.0, SAMPLE_RATE, np.random.default_rng(3))
    assert x.shape == (2 * SAMPLE_RATE,)
    assert np.isfinite(x).all()
    assert 0.02 < np.abs(x).max() < 8.0


def test_families_differ_from_each_other_and_from_seed_to_seed() -> None:
    def colour(family: str, seed: int) -> np.ndarray:
        power = np.abs(np.fft.rfft(phrase(family, 2.0, SAMPLE_RATE, np.random.default_rng(seed)))) ** 2
        bands = np.add.reduceat(power, np.geomspace(20, power.size - 1, 24).astype(int))
        return np.log10(bands + 1e-9)

    same = np.abs(colour("bass", 1) - colour("bass", 1)).mean()
    assert same == 0.0
    assert np.abs(colour("bass", 1) - colour("bass", 2)).mean() > 0.1
    assert np.abs(colour("bass", 1) - colour("pipe", 1)).mean() > 0.5


@pytest.mark.parametrize("source", [drums, textures, effects])
def test_what_is_no_instrument_sounds_too(source: object) -> None:
    assert callable(source)
    for seed in range(8):
        x = source(1.0, SAMPLE_RATE, np.random.default_rng(seed))
        assert x.shape == (SAMPLE_RATE,)
        assert np.isfinite(x).all()


def test_a_note_has_the_pitch_that_was_asked_for() -> None:
    x = note(Timbre(noise=0.0), 69.0, 1.0, 0.8, SAMPLE_RATE, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(x[:SAMPLE_RATE] * np.hanning(SAMPLE_RATE)))
    assert abs(int(np.argmax(power)) - 440) <= 3


def test_a_room_lasts_longer_than_the_sound() -> None:
    x = np.zeros(SAMPLE_RATE)
    x[100] = 1.0
    wet = room(x, SAMPLE_RATE, np.random.default_rng(1))
    assert np.abs(wet[1000:3000]).max() > 1e-4
    assert np.abs(wet[:100]).max() < 1e-9


def test_clips_are_repeatable_and_reach_from_silence_to_full_level() -> None:
    clips = [render_clip(TEST_SEED + seed) for seed in range(12)]
    np.testing.assert_array_equal(clips[0], render_clip(TEST_SEED))
    peaks = 20 * np.log10(np.array([np.abs(clip.astype(np.float64)).max() for clip in clips]) / 32768 + 1e-9)
    assert peaks.max() > -10.0
    assert peaks.min() < -15.0
    assert (peaks[peaks > -180] > QUIETEST_DB - 2).all()


def test_a_sound_has_a_peak_of_one() -> None:
    for seed in range(4):
        assert np.abs(draw_sound(1.0, SAMPLE_RATE, np.random.default_rng(seed))).max() == pytest.approx(1.0, abs=1e-6)
