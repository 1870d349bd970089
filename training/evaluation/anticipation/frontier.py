"""The frontier: onset F1 against look-ahead, for films and for synthetic performers, each beside its controls.

The music made with a look-ahead D is compared with the performance as if it were D earlier. A film's sound lies beside
its picture by an unknown, constant time. That shift is chosen at look-ahead 0, on the other half of the film, and kept
for every look-ahead: a shift chosen anew for each would forgive music that is not earlier at all. What it would give
stands beside it (`refitted`). `unanticipated` is the music of look-ahead 0 held to the same earlier time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.evaluation.anticipation.answers import (
    ANTICIPATIONS_MS,
    AnticipatedAnswers,
    Times,
    answer_film,
    answer_performer,
)
from training.evaluation.films.footage import FILMS
from training.evaluation.films.table import mean_with_control
from training.evaluation.forward_loop import ResponseSettings, describe_settings
from training.footage.reader import FootageError
from training.loop.pool import open_executor, run_jobs
from training.measures.fitted_shift import SHIFTS_S, FittedScore, choose, f1_by_half, fit_shift, versions_of
from training.synthesis.recordings import TEST_SEED

F1 = "onset_f1_50ms"
METHOD = {
    "scored": "the music against the performance as if it were so much earlier; tolerance 50 ms",
    "films": "shift of -200 to 200 ms chosen at look-ahead 0 on one half, scored on the other, and the reverse",
    "performers": "no shift",
    "control": "the same on 100 circularly shifted copies of the reference",
    "refitted": "films only: the shift chosen anew for each look-ahead",
    "unanticipated": "the music of look-ahead 0 against the performance so much earlier",
    "lead_ms": "by how much the music is earlier than that of look-ahead 0: the shift that fits best, median",
}


def _kept_scores(scores: Times, choices: list[tuple[int, int] | None]) -> FittedScore:
    """The scores [C, 2, S] at shifts that were chosen before, for each version the column of each half."""
    values = np.array(
        [
            np.nan if kept is None else (half[1, kept[0]] + half[0, kept[1]]) / 2
            for half, kept in zip(scores, choices, strict=True)
        ]
    )
    control = float(np.nanmean(values[1:])) if not np.isnan(values[1:]).all() else float("nan")
    shifts = (0.0, 0.0) if choices[0] is None else tuple(float(SHIFTS_S[column]) for column in choices[0])
    return FittedScore(float(values[0]), (shifts[0], shifts[1]), (0, 0), control, values[1:])


def _choices(scores: Times, *, fitted: bool) -> list[tuple[int, int] | None]:
    """For each version [2, S] the column chosen on each half; the shift 0 without fitting, None without a score."""
    middle = SHIFTS_S.size // 2
    found: list[tuple[int, int] | None] = []
    for version in scores:
        if np.isnan(version).any():
            found.append(None)
        else:
            found.append((choose(version[:1])[1], choose(version[1:])[1]) if fitted else (middle, middle))
    return found


def scores_of(answers: AnticipatedAnswers, *, fitted: bool) -> dict[str, list[FittedScore]]:
    """The scores of one performance for each of `ANTICIPATIONS_MS`.

    Args:
        answers: onsets of the performance and of the music.
        fitted: whether a constant shift is chosen at look-ahead 0, as for films.

    Returns:
        `F1`, `refitted` and `unanticipated`, each with a score for each look-ahead; NaN where a half has no onset.
    """
    versions = versions_of(answers.onsets, answers.seconds)
    choices = _choices(f1_by_half(versions, answers.music[0], answers.seconds), fitted=fitted)
    found: dict[str, list[FittedScore]] = {F1: [], "refitted": [], "unanticipated": []}
    for ms, music in zip(ANTICIPATIONS_MS, answers.music, strict=True):
        shifts = SHIFTS_S + ms / 1e3
        scores = f1_by_half(versions, music, answers.seconds, shifts)
        found[F1].append(_kept_scores(scores, choices))
        found["refitted"].append(fit_shift(scores[:, None], SHIFTS_S))
        unanticipated = f1_by_half(versions, answers.music[0], answers.seconds, shifts)
        found["unanticipated"].append(_kept_scores(unanticipated, choices))
    return found


def lead_s(answers: AnticipatedAnswers, which: int) -> float:
    """By how many seconds the music of one look-ahead is earlier than that of look-ahead 0, as the best shift says.

    NaN where the performance has no onset.
    """
    if not answers.onsets.size:
        return float("nan")
    best = []
    for music in (answers.music[0], answers.music[which]):
        # The whole performance is its "first half": both halves together decide.
        scores = f1_by_half(answers.onsets[None], music, 2 * answers.seconds + 1.0)[0, :1]
        best.append(float(SHIFTS_S[choose(scores)[1]]))
    return best[1] - best[0]


def points(answers: list[AnticipatedAnswers], *, fitted: bool) -> list[dict[str, Any]]:
    """The means over performances for each look-ahead, each with its control and intervals.

    Performances without onsets in each half are left out.
    """
    scores = [scores_of(one, fitted=fitted) for one in answers]
    rows = []
    for which, ms in enumerate(ANTICIPATIONS_MS):
        row: dict[str, Any] = {"anticipation_ms": ms}
        row |= mean_with_control(F1, [score[F1][which] for score in scores])
        names = ("refitted", "unanticipated") if fitted else ("unanticipated",)
        for name in names:
            means = mean_with_control(name, [score[name][which] for score in scores])
            row |= {key: means[key] for key in (name, f"{name}_control")}
        leads: NDArray[np.float64] = np.array([lead_s(one, which) for one in answers])
        known = leads[~np.isnan(leads)]
        row["lead_ms"] = round(1e3 * float(np.median(known))) if known.size else None
        rows.append(row)
    return rows


def _series(answers: list[AnticipatedAnswers], *, fitted: bool) -> dict[str, Any]:
    return {
        "n": len(answers),
        "n_with_onsets": sum(bool(one.onsets.size) for one in answers),
        "n_onsets": int(sum(one.onsets.size for one in answers)),
        "seconds": round(sum(one.seconds for one in answers), 1),
        "points": points(answers, fitted=fitted),
    }


def evaluate_frontier(
    setting: ResponseSettings, films: Path | None, performers: int, workers: int = 2, labels: Path | None = None
) -> dict[str, Any]:
    """Score every film of a folder, and held-out performers that play freely and that repeat one gesture.

    Args:
        setting: how music is made; its look-ahead is not used.
        films: a folder; None for none. Films that cannot be used are named with the reason.
        performers: how many of each; 0 for none.
        workers: number of processes.
        labels: a folder with the films' reference onsets; see `reference_onsets`.

    Returns:
        `series`: films, performers, periodic_performers, those that were asked for; with the method and settings.

    Raises:
        FileNotFoundError: when fewer than two films can be used.
    """
    paths = sorted(path for path in films.iterdir() if path.suffix.lower() in FILMS) if films else []
    seeds = range(TEST_SEED, TEST_SEED + performers)
    series: dict[str, Any] = {}
    refused: dict[str, str] = {}
    with open_executor(workers) as pool:
        for name, periodic in (("performers", False), ("periodic_performers", True)):
            if performers:
                jobs = pool.map(partial(answer_performer, setting=setting, periodic=periodic), seeds)
                made = list(tqdm(jobs, total=performers, desc=name, mininterval=5))
                series[name] = _series(made, fitted=False) | {"seeds": [seeds.start, seeds.stop - 1]}
        answers = []
        for path, found in tqdm(
            run_jobs(pool, partial(answer_film, setting=setting, labels=labels), paths),
            total=len(paths),
            desc="films",
            mininterval=5,
        ):
            if isinstance(found, FootageError):
                refused[path.name] = str(found)
            elif isinstance(found, Exception):
                raise found
            else:
                answers.append(found)
    if films:
        if len(answers) < 2:
            raise FileNotFoundError(f"{films}: {len(answers)} usable films; add some, two or more can be compared")
        answers.sort(key=lambda one: one.name)
        series["films"] = _series(answers, fitted=True) | {"names": [one.name for one in answers], "refused": refused}
    described = {name: value for name, value in describe_settings(setting).items() if name != "anticipation_ms"}
    return {"series": series, "method": METHOD} | described
