"""Scores of a corpus are read with durations, pedal and chords; pieces for tests are not those for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.synthesis.composition.small_corpus import write_corpus, write_midi
from training.synthesis.composition.scores import (
    chords_of,
    drum_files,
    excerpt,
    fold,
    melody_of,
    piano_files,
    score_of,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def test_pieces_for_tests_are_others(corpus: Path) -> None:
    train, test = piano_files(corpus), piano_files(corpus, "test")
    assert (len(train), len(test)) == (8, 2)
    assert not set(train) & set(test)
    assert [path.name for path in drum_files(corpus)] == ["a.mid"]
    assert [path.name for path in drum_files(corpus, "test")] == ["b.mid"]


def test_a_corpus_without_scores_has_none(tmp_path: Path) -> None:
    assert piano_files(tmp_path) == ()
    assert drum_files(tmp_path) == ()


def test_notes_last_until_they_are_let_go_or_the_pedal_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    write_midi(
        path,
        [
            (0.0, "note_on", 60, 100),
            (0.5, "note_off", 60, 0),
            (1.0, "control_change", 64, 127),
            (1.0, "note_on", 62, 50),
            (1.25, "note_off", 62, 0),
            (2.0, "control_change", 64, 0),
            (3.0, "note_on", 64, 127),
            (12.0, "note_off", 64, 0),
        ],
    )
    score = score_of(path)
    assert score[:, 0] == pytest.approx([0.0, 1.0, 3.0], abs=2e-3)
    assert score[:, 1] == pytest.approx([0.5, 1.0, 4.0], abs=2e-3)
    assert score[:, 2].tolist() == [60.0, 62.0, 64.0]
    assert score[:, 3] == pytest.approx([100 / 127, 50 / 127, 1.0])


def test_chords_and_melody_follow_the_piece(corpus: Path) -> None:
    path = piano_files(corpus)[0]
    chords = chords_of(path)
    assert len(chords) == 60
    assert chords[0] == (48.0, 52.0, 55.0)
    assert melody_of(path, 55.0, 84.0)[:3].tolist() == [55.0, 56.0, 57.0]


def test_folding_moves_by_octaves_only() -> None:
    pitch = np.array([30.0, 60.5, 100.0])
    folded = fold(pitch, 55.0, 84.0)
    assert folded.tolist() == [66.0, 60.5, 76.0]


def test_an_excerpt_begins_with_a_note_and_stays_within_its_length(corpus: Path) -> None:
    score = score_of(piano_files(corpus)[0])
    for seed in range(20):
        part = excerpt(score, 4.0, np.random.default_rng(seed))
        assert 0.0 <= part[0, 0] <= 0.3
        assert part[-1, 0] < 4.0
        assert len(part) >= 18
