"""Bands of a sound: where a tone lies, when it begins, and that silence has none."""

from __future__ import annotations

import numpy as np

from streaming.audio.sound_bands import EDGES_HZ, SoundBands
from streaming.conventions import SAMPLE_RATE, SOUND_BANDS, TICK_SAMPLES


def _hear(sound: np.ndarray) -> np.ndarray:
    bands = SoundBands()
    ticks = sound[: sound.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES).astype(np.float32)
    return np.stack([bands.hear(pcm) for pcm in ticks])


def test_a_tone_is_in_its_band() -> None:
    assert len(EDGES_HZ) == SOUND_BANDS + 1
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for band in range(1, SOUND_BANDS):
        hertz = np.sqrt(EDGES_HZ[band] * EDGES_HZ[band + 1])
        level = _hear(0.3 * np.sin(2 * np.pi * hertz * time))[5:, 0].mean(0)
        assert level.argmax() == band
        assert level[band] > 0.9


def test_an_attack_is_at_its_tick_and_a_held_tone_has_none() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tone = 0.3 * np.sin(2 * np.pi * 500.0 * time) * (time >= 1.0)
    attacks = _hear(tone)[:, 1].sum(1)
    assert attacks.argmax() == 25
    assert attacks[25] > 0.5
    assert attacks[:25].max() == 0.0
    assert attacks[30:].max() < 0.05


def test_silence_and_soft_noise_have_no_bands() -> None:
    assert not _hear(np.zeros(SAMPLE_RATE)).any()
    noise = 1e-4 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    assert not _hear(noise).any()


def test_levels_adapt_to_a_soft_piece() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 500.0 * time)
    band = int(np.searchsorted(EDGES_HZ, 500.0)) - 1
    soft, loud = _hear(0.03 * tone)[10:, 0, band], _hear(0.5 * tone)[10:, 0, band]
    assert np.allclose(soft, loud, atol=0.02)
    assert soft.min() > 0.9
