"""Real playing as material for hits: found by the corpus' own split, and replaced where it is missing."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from training.synthesis.hits_corpus import (
    GROOVE,
    KEYPOINTS,
    HitsCorpus,
    draw_played_timing,
    groove_files,
    load_corpus,
    material_of,
    notes_of,
)


def write_midi(path: Path, notes: list[tuple[float, int, int]]) -> None:
    """Notes of (seconds, pitch, velocity) at 120 beats a minute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    now = 0
    for time, pitch, velocity in notes:
        at = round(time * 960)
        track.append(mido.Message("note_on", channel=9, note=pitch, velocity=velocity, time=at - now))
        now = at
    file.tracks.append(track)
    file.save(path)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    groove = tmp_path / GROOVE
    notes = [(0.25 * k, 36 + k % 2, 40 + k % 80) for k in range(80)]
    for name in ("a", "b"):
        write_midi(groove / "drummer1" / f"{name}.mid", notes)
    lines = ["midi_filename,split", "drummer1\\a.mid,train", "drummer1\\b.mid,test", "drummer1\\gone.mid,train"]
    (groove / "info.csv").write_text("\n".join(lines), encoding="latin-1")
    keypoints = tmp_path / KEYPOINTS
    keypoints.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, points in (("keypoint", 21), ("point_history", 16)):
        np.savetxt(keypoints / f"{name}.csv", rng.uniform(-1, 1, (10, 1 + 2 * points)), delimiter=",", fmt="%.5f")
    return tmp_path


def test_only_the_files_of_the_split_are_taken(corpus: Path) -> None:
    assert [path.name for path in groove_files(corpus / GROOVE)] == ["a.mid"]
    assert [path.name for path in load_corpus(corpus, "test").files] == ["b.mid"]


def test_training_and_test_share_no_trace(corpus: Path) -> None:
    train, test = load_corpus(corpus, "train"), load_corpus(corpus, "test")
    assert train.missing == test.missing == ()
    assert train.traces is not None
    assert test.traces is not None
    assert train.traces.shape[1:] == (16, 2)
    assert not {row.tobytes() for row in train.traces} & {row.tobytes() for row in test.traces}


def test_times_and_velocities_are_those_of_the_file(corpus: Path) -> None:
    notes = notes_of(corpus / GROOVE / "drummer1" / "a.mid")
    assert notes.shape == (80, 3)
    np.testing.assert_allclose(notes[:4, 0], [0.0, 0.25, 0.5, 0.75], atol=2e-3)
    assert notes[1].tolist()[1:] == [37.0, 41.0]


def test_a_part_of_a_performance_keeps_its_intervals(corpus: Path) -> None:
    files = load_corpus(corpus).files
    for seed in range(20):
        timing = draw_played_timing(np.random.default_rng(seed), files, 8.0)
        assert ((timing[:, 0] >= 0.0) & (timing[:, 0] < 8.0)).all()
        assert ((timing[:, 1] > 0.0) & (timing[:, 1] <= 1.0)).all()
        steps = np.diff(timing[:, 0]) / 0.25
        np.testing.assert_allclose(steps, steps.round(), atol=0.02)


def test_some_clips_are_played_and_some_are_drawn(corpus: Path) -> None:
    found = load_corpus(corpus)
    played = [material_of(found, seed, 8.0).timing is not None for seed in range(40)]
    assert 5 < sum(played) < 35
    assert material_of(HitsCorpus(), 0, 8.0).timing is None


def test_what_is_missing_is_said_in_one_line_each(tmp_path: Path) -> None:
    assert len(load_corpus(None).missing) == 1
    nothing = load_corpus(tmp_path)
    assert (nothing.files, nothing.hands, nothing.traces) == ((), None, None)
    assert len(nothing.missing) == 2
    assert all("\n" not in line and "generated" in line for line in nothing.missing)
