"""The frontier: music as early as it was asked to be scores best, and one that is not cannot hide in a shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from tests.films import write_film
from training.evaluation.anticipation import answers as answers_module
from training.evaluation.anticipation.answers import ANTICIPATIONS_MS, AnticipatedAnswers, answer_film
from training.evaluation.anticipation.frontier import F1, evaluate_frontier, lead_s, points, scores_of
from training.evaluation.anticipation.frontier_plot import draw_frontier, write_frontier
from training.evaluation.forward_loop import ResponseSettings
from training.synthesis.recordings import Clip

SECONDS = 20.0


def answers(seed: int, *, late_s: float = 0.0, early: float = 1.0) -> AnticipatedAnswers:
    """A performance, and music that follows `late_s` behind it and is earlier by `early` times the look-ahead."""
    onsets = np.cumsum(np.random.default_rng(seed).uniform(0.25, 0.9, 30)) + 0.3
    onsets = onsets[onsets < SECONDS - 0.5]
    music = tuple(onsets + late_s - early * ms / 1e3 for ms in ANTICIPATIONS_MS)
    return AnticipatedAnswers(str(seed), SECONDS, onsets, music)


def test_music_that_is_as_early_as_asked_costs_nothing() -> None:
    rows = points([answers(seed) for seed in range(3)], fitted=False)
    assert [row["anticipation_ms"] for row in rows] == list(ANTICIPATIONS_MS)
    assert all(row[F1] == 1.0 for row in rows)
    assert all(row[f"{F1}_control"] < 0.6 for row in rows)
    leads = [row["lead_ms"] for row in rows]
    assert leads == pytest.approx(list(ANTICIPATIONS_MS), abs=10), "shifts are tried in steps of 10 ms"
    assert "refitted" not in rows[0]


def test_a_films_constant_shift_is_forgiven_but_not_music_that_is_no_earlier() -> None:
    early = points([answers(seed, late_s=0.11) for seed in range(3)], fitted=True)
    same = points([answers(seed, late_s=0.11, early=0.0) for seed in range(3)], fitted=True)
    assert all(row[F1] > 0.95 for row in early)
    assert same[0][F1] == early[0][F1]
    assert same[3][F1] < 0.5
    assert same[3]["refitted"] > 0.95
    assert [row["unanticipated"] for row in early] == [row[F1] for row in same]
    assert same[3]["lead_ms"] == 0


def test_without_a_fit_music_that_is_late_stays_late() -> None:
    score = scores_of(answers(1, late_s=0.11), fitted=False)[F1][0]
    assert score.value < 0.5
    assert score.shifts_s == (0.0, 0.0)


def test_a_performance_without_onsets_enters_no_mean() -> None:
    nothing = AnticipatedAnswers("silent", SECONDS, np.zeros(0), tuple(np.arange(3.0) for _ in ANTICIPATIONS_MS))
    alone, with_silent = points([answers(1)], fitted=True), points([answers(1), nothing], fitted=True)
    assert [row[F1] for row in with_silent] == [row[F1] for row in alone]
    assert np.isnan(lead_s(nothing, 1))
    assert points([nothing], fitted=True)[0][F1] is None


def test_the_plot_has_a_panel_for_each_series(tmp_path: Path) -> None:
    rows = points([answers(seed, late_s=0.05) for seed in range(2)], fitted=True)
    series = {"n": 2, "n_with_onsets": 2, "points": rows}
    figures = {"series": {"films": series, "performers": series}}
    figure = draw_frontier(figures)
    assert [axes.get_title() for axes in figure.axes] == [
        "films of people (n = 2)",
        "synthetic performers, held out (n = 2)",
    ]
    assert len(figure.axes[0].lines) == 4
    write_frontier(figures, tmp_path / "frontier.png")
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_a_film_is_watched_once_and_answered_for_each_look_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_film(tmp_path / "one.mp4", (0.8, 1.64, 2.4), codec="libx264")
    clips = []

    def click(clip: Clip, setting: ResponseSettings, seed: int) -> np.ndarray:
        clips.append(clip)
        music = np.zeros(clip.age_s.size * TICK_SAMPLES, np.float32)
        at = round((1.0 - setting.anticipation_s) * SAMPLE_RATE)
        music[at : at + 6_400] = 0.5 * np.sin(np.arange(6_400) * 0.1)
        return music

    monkeypatch.setattr(answers_module, "respond", click)
    film = answer_film(tmp_path / "one.mp4", ResponseSettings("default", eyes="bundle"))
    assert (film.name, film.onsets.size) == ("one.mp4", 3)
    assert all(clip is clips[0] for clip in clips)
    expected = [1.0 - ms / 1e3 for ms in ANTICIPATIONS_MS]
    assert [float(each[0]) for each in film.music] == pytest.approx(expected, abs=0.02)


def test_one_film_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="usable films"):
        evaluate_frontier(ResponseSettings("default"), tmp_path, 0, workers=1)
