"""Scores of onsets at a shift in time that is chosen on one half of a clip and scored on the other, and their control.

The sound of a film may lie tens of milliseconds beside its picture, so a score at shift 0 is partly a lottery. A search
for the best shift finds something in anything, so the same search on circularly shifted onsets stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measures.average_precision import Peaks, average_precision

Times = NDArray[np.float64]

SHIFTS_S: Times = np.round(np.arange(-20, 21) * 0.01, 2)
"""The shifts that are tried: -200 to 200 ms in steps of 10 ms. A shift is added to the estimated times."""
CONTROL_SHIFTS = 100
"""How many circular shifts the control tries."""
LEAST_CIRCULAR_S = 1.0
"""Circular shifts keep this far from 0 and from the clip's length, where a clip of 4 s or more allows it."""
TOLERANCE_S = 0.05
PLATEAU = 5
"""Shifts within so many steps (50 ms) decide between equal ones, the nearer the more: a plateau's middle is chosen."""
ROUNDING_S = 1e-9
"""Times that differ by no more are equal: sums of steps of 5 and 10 ms are not exact."""


@dataclass(frozen=True)
class FittedScore:
    """A score whose shift was chosen on one half of a clip and scored on the other, and the reverse.

    Attributes:
        value: mean of the two halves' scores; NaN where a half has no reference onset.
        shifts_s: the shift chosen on the first half, and on the second.
        thresholds: the threshold chosen with each shift, as its number.
        control: mean of the same search on circularly shifted onsets; NaN where `value` is.
        control_draws: float64 [CONTROL_SHIFTS], the value of each circular shift.
    """

    value: float
    shifts_s: tuple[float, float]
    thresholds: tuple[int, int]
    control: float
    control_draws: NDArray[np.float64]


def circular_shifts(seconds: float, count: int = CONTROL_SHIFTS, seed: int = 0) -> Times:
    """Random shifts for `roll_onsets`, uniform over a clip's length but for its ends; in seconds [count]."""
    least = min(LEAST_CIRCULAR_S, seconds / 4)
    return np.random.default_rng(seed).uniform(least, seconds - least, count)


def roll_onsets(onsets: Times, shifts_s: Times, seconds: float) -> Times:
    """Onsets moved later by each shift; what leaves the clip's end enters at its beginning: [shifts, onsets]."""
    return np.sort((onsets[None, :] + shifts_s[:, None]) % seconds, axis=1)


def f1_by_half(references: Times, estimated: Times, seconds: float, shifts_s: Times = SHIFTS_S) -> Times:
    """Onset F1 of each half of a clip, for many references and shifts at once.

    The matching is that of `match_onsets`: one to one, within 50 ms, with the most pairs.

    Args:
        references: onset times in seconds, sorted [C, R]; C versions of R onsets.
        estimated: onset times in seconds, sorted [E].
        seconds: length of the clip.
        shifts_s: [S], added to the estimated times.

    Returns:
        float64 [C, 2, S]; NaN for a half without reference onsets.
    """
    middle = seconds / 2
    versions, count = references.shape
    shifts = shifts_s[None, :]
    split = np.searchsorted(estimated, middle - shifts_s - ROUNDING_S)[None, :]
    late = references >= middle - ROUNDING_S
    pairs = np.zeros((2, versions, shifts_s.size))
    following = np.zeros((versions, shifts_s.size), np.int64)
    padded = np.append(estimated, np.inf)
    for onset in range(count):
        time, second = references[:, onset, None], late[:, onset, None]
        first = np.searchsorted(estimated, time - TOLERANCE_S - shifts - ROUNDING_S)
        following = np.maximum(following, np.where(second, np.maximum(first, split), first))
        within = padded[following] + shifts <= time + TOLERANCE_S + ROUNDING_S
        within &= second | (following < split)
        pairs[0] += within & ~second
        pairs[1] += within & second
        following += within
    wanted = np.stack([(~late).sum(1), late.sum(1)]).astype(np.float64)[:, :, None]
    found = np.stack([split, estimated.size - split])
    with np.errstate(invalid="ignore"):
        scores = 2.0 * pairs / (wanted + found)
    return np.moveaxis(np.where(wanted > 0, scores, np.nan), 0, 1)


def average_precision_by_half(references: Times, peaks: Peaks, seconds: float, shifts_s: Times = SHIFTS_S) -> Times:
    """Average precision of each half of a clip; arguments and result as for `f1_by_half`."""
    middle = seconds / 2
    out = np.zeros((len(references), 2, shifts_s.size))
    halves = [(row[row < middle - ROUNDING_S], row[row >= middle - ROUNDING_S]) for row in references]
    for column, shift in enumerate(shifts_s):
        times = peaks.times_s + shift
        first = times < middle - ROUNDING_S
        parts = [Peaks(times[part], peaks.strengths[part]) for part in (first, ~first)]
        for version, row in enumerate(halves):
            for half in (0, 1):
                out[version, half, column] = average_precision(row[half], parts[half], TOLERANCE_S)
    return out


def choose(scores: Times) -> tuple[int, int]:
    """The best threshold and shift: of equal ones that with the best neighbours, then the shift nearest to 0.

    Args:
        scores: float64 [thresholds, S]; S is odd and its middle is the shift 0.
    """
    around = np.pad(scores, ((0, 0), (PLATEAU, PLATEAU)), mode="edge")
    neighbours = sum(min(k, 2 * PLATEAU - k) * around[:, k : k + scores.shape[1]] for k in range(1, 2 * PLATEAU))
    distance = np.broadcast_to(np.abs(np.arange(scores.shape[1]) - scores.shape[1] // 2), scores.shape)
    best = np.lexsort((distance.ravel(), -np.round(neighbours, 9).ravel(), -np.round(scores, 9).ravel()))[0]
    row, column = np.unravel_index(best, scores.shape)
    return int(row), int(column)


def _across_halves(scores: Times) -> tuple[float, list[tuple[int, int]]]:
    """Value and choices of one version: scores [thresholds, 2, S]; NaN and no choice where a half has no score."""
    if np.isnan(scores).any():
        return float("nan"), []
    choices = [choose(scores[:, half]) for half in (0, 1)]
    (row, column), (other_row, other_column) = choices
    return float(scores[row, 1, column] + scores[other_row, 0, other_column]) / 2, choices


def versions_of(reference: Times, seconds: float, seed: int = 0) -> Times:
    """The reference onsets, then the control's circularly shifted ones: [1 + CONTROL_SHIFTS, R]."""
    return np.concatenate([reference[None], roll_onsets(reference, circular_shifts(seconds, seed=seed), seconds)])


def fit_shift(scores: Times, shifts_s: Times = SHIFTS_S) -> FittedScore:
    """Take the score of each half at the shift, and the threshold, that are best on the other half.

    Args:
        scores: float64 [1 + C, thresholds, 2, S]: of the reference and then of its C control versions, for each
            threshold, half of the clip and shift.
        shifts_s: [S], odd, the shift 0 in its middle.
    """
    value, choices = _across_halves(scores[0])
    draws = np.array([_across_halves(one)[0] for one in scores[1:]])
    if not choices:
        return FittedScore(float("nan"), (0.0, 0.0), (0, 0), float("nan"), np.full(draws.size, np.nan))
    control = float(np.nanmean(draws)) if not np.isnan(draws).all() else float("nan")
    (row, column), (other_row, other_column) = choices
    chosen = (float(shifts_s[column]), float(shifts_s[other_column]))
    return FittedScore(value, chosen, (row, other_row), control, draws)


def fitted_f1(reference: Times, estimates: list[Times], seconds: float, seed: int = 0) -> FittedScore:
    """Onset F1 at ±50 ms by `fit_shift`.

    Args:
        reference: onset times in seconds, sorted.
        estimates: the estimated onsets for each threshold that may be chosen; one where there is nothing to choose.
        seconds: length of the clip.
        seed: of the control.
    """
    versions = versions_of(reference, seconds, seed)
    return fit_shift(np.stack([f1_by_half(versions, estimated, seconds) for estimated in estimates], axis=1))


def fitted_average_precision(reference: Times, peaks: Peaks, seconds: float, seed: int = 0) -> FittedScore:
    """Average precision of a curve's peaks by `fit_shift`; arguments as for `fitted_f1`."""
    versions = versions_of(reference, seconds, seed)
    return fit_shift(average_precision_by_half(versions, peaks, seconds)[:, None])


def correlation_by_half(references: Times, estimated: Times, reach: int) -> Times:
    """Pearson correlation of each half of two series, for many references and shifts by whole frames.

    Args:
        references: float64 [C, T]; C versions of a series.
        estimated: float64 [T].
        reach: the series is moved later by -reach to reach frames; what has no partner then is left out.

    Returns:
        float64 [C, 2, 2 * reach + 1]; NaN for a half in which the reference does not change, 0 for one in which only
        the estimate does not.
    """
    length = estimated.size
    out = np.zeros((len(references), 2, 2 * reach + 1))
    for half, (start, end) in enumerate(((0, length // 2), (length // 2, length))):
        for column, shift in enumerate(range(-reach, reach + 1)):
            first, last = max(start, shift, 0), min(end, length + shift)
            ours = estimated[first - shift : last - shift]
            theirs = references[:, first:last] - references[:, first:last].mean(1, keepdims=True)
            ours = ours - ours.mean()
            power = (theirs**2).sum(1)
            scale = np.sqrt(power * (ours**2).sum())
            out[:, half, column] = np.where(power > 0, theirs @ ours / np.maximum(scale, 1e-12), np.nan)
    return out


def fitted_correlation(reference: Times, estimated: Times, step_s: float, reach: int, seed: int = 0) -> FittedScore:
    """Correlation of two equally long series by `fit_shift`.

    Args:
        reference: float64 [T], one value every `step_s` seconds.
        estimated: the same, moved by up to `reach` values.
        step_s: in seconds.
        reach: in values.
        seed: of the control.
    """
    rolls = np.round(circular_shifts(reference.size * step_s, seed=seed) / step_s).astype(int)
    versions = np.stack([reference, *(np.roll(reference, roll) for roll in rolls)])
    shifts_s: Times = np.arange(-reach, reach + 1, dtype=np.float64) * step_s
    return fit_shift(correlation_by_half(versions, estimated, reach)[:, None], shifts_s)
