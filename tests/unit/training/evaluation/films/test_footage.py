"""Films are watched, answered and scored; what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.films import write_film
from training.evaluate import main
from training.evaluation.films.footage import FilmFolder, evaluate_footage, respond_to_footage
from training.evaluation.films.reference_onsets import DETECTED, LABELLED
from training.evaluation.forward_loop import ResponseSettings

EVENTS = (0.8, 1.64, 2.4, 3.32)


def test_films_are_answered_and_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    for name in ("drum_one.mp4", "two.mkv"):
        write_film(tmp_path / name, EVENTS, codec="libx264")
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("not a film")
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "two.txt").write_text("1.0\n3.0\n")
    (tmp_path / "groups.toml").write_text('[kinds]\nnone = ["*"]\n')
    figures, answers = evaluate_footage(ResponseSettings("default"), FilmFolder(tmp_path, labels=labels), workers=1)
    assert [a.name for a in answers] == ["drum_one.mp4", "two.mkv"]
    assert list(figures["refused"]) == ["broken.mp4"]
    assert list(figures["by_film"]) == ["drum_one.mp4", "two.mkv"]
    assert list(figures["by_group"]) == ["drums", "other"]
    one, two = figures["by_film"].values()
    assert (one["onsets_from"], one["n_onsets"]) == (DETECTED, 4)
    assert (two["onsets_from"], two["n_onsets"]) == (LABELLED, 2)
    assert one["frame_rate_hz"] == 25
    assert sum(one["kind_named"].values()) == pytest.approx(1.0, abs=1e-3)
    assert one["kind_named_right"] == one["kind_named"]["none"]
    assert figures["no_kind_named_right"] == pytest.approx((one["kind_named_right"] + two["kind_named_right"]) / 2)
    assert answers[0].music.size == answers[0].reference.size
    assert np.abs(answers[0].onsets - EVENTS).max() < 0.02
    film = respond_to_footage(tmp_path / "drum_one.mp4", ResponseSettings("default"))
    assert np.array_equal(film.response.music, answers[0].music), "the same film, the same music"
    assert film.response.music.size > 3 * SAMPLE_RATE
    assert film.flow.shape == (len(film.speed), 2, 16, 16)


def test_too_little_to_compare_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forward", "--clips", str(tmp_path)]) == 2
    assert "two films or more" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["forward", "--clips", "1"])


def test_groups_that_cannot_be_read_are_said_before_any_film_is_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "groups.toml").write_text("hits = 3\n")
    assert main(["forward", "--clips", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "groups.toml" in error
    assert "'hits' is no list" in error
    assert main(["forward", "--clips", "5", "--groups", str(tmp_path / "groups.toml")]) == 2
    assert "only films have groups" in capsys.readouterr().err
