"""Scores of one film: the music made for it and the untrained rules on the same flow, each with its control."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from streaming.conventions import TICKS_PER_SECOND
from training.evaluation.films.flow_rules import (
    THRESHOLDS,
    deceleration_peaks,
    feature_peaks,
    speed_peaks,
)
from training.evaluation.films.named_kinds import named_shares
from training.evaluation.forward_loop import Response
from training.measures.average_precision import Peaks, find_peaks
from training.measures.fitted_shift import (
    FittedScore,
    circular_shifts,
    fitted_average_precision,
    fitted_correlation,
    fitted_f1,
)
from training.measures.onsets import HOP_S, correlation, detect_onsets, flux, level_db, match_onsets

LOUDNESS_REACH = 5
"""Loudness is compared at shifts of up to 5 ticks of 40 ms: 200 ms, as onsets are."""
MUSIC, FLOW_PEAKS, DECELERATION, FEATURES = "music", "flow_peaks", "deceleration", "motion_features"
RULES = (FLOW_PEAKS, DECELERATION, FEATURES)
USUAL_THRESHOLD = THRESHOLDS.index(1.0)
"""The number of a rule's threshold where there is no other film to choose it on: the running mean itself."""


@dataclass(frozen=True)
class FilmResponse:
    """A film and the music made for it.

    Attributes:
        response: what was played, and the music; its `rule` has the flow-peak rule's onsets.
        flow: float16 [T, 2, 16, 16], as the translator got it.
        speed: float16 [T, 16, 16].
        features: float16 [T, 26], the live motion features.
        frame_rate_hz: of the film.
        onsets_from: where the reference onsets come from, in words.
        kinds: for each tick the kind of player that was named, or "none".
    """

    response: Response
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    features: NDArray[np.float16]
    frame_rate_hz: float
    onsets_from: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodScores:
    """How well the onsets of one method, music or rule, meet the reference.

    Attributes:
        unshifted: F1 at ±50 ms and shift 0, for each threshold.
        fitted: F1 at the shift chosen on the other half, for each threshold.
        average_precision: of the method's onset curve, at the shift chosen on the other half.
    """

    unshifted: tuple[float, ...]
    fitted: tuple[FittedScore, ...]
    average_precision: FittedScore


@dataclass(frozen=True)
class FilmScores:
    """All scores of one film.

    Attributes:
        film: name, length in seconds, frame rate, number of onsets and where they come from, level of the music, share
            of ticks in which each kind of player was named.
        methods: by name, `MUSIC` and `RULES`.
        loudness: correlation of the levels at shift 0.
        loudness_fitted: the same at the shift chosen on the other half.
    """

    film: dict[str, Any]
    methods: dict[str, MethodScores]
    loudness: FittedScore
    loudness_fitted: FittedScore


def music_peaks(music: NDArray[np.float32]) -> Peaks:
    """Peaks of the music's onset strength above its running median, as `detect_onsets` sees them."""
    strength = flux(music)
    return find_peaks(strength - median_filter(strength, size=int(0.5 / HOP_S) | 1, mode="nearest"), HOP_S)


def score_method(
    reference: NDArray[np.float64], estimates: list[NDArray[np.float64]], peaks: Peaks, seconds: float
) -> MethodScores:
    """Score a method.

    Args:
        reference: onsets in seconds, sorted.
        estimates: the method's onsets for each threshold.
        peaks: of its onset curve.
        seconds: length of the film.
    """
    return MethodScores(
        tuple(match_onsets(reference, estimated).f1 for estimated in estimates),
        tuple(fitted_f1(reference, [estimated], seconds) for estimated in estimates),
        fitted_average_precision(reference, peaks, seconds),
    )


def loudness_at_zero(reference: NDArray[np.float64], level: NDArray[np.float64]) -> FittedScore:
    """Correlation of two series of levels, one a tick, at shift 0, and of circularly shifted ones; NaN for silence."""
    rolls = np.round(circular_shifts(reference.size / TICKS_PER_SECOND) * TICKS_PER_SECOND).astype(int)
    if np.ptp(reference) == 0:
        return FittedScore(float("nan"), (0.0, 0.0), (0, 0), float("nan"), np.full(rolls.size, np.nan))
    draws = np.array([correlation(np.roll(reference, roll), level) for roll in rolls])
    return FittedScore(correlation(reference, level), (0.0, 0.0), (0, 0), float(draws.mean()), draws)


def score_film(film: FilmResponse, early_s: float = 0.0) -> FilmScores:
    """Score a film.

    Args:
        film: what was made for it.
        early_s: anticipation: music and reference are compared as if the performance were so much earlier. The rules
            have none, so they are compared with the performance itself.
    """
    one = film.response
    seconds = len(film.speed) / TICKS_PER_SECOND
    methods = {
        MUSIC: score_method(
            (one.onsets - early_s)[one.onsets >= early_s], [detect_onsets(one.music)], music_peaks(one.music), seconds
        ),
        FLOW_PEAKS: score_method(one.onsets, [one.rule], speed_peaks(film.speed), seconds),
    }
    for rule, peaks in ((DECELERATION, deceleration_peaks(film.flow)), (FEATURES, feature_peaks(film.features))):
        estimates = [peaks.above(least) for least in THRESHOLDS]
        methods[rule] = score_method(one.onsets, estimates, peaks, seconds)
    reference, level = level_db(one.reference), level_db(one.music)
    if ticks := round(early_s * TICKS_PER_SECOND):
        reference, level = reference[ticks:], level[:-ticks]
    described = {
        "name": one.name,
        "seconds": round(seconds, 2),
        "frame_rate_hz": round(film.frame_rate_hz, 2),
        "n_onsets": int(one.onsets.size),
        "onsets_from": film.onsets_from,
        "level_db_of_music": round(float(10 * np.log10(np.mean(one.music**2) + 1e-12)), 1),
        "kind_named": named_shares(film.kinds),
    }
    loudness_fitted = fitted_correlation(reference, level, 1 / TICKS_PER_SECOND, LOUDNESS_REACH)
    return FilmScores(described, methods, loudness_at_zero(reference, level), loudness_fitted)


def other_films_threshold(films: list[FilmScores], which: int, rule: str) -> int:
    """The number of a rule's threshold for one film: that with the best mean fitted F1 on all other films."""
    tables = [
        [score.value for score in film.methods[rule].fitted] for number, film in enumerate(films) if number != which
    ]
    known = [table for table in tables if not np.isnan(table).any()]
    return int(np.argmax(np.mean(known, axis=0))) if known else USUAL_THRESHOLD


def with_thresholds(films: list[FilmScores]) -> list[FilmScores]:
    """The films with one threshold for each rule, chosen on the other films."""
    out = []
    for number, film in enumerate(films):
        described, methods = dict(film.film), dict(film.methods)
        for rule in (DECELERATION, FEATURES):
            found, chosen = film.methods[rule], other_films_threshold(films, number, rule)
            described[f"{rule}_threshold"] = THRESHOLDS[chosen]
            methods[rule] = MethodScores((found.unshifted[chosen],), (found.fitted[chosen],), found.average_precision)
        out.append(replace(film, film=described, methods=methods))
    return out
