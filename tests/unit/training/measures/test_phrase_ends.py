"""A phrase that is cut is told from one that rings out, and a pause from a gap between two notes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from training.measures.phrase_ends import CUT_DB, cut_share, levels_db, phrase_ends

TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE


def note(start: float, end: float, release_s: float) -> NDArray[np.float32]:
    """A tone that falls by 60 dB in `release_s` after its end."""
    fall = np.maximum(0.0, TIME - end) * 60.0 / release_s
    tone = 0.3 * np.sin(2.0 * np.pi * 330.0 * TIME) * (start <= TIME) * 10.0 ** (-fall / 20.0)
    return tone.astype(np.float32)


def test_levels_are_those_of_the_sound() -> None:
    levels = levels_db(note(0.0, 9.0, 1.0))
    assert levels[100:-100] == pytest.approx(np.full(levels.size - 200, 20.0 * np.log10(0.3) - 3.01), abs=0.3)
    assert levels_db(np.zeros(3200)).max() == -90.0


def test_a_cut_end_is_told_from_one_that_rings_out() -> None:
    cut, ringing = phrase_ends(note(0.5, 1.5, 0.005)), phrase_ends(note(0.5, 1.5, 0.5))
    assert cut.ends_s == pytest.approx([1.5], abs=0.02)
    assert cut.falls_db[0] > CUT_DB
    assert cut.cut == 1
    assert ringing.ends_s == pytest.approx([1.5 + 0.33], abs=0.05)
    assert ringing.falls_db[0] < 5.0
    assert ringing.cut == 0


def test_notes_close_together_are_one_phrase() -> None:
    both = note(0.5, 1.0, 0.005) + note(1.2, 1.8, 0.005)
    assert phrase_ends(both).ends_s == pytest.approx([1.8], abs=0.02)
    apart = note(0.5, 1.0, 0.005) + note(1.6, 2.2, 0.005)
    assert phrase_ends(apart).ends_s == pytest.approx([1.0, 2.2], abs=0.02)


def test_silence_and_a_sound_that_never_pauses_have_no_ends() -> None:
    assert phrase_ends(np.zeros(SAMPLE_RATE)).ends_s.size == 0
    assert phrase_ends(np.zeros(10)).ends_s.size == 0
    assert phrase_ends(note(0.0, 9.0, 1.0)).ends_s.size == 0


def test_the_share_is_over_all_sounds() -> None:
    sounds = [note(0.5, 1.5, 0.005), note(0.5, 1.5, 0.5), note(0.2, 0.7, 0.4), note(0.2, 2.7, 0.4)]
    assert cut_share(sounds) == (0.25, 4)
    assert cut_share([np.zeros(3200, np.float32)]) == (None, 0)
