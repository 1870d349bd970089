"""The codec's crops: in range, at many levels, and coloured as recordings are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.unit.training.datasets.sounds.small_recordings import write_recordings
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.datasets.codec import CROP, TRAIN_SEED, SoundSources, build_corpus, colour, draw_crops, render_clip


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


def test_clips_of_other_sources_are_music_and_recordings(tmp_path: Path) -> None:
    sources = SoundSources(write_soundfont(tmp_path / "a.sf2"), write_recordings(tmp_path))
    plain = [render_clip(seed) for seed in range(12)]
    mixed = [render_clip(seed, sources) for seed in range(12)]
    assert all(clip.dtype == np.int16 and clip.shape == plain[0].shape for clip in mixed)
    same = sum(np.array_equal(a, b) for a, b in zip(plain, mixed, strict=True))
    assert 0 < same < 8, "the palette stays, most clips are others"
    assert np.array_equal(render_clip(3, sources), mixed[3])


def test_sources_that_cannot_be_used_are_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no soundfont"):
        build_corpus(tmp_path / "work", 2, sources=SoundSources(soundfont=tmp_path / "none.sf2"))
    with pytest.raises(ValueError, match="no recordings in its folder audio"):
        build_corpus(tmp_path / "work", 2, sources=SoundSources(corpus=tmp_path))
    assert not (tmp_path / "work").exists()


def test_a_corpus_of_other_sources_is_another_file(tmp_path: Path) -> None:
    sources = SoundSources(corpus=write_recordings(tmp_path))
    rows = build_corpus(tmp_path / "work", 2, workers=1, sources=sources)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["recordings-palette-2.npy"]
    assert np.array_equal(rows[1], render_clip(TRAIN_SEED + 1, sources))
