"""Asks of films whether the motion of hands tells of onsets that the flow does not.

`python -m training.evaluation.films.hand_rule FOLDER` prints average precision of untrained rules, at the shift that
fits best on the other half of a film, each beside the same search on circularly shifted onsets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from streaming.conventions import TICKS_PER_SECOND
from streaming.vision.eyes.eyes import open_eyes
from streaming.vision.motion.hand_motion import HAND_INDEX
from streaming.vision.motion.onset_rule import onset_strength
from streaming.vision.person_reader import PersonReader, Watcher
from training.evaluation.films.flow_rules import LEAST_FEATURE_SCALE, TICK_PEAK_DISTANCE_S, over_running_mean
from training.evaluation.films.footage import FILMS, reference_sound
from training.evaluation.films.reference_onsets import reference_onsets
from training.evaluation.films.watched_hands import read_features_and_hands
from training.footage.reader import FootageError, camera_frames, examine
from training.measures.average_precision import find_peaks
from training.measures.fitted_shift import FittedScore, fitted_average_precision

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class HandScores:
    """What untrained rules make of one film.

    Attributes:
        film: its name.
        onsets: how many it has.
        known: share of the ticks in which a hand is known.
        rules: average precision by rule: "flow", "hands" and "both".
    """

    film: str
    onsets: int
    known: float
    rules: dict[str, FittedScore]


def hand_strength(hands: NDArray[np.floating]) -> NDArray[np.float32]:
    """How strongly each tick looks like a strike: the larger loss of downward velocity of the two hands.

    Args:
        hands: [T, 2, HAND_FEATURES].

    Returns:
        float32 [T], 0 to 8.
    """
    return np.asarray(hands[:, :, HAND_INDEX["loss_down"]].max(1), np.float32)


def score_rules(features: NDArray[np.float32], hands: NDArray[np.float32], onsets: Curve) -> dict[str, FittedScore]:
    """Average precision of the rule on the flow's features, of that on hands, and of the sum of their curves.

    Args:
        features: float32 [T, MOTION_FEATURES].
        hands: float32 [T, 2, HAND_FEATURES].
        onsets: float64 [n], in seconds, sorted.
    """
    by_flow, by_hands = (
        over_running_mean(curve.astype(np.float64), LEAST_FEATURE_SCALE)
        for curve in (onset_strength(features), hand_strength(hands))
    )
    seconds = len(features) / TICKS_PER_SECOND
    curves = {"flow": by_flow, "hands": by_hands, "both": by_flow + by_hands}
    return {
        name: fitted_average_precision(onsets, find_peaks(curve, 1 / TICKS_PER_SECOND, TICK_PEAK_DISTANCE_S), seconds)
        for name, curve in curves.items()
    }


def score_film_rules(path: Path, eyes: Callable[[], Watcher]) -> HandScores:
    """Watch a film through the live code and score the rules.

    Raises:
        FootageError: when it cannot be used, with the reason.
    """
    footage = examine(path)
    onsets, _ = reference_onsets(path, reference_sound(footage))
    features, hands = read_features_and_hands(camera_frames(footage), footage.ticks, PersonReader(eyes()))
    known = float(hands[:, :, HAND_INDEX["known"]].any(1).mean())
    return HandScores(path.name, len(onsets), known, score_rules(features, hands, onsets))


def table(scores: list[HandScores]) -> str:
    """The scores as a table: value and, in brackets, control."""
    names = ("flow", "hands", "both")
    lines = [f"| film | onsets | hand known | {' | '.join(names)} |", "|---|---:|---:|---:|---:|---:|"]
    for one in scores:
        cells = " | ".join(f"{one.rules[name].value:.2f} ({one.rules[name].control:.2f})" for name in names)
        lines.append(f"| {one.film} | {one.onsets} | {one.known:.0%} | {cells} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.films.hand_rule", description=__doc__)
    parser.add_argument("folder", type=Path, help="with films; those in folders within it are not used")
    folder: Path = parser.parse_args(arguments).folder
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in FILMS) if folder.is_dir() else []
    scores = []
    try:
        for path in paths:
            try:
                scores.append(score_film_rules(path, lambda: open_eyes("full")))
            except FootageError as error:
                print(f"{path.name}: {error}", file=sys.stderr)
    except EngineError as error:
        print(f"the eyes cannot be opened ({error})", file=sys.stderr)
        return 2
    if not scores:
        print(f"{folder}: no film can be used; name a folder with films that have sound", file=sys.stderr)
        return 2
    print(table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
