"""Judges a soak: each criterion passed, failed, or not told because the soak was too short."""

from __future__ import annotations

from typing import Any

import numpy as np

SLOPE_MB_PER_HOUR = 1.0
SLOPE_FROM_S = 600.0
"""The slope of the memory is told from so many seconds on: a fresh process grows for minutes."""
DESCRIPTORS = 2
"""So many more descriptors at the end than in the middle are no leak: a connection may just be open."""
TAIL, TAIL_MS = 1.5, 5.0
"""The p99 of the second half may be so many times that of the first half, or so many ms more."""

Verdict = dict[str, Any]


def slope_per_hour(points: list[tuple[float, float]]) -> float | None:
    """Least-squares slope over the second half of (seconds, value), an hour; None for too short a time."""
    points = points[len(points) // 2 :]
    if len(points) < 3 or points[-1][0] <= points[0][0]:
        return None
    at, values = (np.array(column, np.float64) for column in zip(*points, strict=True))
    return round(float(np.polyfit(at - at.mean(), values, 1)[0]) * 3600.0, 3)


def slopes(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """The slope of each process's memory in MB an hour."""
    names = sorted({name for row in rows for name in row["processes"]})
    return {
        name: slope_per_hour(
            [(row["at_s"], row["processes"][name]["rss_mb"]) for row in rows if name in row["processes"]]
        )
        for name in names
    }


def judge(rows: list[dict[str, Any]], report: dict[str, Any]) -> list[Verdict]:
    """The verdicts on a real show.

    Args:
        rows: see `SoakWatch`.
        report: the show's own.
    """
    ticks, audio = report["ticks"], report["audio"]
    restarts = sum(stage["restarts"] for stage in report["stages"].values())
    verdicts = [
        _none("underruns", audio["underruns"]),
        _none("ticks concealed after the first second", ticks["concealed_after_first_second"]),
        _none("restarts", restarts),
        _none("pictures missed after the first second", report["pictures"]["missed_after_first_second"]),
        _drift(rows),
    ]
    length_s = rows[-1]["at_s"] if rows else 0.0
    growing = {name: slope for name, slope in slopes(rows).items() if slope is not None}
    worst = max(growing.values(), default=None)
    if length_s < SLOPE_FROM_S or worst is None:
        verdicts.append(_verdict("memory, at most 1 MB an hour each", worst, None))
    else:
        verdicts.append(_verdict("memory, at most 1 MB an hour each", worst, worst <= SLOPE_MB_PER_HOUR))
    verdicts.append(_descriptors(rows))
    verdicts += [_tail(rows, way) for way in ("forward", "reverse") if any(row[f"{way}_p99"] for row in rows)]
    return verdicts


def judge_counts(counts: dict[str, int], rows: list[dict[str, Any]]) -> list[Verdict]:
    """The verdicts on a virtual show, whose counters must be exact."""
    exact = counts["ticks_expected"] == counts["ticks_played"] == counts["ticks_wanted"]
    verdicts = [
        _verdict("every tick counted and played", counts["ticks_played"], exact),
        _verdict(
            "every sample counted", counts["samples_played"], counts["samples_played"] == counts["samples_wanted"]
        ),
        *(
            _none(name.replace("_", " "), counts[name])
            for name in ("ticks_concealed", "microphone_samples_lost", "pictures_missed", "refused", "gaps")
        ),
        _none("ticks of drift", counts["drift_ticks"]),
    ]
    slope = slope_per_hour([(row["at_s"], row["rss_mb"]) for row in rows])
    enough = len(rows) >= 6
    passed = None if slope is None or not enough else slope <= SLOPE_MB_PER_HOUR
    verdicts.append(_verdict("memory, at most 1 MB a virtual hour", slope, passed))
    return verdicts


def _verdict(name: str, value: float | int | None, passed: bool | None) -> Verdict:
    return {"criterion": name, "value": value, "passed": passed}


def _none(name: str, value: int | None) -> Verdict:
    return _verdict(name, value, None if value is None else value == 0)


def _drift(rows: list[dict[str, Any]]) -> Verdict:
    """By how many ticks more or fewer the making of sound is ahead of its playing, at the end than at the beginning."""
    leads = [row["lead_ticks"] for row in rows if row["lead_ticks"] is not None]
    if len(leads) < 4:
        return _verdict("ticks of drift", None, None)
    quarter = max(1, len(leads) // 4)
    drift = int(np.median(leads[-quarter:]) - np.median(leads[quarter : 2 * quarter]))
    return _verdict("ticks of drift", drift, drift == 0)


def _descriptors(rows: list[dict[str, Any]]) -> Verdict:
    """The largest growth of a process's descriptors from the middle to the end."""
    if len(rows) < 4:
        return _verdict("descriptors do not grow", None, None)
    middle, last = rows[len(rows) // 2]["processes"], rows[-1]["processes"]
    growth = [last[name]["descriptors"] - middle[name]["descriptors"] for name in last if name in middle]
    most = int(max(growth, default=0))
    return _verdict("descriptors do not grow", most, most <= DESCRIPTORS)


def _tail(rows: list[dict[str, Any]], way: str) -> Verdict:
    """The median of the p99 of the intervals, second half over first."""
    values = [row[f"{way}_p99"] for row in rows if row[f"{way}_p99"] is not None][1:]
    if len(values) < 4:
        return _verdict(f"{way}: the tail does not grow", None, None)
    half = len(values) // 2
    before, after = float(np.median(values[:half])), float(np.median(values[half:]))
    ratio = round(after / max(before, 1e-3), 2)
    return _verdict(f"{way}: the tail does not grow", ratio, ratio <= TAIL or after - before <= TAIL_MS)
