"""Playability: what a performer feels, from the tracks of the hands and the sound of the music made for them.

The tracks come from any tracker, as arrays; nothing here looks at pictures. A tracker that the show itself used at that
moment is a poor judge: its errors move the music and the score alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from streaming.conventions import SAMPLE_RATE, TOKEN_FRAME_SAMPLES
from training.measures.fitted_shift import FittedScore, circular_shifts, fitted_correlation, fitted_f1
from training.measures.onsets import correlation, detect_onsets, level_db, match_onsets
from training.measures.pitch import pitch_track

Series = NDArray[np.float64]

VISIBLE = 0.5
"""A point counts from this visibility on."""
FRAME_S = 0.04
LOUDNESS_REACH = 5
"""Loudness is compared with speed at shifts of up to this many frames of 40 ms, chosen on the other half."""
SLOWEST_STRIKE = 0.15
"""Slowest strike in frame sides per second; slower ones are the jitter of trackers."""
STRIKE_SHARE = 0.3
"""A strike is at least this fast, as a share of the hand's 95th percentile of downward speed."""
STOP_SHARE, STOP_S = 0.2, 0.12
"""A strike's downward speed falls from its peak to `STOP_SHARE` of it within `STOP_S` seconds."""
STRIKE_DISTANCE_S = 0.06
LEAST_STRIKES = 8
"""With fewer strikes there is no figure: a few pairs lie within the tolerance by chance."""
LAG_REACH_S = 0.15
STILL_SPEED = 0.03
"""A hand slower than this is still, in frame sides per second over `STILL_WINDOW_S`."""
STILL_WINDOW_S = 0.25
SILENCE_DB, SILENCE_AFTER_S = -60.0, 1.0
"""Within a second of stillness the sound is to fall to silence."""


@dataclass(frozen=True)
class HandTrack:
    """Where one point of a hand was, such as its wrist.

    Attributes:
        times_s: float64 [n], increasing, in seconds of the music's time.
        positions: float64 [n, 2], x to the right and y downward, in frame sides.
        visibility: float64 [n], 0 to 1; below `VISIBLE` the position is not used.
    """

    times_s: Series
    positions: Series
    visibility: Series

    def at(self, times_s: Series) -> Series:
        """Positions at other times, interpolated: [m, 2]; NaN where a neighbour is not visible or there is none."""
        positions = np.where(self.visibility[:, None] >= VISIBLE, self.positions, np.nan)
        columns = [np.interp(times_s, self.times_s, column, np.nan, np.nan) for column in positions.T]
        return np.stack(columns, axis=1)


def _frame_middles(count: int, frame_s: float) -> Series:
    return np.asarray((np.arange(count) + 0.5) * frame_s, np.float64)


def speed_of(track: HandTrack, times_s: Series, window_s: float) -> Series:
    """The hand's speed in frame sides per second: its displacement over a window, which jitter hardly changes."""
    ends, starts = track.at(times_s + window_s / 2), track.at(times_s - window_s / 2)
    return np.asarray(np.hypot(*(ends - starts).T) / window_s, np.float64)


def find_strikes(track: HandTrack) -> Series:
    """When a hand strikes: the ends of fast downward strokes that stop suddenly, in seconds.

    A strike is where the downward speed, after a peak, has fallen to `STOP_SHARE` of it within `STOP_S`, interpolated
    between samples. Slow lowering and points that are lost do not count. The whole track is known, so this judges and
    could not play.
    """
    middle = (track.times_s[1:] + track.times_s[:-1]) / 2
    shown = (track.visibility[1:] >= VISIBLE) & (track.visibility[:-1] >= VISIBLE)
    down = np.where(shown, np.diff(track.positions[:, 1]) / np.diff(track.times_s), np.nan)
    moving = down[np.nan_to_num(down) > 0]
    if moving.size == 0:
        return np.zeros(0)
    least = max(SLOWEST_STRIKE, STRIKE_SHARE * float(np.percentile(moving, 95)))
    strikes: list[float] = []
    for place in range(1, down.size - 1):
        peak = down[place]
        if not (peak >= least and peak >= down[place - 1] and peak > down[place + 1]):
            continue
        after = place + 1
        while after + 1 < down.size and down[after] > STOP_SHARE * peak:
            after += 1
        if not down[after] <= STOP_SHARE * peak:
            continue
        part = (down[after - 1] - STOP_SHARE * peak) / (down[after - 1] - down[after])
        time = float(middle[after - 1] + part * (middle[after] - middle[after - 1]))
        if time - middle[place] <= STOP_S and (not strikes or time - strikes[-1] > STRIKE_DISTANCE_S):
            strikes.append(time)
    return np.array(strikes)


def _merged(strikes: list[Series]) -> Series:
    """Strikes of several hands in order; those within `STRIKE_DISTANCE_S` are one."""
    kept: list[float] = []
    for time in sorted(np.concatenate(strikes).tolist()) if strikes else []:
        if not kept or time - kept[-1] > STRIKE_DISTANCE_S:
            kept.append(time)
    return np.array(kept)


@dataclass(frozen=True)
class StrikeScore:
    """How strikes become onsets.

    Attributes:
        strikes, onsets: how many there were.
        f1: at ±50 ms and shift 0; NaN, as all figures, for fewer strikes than `LEAST_STRIKES`.
        fitted: F1 at the shift chosen on the other half, with its control.
        lag_ms: median of onset minus strike, of pairs within 150 ms; NaN for none.
        spread_ms: half of the 16th to 84th percentile of these lags, which is a normal distribution's standard
            deviation; 102 ms if the onsets had nothing to do with the strikes.
    """

    strikes: int
    onsets: int
    f1: float
    fitted: FittedScore
    lag_ms: float
    spread_ms: float


def score_strikes(strikes: Series, onsets: Series, seconds: float) -> StrikeScore:
    """Compare when hands strike with when the music begins notes; times in seconds, sorted."""
    if strikes.size < LEAST_STRIKES:
        none = float("nan")
        empty = FittedScore(none, (0.0, 0.0), (0, 0), none, np.zeros(0))
        return StrikeScore(strikes.size, onsets.size, none, empty, none, none)
    lags = np.array(match_onsets(strikes, onsets, LAG_REACH_S).lags_s) * 1e3
    low, median, high = np.percentile(lags, [16, 50, 84]) if lags.size else [np.nan] * 3
    return StrikeScore(
        strikes=strikes.size,
        onsets=onsets.size,
        f1=match_onsets(strikes, onsets).f1,
        fitted=fitted_f1(strikes, [onsets], seconds),
        lag_ms=float(median),
        spread_ms=float(high - low) / 2,
    )


def loudness_with_speed(tracks: list[HandTrack], music: NDArray[np.float32]) -> FittedScore:
    """Correlation of the music's level in dB with the logarithm of the fastest hand's speed, by `fitted_correlation`.

    Frames of 40 ms; a hand that is not visible counts as still.
    """
    level = level_db(music)
    times = _frame_middles(level.size, FRAME_S)
    speeds = np.stack([np.nan_to_num(speed_of(track, times, 2 * FRAME_S)) for track in tracks]).max(0)
    return fitted_correlation(np.log10(speeds + STILL_SPEED), level, FRAME_S, LOUDNESS_REACH)


def rank_correlation(a: Series, b: Series) -> float:
    """Spearman's rank correlation of two equally long series; NaN for fewer than three values or a constant series."""
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return correlation(rankdata(a), rankdata(b))


def pitch_with_height(tracks: list[HandTrack], music: NDArray[np.float32]) -> tuple[float, float]:
    """Rank correlation of the pitch with a hand's height, of the hand for which it is largest, and its control.

    Compared are the frames of 20 ms that are voiced and in which the hand is seen. The control is the mean of the same,
    the choice of the hand included, with the pitch circularly shifted.

    Returns:
        The correlation and the control; NaN where nothing can be compared.
    """
    pitch = pitch_track(music)
    frame_s = TOKEN_FRAME_SAMPLES / SAMPLE_RATE
    heights = [-track.at(_frame_middles(pitch.size, frame_s))[:, 1] for track in tracks]

    def best(pitch: Series) -> float:
        known = [~np.isnan(pitch) & ~np.isnan(height) for height in heights]
        found = [rank_correlation(height[k], pitch[k]) for height, k in zip(heights, known, strict=True)]
        return max((value for value in found if not np.isnan(value)), default=float("nan"))

    rolls = np.round(circular_shifts(pitch.size * frame_s) / frame_s).astype(int)
    draws = [value for value in (best(np.roll(pitch, roll)) for roll in rolls) if not np.isnan(value)]
    return best(pitch), float(np.mean(draws)) if draws else float("nan")


@dataclass(frozen=True)
class StillnessScore:
    """How the sound ends when the hands stand still.

    Attributes:
        seconds: for how long all hands had been still for more than a second.
        silent_share: share of that time at -60 dB of full scale or less; NaN where `seconds` is 0.
        level_db: the loudest frame of 40 ms in it; NaN where `seconds` is 0.
    """

    seconds: float
    silent_share: float
    level_db: float


def silence_in_stillness(tracks: list[HandTrack], music: NDArray[np.float32]) -> StillnessScore:
    """The music's level while all hands have been still for more than a second; hands out of view are not still."""
    level = level_db(music, floor_db=-120.0)
    times = _frame_middles(level.size, FRAME_S)
    speeds = np.stack([speed_of(track, times, STILL_WINDOW_S) for track in tracks])
    counts, count = np.zeros(level.size, np.int64), 0
    for frame, still in enumerate(np.all(speeds < STILL_SPEED, axis=0).tolist()):
        count = count + 1 if still else 0
        counts[frame] = count
    late = counts * FRAME_S > SILENCE_AFTER_S
    if not late.any():
        return StillnessScore(0.0, float("nan"), float("nan"))
    rest = level[late]
    return StillnessScore(float(late.sum() * FRAME_S), float((rest <= SILENCE_DB).mean()), float(rest.max()))


def score_playability(tracks: list[HandTrack], music: NDArray[np.float32]) -> dict[str, Any]:
    """All playability figures of one film, as JSON values; None where there was nothing to compare.

    Args:
        tracks: one for each hand, at least one.
        music: what was made for the film, float32 [n] at 32 kHz, beginning at time 0 of the tracks.
    """
    seconds = music.size / SAMPLE_RATE
    strikes = score_strikes(_merged([find_strikes(track) for track in tracks]), detect_onsets(music), seconds)
    loudness = loudness_with_speed(tracks, music)
    stillness = silence_in_stillness(tracks, music)
    pitch, pitch_control = pitch_with_height(tracks, music)
    figures = {
        "strike_f1_50ms": strikes.f1,
        "strike_f1_50ms_fitted": strikes.fitted.value,
        "strike_f1_50ms_fitted_control": strikes.fitted.control,
        "strike_lag_ms": strikes.lag_ms,
        "strike_lag_spread_ms": strikes.spread_ms,
        "loudness_with_speed": loudness.value,
        "loudness_with_speed_control": loudness.control,
        "pitch_with_height": pitch,
        "pitch_with_height_control": pitch_control,
        "still_s": stillness.seconds,
        "silent_share_of_stillness": stillness.silent_share,
        "loudest_in_stillness_db": stillness.level_db,
    }
    rounded = {name: None if np.isnan(value) else round(float(value), 4) for name, value in figures.items()}
    return {"n_strikes": strikes.strikes, "n_onsets": strikes.onsets, **rounded}
