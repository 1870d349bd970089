"""The table of films: right music beats its control and the rules, music of another film does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import MOTION_FEATURES, SAMPLE_RATE
from streaming.vision.motion.feature_names import INDEX
from training.evaluation.films.flow_rules import THRESHOLDS, flow_peaks
from training.evaluation.films.groups import FilmGroups
from training.evaluation.films.scores import (
    DECELERATION,
    FEATURES,
    RULES,
    FilmResponse,
    FilmScores,
    other_films_threshold,
    score_film,
    with_thresholds,
)
from training.evaluation.films.table import better_rule, film_table, mean_with_control
from training.evaluation.forward_loop import Response
from training.evaluation.pages import forward_page

TICKS = 250


def events(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.uniform(0.3, 0.9, 14)) + 0.2


def sound(onsets: np.ndarray, level: float = 0.3) -> np.ndarray:
    t = np.arange(TICKS * SAMPLE_RATE // 25) / SAMPLE_RATE
    out = np.zeros(t.size)
    for onset in onsets:
        out += np.where(t >= onset, np.exp(-np.maximum(t - onset, 0) / 0.06), 0) * np.sin(2 * np.pi * 700 * t)
    return (level * out).astype(np.float32)


def film(seed: int, played: np.ndarray, onsets: np.ndarray | None = None) -> FilmResponse:
    """A film of dead stops at its events, and music with the onsets `played`."""
    own = events(seed) if onsets is None else onsets
    own = own[own < 9.8]
    flow = np.zeros((TICKS, 2, 16, 16), np.float16)
    for onset in own:
        tick = round(onset * 25)
        flow[max(0, tick - 4) : tick, 1, 5, 5] = np.array([0.2, 0.4, 0.8, 1.2])[-min(4, tick) :]
    speed = np.abs(flow).sum(1)
    response = Response(f"film {seed}", "footage", sound(played), sound(own), own, flow_peaks(speed))
    features = np.zeros((TICKS, MOTION_FEATURES), np.float16)
    for loss in ("loss_max_down", "loss_sum_down"):
        features[np.round(own * 25).astype(int), INDEX[loss]] = 1.0
    return FilmResponse(response, flow, speed, features, 25.0, "given")


@pytest.fixture(scope="module")
def scored() -> tuple[list[FilmScores], list[FilmScores]]:
    """Films whose music is right but 90 ms late, and films with the music of others."""
    right = [score_film(film(seed, events(seed) + 0.09)) for seed in range(4)]
    wrong = [score_film(film(seed, events(seed + 50))) for seed in range(4)]
    return right, wrong


def test_music_that_is_late_by_a_constant_is_right_and_music_of_others_is_its_control(
    scored: tuple[list[FilmScores], list[FilmScores]],
) -> None:
    right, wrong = (film_table(films, FilmGroups()) for films in scored)
    assert right["onset_f1_50ms"] < 0.4
    assert right["onset_f1_50ms_fitted"] > 0.9
    assert right["onset_f1_50ms_fitted_gain"] > 0.4
    assert right["average_precision"] > 0.9 > 0.5 > right["average_precision_control"]
    assert right["by_film"]["film 0"]["shift_ms"] == pytest.approx([-90, -90], abs=30)
    assert abs(wrong["onset_f1_50ms_fitted_gain"]) < 0.2
    low, high = wrong["onset_f1_50ms_fitted_control_interval"]
    assert low < wrong["onset_f1_50ms_fitted_control"] < high < right["onset_f1_50ms_fitted"]
    assert right["loudness_correlation_fitted"] > 0.7 > wrong["loudness_correlation_fitted"]


def test_the_rules_stand_beside_the_music_and_the_better_one_is_named(
    scored: tuple[list[FilmScores], list[FilmScores]],
) -> None:
    table = film_table(scored[1], FilmGroups())
    assert table["deceleration_onset_f1_50ms_fitted"] > 0.9
    assert better_rule(with_thresholds(scored[1])) == table["better_rule"]
    assert table["motion_features_onset_f1_50ms_fitted"] > 0.9
    best = max(table[f"{rule}_onset_f1_50ms_fitted"] for rule in RULES)
    assert table["onset_f1_50ms_fitted_rule"] == best
    assert table["gain_over_rule_f1_50ms"] == pytest.approx(table["onset_f1_50ms_fitted"] - best, abs=2e-4)
    gains = {name: row["gain_over_rule_f1_50ms"] for name, row in table["by_film"].items()}
    assert table["least_gain_over_rule_f1_50ms"] == min(gains.values()) == gains[table["film_of_least_gain"]]


def test_a_silent_film_is_listed_and_enters_no_mean(scored: tuple[list[FilmScores], list[FilmScores]]) -> None:
    silent = score_film(film(9, events(1), np.zeros(0)))
    alone, with_silent = (film_table(films, FilmGroups()) for films in (scored[0], [*scored[0], silent]))
    assert (with_silent["n_films"], with_silent["n_scored"]) == (5, 4)
    row = with_silent["by_film"]["film 9"]
    empty = ("onset_f1_50ms", "onset_f1_50ms_fitted", "average_precision", "loudness_correlation", "shift_ms")
    assert [row[name] for name in empty] == [None] * 5
    for name in ("onset_f1_50ms", "onset_f1_50ms_fitted", "average_precision", "loudness_correlation"):
        assert with_silent[name] == alone[name]


def test_groups_hold_their_films_only(scored: tuple[list[FilmScores], list[FilmScores]], tmp_path: Path) -> None:
    groups = FilmGroups({"even": ["film [02]"], "first": ["film 0"]})
    table = film_table(scored[0], groups)
    assert {name: row["n_films"] for name, row in table["by_group"].items()} == {"even": 2, "first": 1, "other": 2}
    assert table["by_film"]["film 0"]["groups"] == ["even", "first"]
    assert table["by_group"]["first"]["onset_f1_50ms_fitted_interval"] is None
    own = table["by_film"]["film 0"]["onset_f1_50ms_fitted"]
    assert table["by_group"]["first"]["onset_f1_50ms_fitted"] == own


def test_a_films_threshold_is_chosen_on_other_films_only(scored: tuple[list[FilmScores], list[FilmScores]]) -> None:
    films = scored[0]
    for rule in (DECELERATION, FEATURES):
        values = np.array([[score.value for score in one.methods[rule].fitted] for one in films])
        for which in range(len(films)):
            others = np.delete(values, which, axis=0).mean(0)
            assert other_films_threshold(films, which, rule) == int(np.argmax(others))
        assert THRESHOLDS[other_films_threshold(films[:1], 0, rule)] == 1.0


def test_anticipation_is_scored_against_the_performance_moved_earlier() -> None:
    early = events(3) - 0.08
    asked, unasked = (score_film(film(3, early), early_s) for early_s in (0.08, 0.0))
    assert asked.methods["music"].unshifted[0] > 0.9 > unasked.methods["music"].unshifted[0]
    assert asked.methods[DECELERATION].unshifted == unasked.methods[DECELERATION].unshifted
    assert asked.loudness.value > unasked.loudness.value + 0.2


def test_the_page_shows_music_rules_and_controls_by_group_and_film(
    scored: tuple[list[FilmScores], list[FilmScores]], tmp_path: Path
) -> None:
    silent = score_film(film(9, events(1), np.zeros(0)))
    figures = film_table([*scored[1], silent], FilmGroups({"hits": ["film [0-3]"]})) | {"split": "films"}
    text = forward_page(tmp_path, figures, []).read_text()
    assert "<td>hits</td><td>4</td><td>4</td>" in text
    assert "<td>other</td><td>1</td><td>0</td><td>–</td>" in text
    control, (low, high) = (figures[f"onset_f1_50ms_fitted_{name}"] for name in ("control", "control_interval"))
    assert f"control {control:.3f} ({low:.3f} to {high:.3f})".replace("0 ", " ") in text.replace("0 ", " ")
    assert "<th>deceleration onset f1 50ms fitted control</th>" in text
    assert "<td>film 3</td>" in text


def test_figures_that_no_film_has_are_none() -> None:
    assert mean_with_control("x", []) == {"x": None, "x_control": None}
