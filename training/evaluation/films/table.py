"""The table of films: music and rules side by side, by film, by group and over all, with controls and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.films.groups import FilmGroups
from training.evaluation.films.named_kinds import expected_kind, kind_means
from training.evaluation.films.scores import FLOW_PEAKS, MUSIC, RULES, FilmScores, with_thresholds
from training.measures.bootstrap import interval
from training.measures.fitted_shift import CONTROL_SHIFTS, SHIFTS_S, FittedScore

KEYS = {MUSIC: "", **{rule: f"{rule}_" for rule in RULES}}
"""How the figures of a method begin."""
DIGITS = 4
METHOD = {
    "shifts_ms": [round(float(SHIFTS_S[0]) * 1e3), round(float(SHIFTS_S[-1]) * 1e3)],
    "shift_step_ms": round(float(SHIFTS_S[1] - SHIFTS_S[0]) * 1e3),
    "fitted": "the shift is chosen on one half of a film and scored on the other, and the reverse; mean of both",
    "control": f"the same search on {CONTROL_SHIFTS} circularly shifted copies of the reference",
    "control_interval": "95 % of what the shifted copies give for the same mean",
    "interval": "95 % bootstrap over films; none for a single film",
    "thresholds_of_deceleration_and_motion_features": "the best on all other films",
    "flow_peaks_threshold": "the film's mean speed",
    "kind_named": "share of ticks in which each kind of player was named, by the bundle or by the eyes",
    "kind_named_right": "share of ticks in which the kind that the file of groups says was named",
}
"""What the keys of the table mean, in words, for the figures' file."""


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)


def _shifts_ms(score: FittedScore) -> list[int] | None:
    return None if np.isnan(score.value) else [round(shift * 1e3) for shift in score.shifts_s]


def _scores_of(film: FilmScores) -> dict[str, FittedScore]:
    """Every controlled score of a film by its key, after `with_thresholds`."""
    scores = {}
    for method, prefix in KEYS.items():
        found = film.methods[method]
        scores[f"{prefix}onset_f1_50ms_fitted"] = found.fitted[0]
        scores[f"{prefix}average_precision"] = found.average_precision
    return scores | {"loudness_correlation": film.loudness, "loudness_correlation_fitted": film.loudness_fitted}


def _film_row(film: FilmScores, better: str) -> dict[str, Any]:
    """All figures of one film; None where there was nothing to compare."""
    row = {name: value for name, value in film.film.items() if name != "name"}
    known = film.film["n_onsets"] > 0
    for method, prefix in KEYS.items():
        row[f"{prefix}onset_f1_50ms"] = _number(film.methods[method].unshifted[0]) if known else None
    row["onset_f1_50ms_rule"] = row[f"{FLOW_PEAKS}_onset_f1_50ms"]
    for name, score in _scores_of(film).items():
        row[name], row[f"{name}_control"] = _number(score.value), _number(score.control)
    for method, prefix in KEYS.items():
        row[f"{prefix}shift_ms"] = _shifts_ms(film.methods[method].fitted[0])
    row["better_rule"] = better
    row["gain_over_rule_f1_50ms"] = _number(_gain(film, better))
    return row


def _gain(film: FilmScores, rule: str) -> float:
    """The music's fitted F1 minus a rule's."""
    return film.methods[MUSIC].fitted[0].value - film.methods[rule].fitted[0].value


def _interval(values: list[float]) -> list[float] | None:
    """The bootstrap interval over films; None for a single film, which says nothing of others."""
    return interval(values) if len(values) > 1 else None


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def better_rule(films: list[FilmScores]) -> str:
    """The untrained rule with the better mean fitted F1 on these films."""
    means = {rule: np.nan_to_num(_mean([film.methods[rule].fitted[0].value for film in films])) for rule in RULES}
    return max(RULES, key=lambda rule: means[rule])


def mean_with_control(name: str, scores: list[FittedScore]) -> dict[str, Any]:
    """A figure's mean over films beside its control, with intervals; films without the figure are left out.

    Returns:
        `name`, its mean; `_interval` of it; `_control`, the mean of the shifted copies; `_control_interval`, 95 % of
        the means that one shifted copy of each film gives; `_gain`, mean minus control; `_gain_interval`.
    """
    known = [score for score in scores if not np.isnan(score.value)]
    if not known:
        return {name: None, f"{name}_control": None}
    values = [score.value for score in known]
    draws = np.array([score.control_draws for score in known])
    # A shifted copy may leave a half without onsets; such a draw counts as its film's mean control.
    draws = np.where(np.isnan(draws), np.array([score.control for score in known])[:, None], draws).mean(0)
    gains = [score.value - score.control for score in known]
    return {
        name: _number(_mean(values)),
        f"{name}_interval": _interval(values),
        f"{name}_control": _number(_mean([score.control for score in known])),
        f"{name}_control_interval": [round(float(v), DIGITS) for v in np.percentile(draws, [2.5, 97.5])],
        f"{name}_gain": _number(_mean(gains)),
        f"{name}_gain_interval": _interval(gains),
    }


def _group_row(films: list[FilmScores]) -> dict[str, Any]:
    """The figures of a group of films."""
    better = better_rule(films)
    scored = [film for film in films if not np.isnan(film.methods[MUSIC].fitted[0].value)]
    row: dict[str, Any] = {"n_films": len(films), "n_scored": len(scored)}
    tables = [_scores_of(film) for film in films]
    for name in _scores_of(films[0]):
        row |= mean_with_control(name, [table[name] for table in tables])
    with_onsets = [film for film in films if film.film["n_onsets"] > 0]
    for method, prefix in KEYS.items():
        row[f"{prefix}onset_f1_50ms"] = _number(_mean([film.methods[method].unshifted[0] for film in with_onsets]))
    row["better_rule"] = better
    row["onset_f1_50ms_fitted_rule"] = row[f"{KEYS[better]}onset_f1_50ms_fitted"]
    if gains := [_gain(film, better) for film in scored]:
        least = int(np.argmin(gains))
        row["gain_over_rule_f1_50ms"] = _number(_mean(gains))
        row["gain_over_rule_f1_50ms_interval"] = _interval(gains)
        row["least_gain_over_rule_f1_50ms"] = _number(gains[least])
        row["film_of_least_gain"] = scored[least].film["name"]
    return row


def film_table(films: list[FilmScores], groups: FilmGroups) -> dict[str, Any]:
    """All figures of films: over all, `by_group` and `by_film`, as JSON values.

    A film is compared with the rule that is better in the first of its groups.
    """
    films = with_thresholds(films)
    members: dict[str, list[FilmScores]] = {}
    for film in films:
        for group in groups.of(film.film["name"]):
            members.setdefault(group, []).append(film)
    by_film = {}
    for film in films:
        own = groups.of(film.film["name"])
        by_film[film.film["name"]] = (
            {"groups": list(own)}
            | _film_row(film, better_rule(members[own[0]]))
            | expected_kind(film.film["name"], film.film.get("kind_named", {}), groups)
        )
    return (
        _group_row(films)
        | kind_means(by_film)
        | {
            "by_group": {group: _group_row(members[group]) for group in sorted(members)},
            "by_film": by_film,
            "groups_from": groups.source,
            "method": METHOD,
        }
    )
