"""The forward scores mean what they say, for performers and for films alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.films import write_film
from training.evaluate import main
from training.evaluation.forward_loop import Response, ResponseSettings, evaluate_footage, respond_to_footage, score
from training.synthesis.recordings import TEST_SEED, kind_of, performer_of, sound_of

EVENTS = (0.8, 1.64, 2.4, 3.32)


def answered(seed: int, music: np.ndarray) -> Response:
    onsets = performer_of(seed).score.onsets_s
    return Response(str(seed), kind_of(seed), music, sound_of(seed), onsets, np.zeros(0))


def test_who_plays_what_was_played_scores_best_and_others_music_does_not() -> None:
    seeds = [TEST_SEED + i for i in (1, 3, 6)]
    right = score([answered(seed, sound_of(seed)) for seed in seeds])
    wrong = score([answered(seed, sound_of(seed + 5)) for seed in seeds])
    assert right["onset_f1_50ms"] == right["onset_f1_50ms_of_true_sound"] > 0.9
    assert right["loudness_correlation"] == 1.0
    assert right["pitch_within_50_cents"] == 1.0
    assert wrong["onset_f1_50ms"] < 0.6
    assert right["onset_f1_50ms_shuffled"] < 0.6
    assert wrong["pitch_within_50_cents"] < 0.4


def test_a_clip_in_which_nothing_is_played_has_no_onsets_to_meet() -> None:
    seeds = [TEST_SEED, TEST_SEED + 1]
    silence, nothing = np.zeros(32_000, np.float32), np.zeros(0)
    silent = Response("silent", "footage", silence, silence, nothing, nothing)
    alone = score([answered(seed, sound_of(seed)) for seed in seeds])
    figures = score([*(answered(seed, sound_of(seed)) for seed in seeds), silent])
    assert (figures["n_clips"], figures["n_with_onsets"]) == (3, 2)
    assert figures["onset_f1_50ms"] == alone["onset_f1_50ms"]


def test_with_anticipation_early_is_right() -> None:
    seeds = [TEST_SEED + 1, TEST_SEED + 3]
    early = [np.concatenate([sound_of(seed)[2560:], np.zeros(2560, np.float32)]) for seed in seeds]
    answers = [answered(seed, music) for seed, music in zip(seeds, early, strict=True)]
    asked, unasked = score(answers, 0.08), score(answers)
    assert asked["onset_f1_50ms"] > 0.9 > unasked["onset_f1_50ms"]
    assert asked["signed_lag_ms_median"] == pytest.approx(-80, abs=12)
    assert asked["loudness_correlation"] > 0.99


def test_films_are_answered_and_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mkv"):
        write_film(tmp_path / name, EVENTS, codec="libx264")
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("not a film")
    figures, answers = evaluate_footage(ResponseSettings("default"), tmp_path, workers=1)
    assert [a.name for a in answers] == ["one.mp4", "two.mkv"]
    assert list(figures["refused"]) == ["broken.mp4"]
    assert set(figures["by_film"]) == {"one.mp4", "two.mkv"}
    assert answers[0].music.size == answers[0].reference.size
    assert np.abs(answers[0].onsets - EVENTS).max() < 0.02
    one = respond_to_footage(tmp_path / "one.mp4", ResponseSettings("default"))
    assert np.array_equal(one.music, answers[0].music), "the same film, the same music"
    assert one.music.size > 3 * SAMPLE_RATE


def test_too_little_to_compare_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forward", "--clips", str(tmp_path)]) == 2
    assert "two films or more" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["forward", "--clips", "1"])
