"""Clips of music follow from their seed, and their scores from the corpus' split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.datasets.sounds.sampled_music import render_music
from training.synthesis.sampled.soundfont import SoundfontError


def test_music_follows_from_the_seed(tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "a.sf2")
    first, again, other = (render_music(seed, 3.0, font, None) for seed in (4, 4, 5))
    assert first.shape == (3 * SAMPLE_RATE,)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.01 < float(np.abs(first).max()) < 2.0


def test_a_missing_soundfont_is_said(tmp_path: Path) -> None:
    with pytest.raises(SoundfontError, match="there is no soundfont"):
        render_music(0, 1.0, tmp_path / "none.sf2", None)
