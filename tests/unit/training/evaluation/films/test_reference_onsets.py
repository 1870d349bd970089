"""Reference onsets: labels where there are any, else what is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.errors import UserError
from tests.films import clicks
from training.evaluation.films.reference_onsets import DETECTED, LABELLED, reference_onsets

SOUND = clicks((0.5, 1.5), 2.0, 32_000)


def test_labels_are_sorted_and_chords_are_one_onset(tmp_path: Path) -> None:
    (tmp_path / "piano.txt").write_text("1.2\n0.4 60\n\n0.41\t64\n1.9 x\n7.0\n-1\n")
    onsets, source = reference_onsets(Path("films/piano.mp4"), SOUND, tmp_path)
    assert onsets.tolist() == [0.4, 1.2, 1.9]
    assert source == LABELLED


def test_without_labels_the_films_own_sound_is_heard(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        onsets, source = reference_onsets(Path("piano.mp4"), SOUND, folder)
        assert np.abs(onsets - [0.5, 1.5]).max() < 0.02
        assert source == DETECTED


def test_a_silent_film_has_no_onsets() -> None:
    assert reference_onsets(Path("a.mp4"), np.zeros(64_000, np.float32))[0].size == 0


def test_labels_that_are_no_times_are_said(tmp_path: Path) -> None:
    (tmp_path / "piano.txt").write_text("onset\n1.0\n")
    with pytest.raises(UserError, match=r"piano\.txt"):
        reference_onsets(Path("piano.mp4"), SOUND, tmp_path)
