"""Statistics of a bench's trials, and verdicts with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.latency.trials import Trial

AGREEMENT_MS = 5.0
"""Stamps and the external measure may differ by so much at the median."""
AS_GOOD_AS_NONE_MS, WORSE_JITTER_MS, WORSE_MS = 10.0, 3.0, 20.0
NOTICEABLE_MS = (20.0, 30.0)
EARLY_MS, LATE_MS = 45.0, 125.0
JACK_2018 = "Jack, Mehrabi, Stockman, McPherson 2018, Action-sound latency and the perceived quality of instruments"
MAKI_PATOLA_2004 = "Mäki-Patola, Hämäläinen 2004, Latency tolerance for gesture controlled continuous sound instruments"
ITU_1359 = "ITU-R BT.1359-1, Relative timing of sound and vision for broadcasting"


def summarise(values: Sequence[float | None]) -> dict[str, Any]:
    """`n`, `missed`, `p50`, `p95`, `p99`, `max`, `min`, `mean` and `jitter` (p95 less p5), in the values' unit.

    Args:
        values: one for each trial, None for a missed one; none is left out.
    """
    known = np.array([value for value in values if value is not None], np.float64)
    found: dict[str, Any] = {"n": int(known.size), "missed": len(values) - int(known.size)}
    if not known.size:
        return {**found, **dict.fromkeys(("min", "p5", "p50", "p95", "p99", "max", "mean", "jitter"))}
    p5, p50, p95, p99 = (float(value) for value in np.percentile(known, (5, 50, 95, 99)))
    figures = {
        "min": float(known.min()),
        "p5": p5,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "max": float(known.max()),
        "mean": float(known.mean()),
        "jitter": p95 - p5,
    }
    return {**found, **{name: round(value, 3) for name, value in figures.items()}}


def agreement(differences: Sequence[float | None]) -> dict[str, Any]:
    """How far the external measure lies over the stamps' own figure, trial by trial, and whether that is little.

    Returns:
        The summary of the differences in ms, `within_5_ms` (the share of trials), and `agrees` (the median).
    """
    known = [value for value in differences if value is not None]
    found = summarise(differences)
    share = round(sum(abs(value) <= AGREEMENT_MS for value in known) / len(known), 4) if known else None
    agrees = None if found["p50"] is None else bool(abs(found["p50"]) <= AGREEMENT_MS)
    return {**found, "within_5_ms": share, "agrees": agrees}


def forward_verdicts(onset: dict[str, Any]) -> list[dict[str, str]]:
    """What the latency from light to the heard onset means for a player, with sources."""
    middle, jitter = onset["p50"], onset["jitter"]
    if middle is None:
        return []
    if middle <= AS_GOOD_AS_NONE_MS and jitter <= 2 * WORSE_JITTER_MS:
        by_touch = "as good as none: at most 10 ms, nearly constant"
    elif middle <= AS_GOOD_AS_NONE_MS:
        by_touch = "worse than none: within 10 ms, but it jitters by more than 3 ms either way"
    else:
        by_touch = "worse than none for a struck instrument: players rate 10 ms as none, 20 ms and 10 ± 3 ms worse"
    low, high = NOTICEABLE_MS
    if middle < low:
        no_touch = "not noticed without touch: below 20 ms"
    elif middle <= high:
        no_touch = "just noticeable without touch: 20 to 30 ms"
    else:
        no_touch = f"noticed without touch: {middle:.0f} ms is above 20 to 30 ms"
    seen = "not detected as late by a spectator" if middle <= LATE_MS else "detected as late by a spectator"
    return [
        {"verdict": by_touch, "source": JACK_2018},
        {"verdict": no_touch, "source": MAKI_PATOLA_2004},
        {"verdict": f"{seen}: sound up to 125 ms after the picture is not", "source": ITU_1359},
    ]


def reverse_verdicts(changed: dict[str, Any]) -> list[dict[str, str]]:
    """What the latency from sound to the changed picture means for a spectator, with sources."""
    middle = changed["p50"]
    if middle is None:
        return []
    seen = "detected" if middle > EARLY_MS else "not detected"
    words = f"{seen} by a spectator: the sound is {middle:.0f} ms before its picture, up to 45 ms is not detected"
    return [{"verdict": words, "source": ITU_1359}]


def forward_result(trials: list[Trial], wanted: int) -> dict[str, Any]:
    """The figures of light to sound. A flash that no frame showed is a trial that was missed."""
    onset = summarise(_column(trials, "onset_ms", wanted))
    return {
        "onset_ms": onset,
        "changed_ms": summarise(_column(trials, "changed_ms", wanted)),
        "frame_to_sound_ms": summarise(_column(trials, "frame_to_sound_ms", wanted)),
        "frame_to_onset_ms": summarise(_column(trials, "frame_to_onset_ms", wanted)),
        "stamps_ms": summarise(_column(trials, "stamps_ms", len(trials))),
        "external_minus_stamps_ms": agreement([trial["external_minus_stamps_ms"] for trial in trials]),
        "verdicts": forward_verdicts(onset),
        "trials": trials,
    }


def reverse_result(trials: list[Trial], wanted: int) -> dict[str, Any]:
    """The figures of sound to light. An impulse that was never written is a trial that was missed."""
    changed = summarise(_column(trials, "changed_ms", wanted))
    return {
        "changed_ms": changed,
        "tick_to_picture_ms": summarise(_column(trials, "tick_to_picture_ms", wanted)),
        "stamps_ms": summarise(_column(trials, "stamps_ms", len(trials))),
        "external_minus_stamps_ms": agreement([trial["external_minus_stamps_ms"] for trial in trials]),
        "not_at_rest": sum(not trial["at_rest_before"] for trial in trials),
        "verdicts": reverse_verdicts(changed),
        "trials": trials,
    }


def _column(trials: list[Trial], name: str, wanted: int) -> list[float | None]:
    return [trial[name] for trial in trials] + [None] * max(0, wanted - len(trials))
