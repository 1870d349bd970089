"""Opus as a control: aligned with the original, and better with more bits."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.codec import (
    mel_distance,
    si_sdr_db,
)
from training.measures.opus import in_line, through_opus

RATE = 32_000


@pytest.fixture(scope="module")
def notes() -> np.ndarray:
    t = np.arange(3 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * f * t) * np.exp(-3 * ((t - d) % 1.0)) for f, d in ((330, 0), (495, 0.3), (660, 0.6)))
    noise = np.random.default_rng(1).standard_normal(t.size) * np.exp(-20 * (t % 0.5))
    return (0.2 * wave + 0.05 * noise).astype(np.float32)


@pytest.mark.parametrize("lag", [0, 37, 312, -50])
def test_a_delayed_copy_is_brought_back(notes: np.ndarray, lag: int) -> None:
    moved = np.pad(notes, (lag, 0)) if lag > 0 else notes[-lag:]
    back = in_line(moved, notes, 640)
    part = slice(700, notes.size - 700)
    np.testing.assert_array_equal(back[part], notes[part])


def test_opus_is_in_line_and_better_with_more_bits(notes: np.ndarray) -> None:
    heard = {kbits: through_opus(notes, RATE, 1000 * kbits) for kbits in (6, 12, 24)}
    assert all(sound.shape == notes.shape for sound in heard.values())
    distances = [mel_distance(sound, notes) for sound in heard.values()]
    assert distances == sorted(distances, reverse=True)
    assert si_sdr_db(heard[24], notes) > 5.0
