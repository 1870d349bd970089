"""The data set of hits: rows as described, kept files, and other seeds for the test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.datasets import hits
from training.datasets.hits import TEST_SEED, TRAIN_SEED, load_hits, main, record_clip, record_hits
from training.synthesis.hits_corpus import HitsCorpus


def test_a_row_has_what_the_truth_says() -> None:
    row, again = (record_clip(TRAIN_SEED + 1, HitsCorpus()) for _ in range(2))
    for name, values in row.items():
        np.testing.assert_array_equal(values, again[name])
    assert row["flow"].shape == (200, 2, 16, 16)
    assert row["hands"].shape == (200, 2, 21, 2)
    contact, stop = row["contact_s"], row["limb_stop_s"]
    there = ~np.isnan(contact)
    assert there.any()
    assert (there == ~np.isnan(stop)).all()
    assert (contact[there] >= stop[there] - 1e-6).all()
    assert (row["strength"][there] > 0).all()
    assert not row["strength"][~there].any()


def test_files_are_kept_and_stacked(tmp_path: Path) -> None:
    paths = record_hits(tmp_path, 1, workers=1, per_file=1)
    before = paths[0].stat().st_mtime_ns
    assert record_hits(tmp_path, 1, workers=1, per_file=1) == paths
    assert paths[0].stat().st_mtime_ns == before
    clips = load_hits(paths)
    assert clips.seed.tolist() == [TRAIN_SEED]
    onsets = clips.onsets(0)
    assert onsets.size == int((~np.isnan(clips.contact_s[0])).sum())
    np.testing.assert_allclose(onsets[0] - clips.contact_s[0, 0], clips.sound_delay_s[0], atol=1e-6)
    assert not list(tmp_path.glob("*.part"))


def test_the_test_set_has_other_seeds(tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    for test, first in ((False, TRAIN_SEED), (True, TEST_SEED)):
        name = f"hits-{first}-drawn-v{hits.LAYOUT}.npz"
        (tmp_path / name).touch()
        assert [path.name for path in record_hits(tmp_path, 20, test=test)] == [name]


def test_the_command_says_what_is_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"hits-{TRAIN_SEED}-drawn-v{hits.LAYOUT}.npz").touch()
    assert main([str(tmp_path), "--clips", "20"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "generated" in out[0]
    assert out[-1].startswith("20 clips in 1 files")
