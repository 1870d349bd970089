"""The codec's crops: in range, at many levels, and coloured as recordings are."""

from __future__ import annotations

import numpy as np

from streaming.conventions import SAMPLE_RATE
from training.datasets.codec import CROP, colour, draw_crops


def corpus() -> np.ndarray:
    rng = np.random.default_rng(5)
    hz = rng.uniform(100, 2000, (3, 1))
    return (8000 * np.sin(2 * np.pi * hz * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)


def test_crops_are_in_range_and_at_many_levels() -> None:
    x = draw_crops(corpus(), np.random.default_rng(0), 32)
    assert x.shape == (32, 1, CROP)
    assert float(x.abs().max()) <= 1.0
    peaks = x.abs().amax((1, 2))
    assert float(peaks.min()) < 0.1 * float(peaks.max())


def test_crops_are_coloured_smoothly_and_some_have_no_highs() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, CROP)).astype(np.float32)
    spectra = [np.abs(np.fft.rfft(y)) for y in (x, colour(x, rng))]
    gain = 20.0 * np.log10(spectra[1] / spectra[0])
    octaves = [
        gain[:, CROP // SAMPLE_RATE * hz : CROP // SAMPLE_RATE * hz * 11 // 10].mean(1) for hz in (100, 1_000, 10_000)
    ]
    plain = np.abs(gain[:, 100:15_000]).max(1) < 0.1
    assert 0.15 < plain.mean() < 0.45
    assert (octaves[2] < -15.0).mean() > 0.05
    for at in octaves[:2]:
        assert 1.0 < at[~plain].std() < 12.0
    assert np.abs(np.diff(gain[:, 200:12_000], axis=1)).max() < 0.5, "no sharp filters, which would ring"
