"""A manifest says what was learned from, with licences and whom to name."""

from __future__ import annotations

from pathlib import Path

from tests.unit.training.datasets.sounds.small_recordings import write_recordings
from tests.unit.training.synthesis.composition.small_corpus import write_corpus
from training.datasets.sounds.attributions import trained_on
from training.synthesis.sampled.soundfont import DEFAULT_SOUNDFONT


def test_nothing_given_is_nothing_said() -> None:
    assert trained_on(None, None) == []


def test_everything_that_was_given_is_said(tmp_path: Path) -> None:
    write_recordings(tmp_path)
    write_corpus(tmp_path)
    (tmp_path / "audio" / "mine.wav").write_bytes((tmp_path / "audio" / "sms_0.wav").read_bytes())
    found = trained_on(DEFAULT_SOUNDFONT, tmp_path)
    assert [one["what"] for one in found] == ["soundfont", "drum scores", "piano scores", "recordings", "recordings"]
    assert [one["licence"] for one in found] == ["MIT", "CC BY 4.0", "CC BY 4.0", "CC BY 4.0", "unknown"]
    assert "Frank Wen" in found[0]["attribution"]
    assert all(one["attribution"] for one in found)
    scores = trained_on(DEFAULT_SOUNDFONT, tmp_path, recordings=False)
    assert scores == found[:3], "who learns from scores alone does not name recordings"


def test_another_soundfont_is_not_called_fluid(tmp_path: Path) -> None:
    assert trained_on(tmp_path / "own.sf2", None) == [
        {"what": "soundfont", "licence": "unknown", "attribution": "own.sf2"}
    ]
