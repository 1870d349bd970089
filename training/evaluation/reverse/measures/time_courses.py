"""Compares the springs' time courses: how alike two are, which piece made one, what one explains of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Course = NDArray[np.floating]
"""Amplitudes of a scene's springs, [T, M]."""
LEAST_DEVIATION = 1e-4
"""A spring whose amplitude varies less than this (standard deviation) is at rest."""


def course_correlation(one: Course, other: Course) -> float:
    """Mean over the springs of the correlation of their time courses.

    A spring that moves in one course only counts as 0. Springs at rest in both are left out.

    Args:
        one: [T, M].
        other: [T, M].

    Returns:
        -1 to 1; NaN where no spring moves in either.

    Raises:
        ValueError: for courses of different shapes.
    """
    if one.shape != other.shape:
        raise ValueError(f"time courses of different shapes: {one.shape} and {other.shape}")
    a, b = (course.astype(np.float64) - course.mean(0, dtype=np.float64) for course in (one, other))
    deviation_a, deviation_b = a.std(0), b.std(0)
    moves_a, moves_b = deviation_a > LEAST_DEVIATION, deviation_b > LEAST_DEVIATION
    if not (moves_a | moves_b).any():
        return float("nan")
    both = moves_a & moves_b
    shares = (a * b).mean(0)[both] / (deviation_a * deviation_b)[both]
    return float(shares.sum() / (moves_a | moves_b).sum())


def find_pieces(films: Sequence[Course], references: Sequence[Course]) -> list[int]:
    """For each film the piece whose reference is most like it.

    Args:
        films: a course of each piece, [T, M] each.
        references: another course of each piece in the same order, such as with another seed.

    Returns:
        The number of the best reference for each film; -1 where no spring moves, or where two references are equally
        good, since then the film tells nothing.
    """
    found = []
    for film in films:
        scores = np.nan_to_num([course_correlation(film, reference) for reference in references], nan=-2.0)
        best = int(np.argmax(scores))
        unclear = scores[best] <= -2.0 or (np.isclose(scores, scores[best], rtol=0.0, atol=1e-9).sum() > 1)
        found.append(-1 if unclear else best)
    return found


def flow_courses(flow: NDArray[np.floating]) -> Course:
    """Flow fields [T, 2, G, G] as time courses [T, 2 * G * G], at the scale of amplitudes."""
    return np.asarray(flow, np.float64).reshape(len(flow), -1)


def explained_share(true: Sequence[Course], baseline: Sequence[Course], network: Sequence[Course]) -> float:
    """What a network explains of the true motion that a baseline leaves unexplained.

    The true courses are fitted in least squares by the baseline alone, and by the baseline and the network together,
    each with one gain for all clips and springs. The share is what the network takes off the squared error.

    Args:
        true: for each clip, the true amplitudes [T, M]; T and M may differ from clip to clip.
        baseline: those of the hand-made drive, of the same shapes.
        network: those of the network, of the same shapes.

    Returns:
        0 (nothing) to 1 (all); 0 where the baseline leaves nothing.

    Raises:
        ValueError: for no clips, or courses that differ in shape.
    """
    y, hand, net = _flat(true, baseline, network)
    left = _unexplained(y, hand[:, None])
    if left <= 1e-12 * max(1e-12, float(y @ y)):
        return 0.0
    return max(0.0, 1.0 - _unexplained(y, np.stack([hand, net], 1)) / left)


def gained_share(true: Sequence[Course], baseline: Sequence[Course], network: Sequence[Course]) -> float:
    """As `explained_share`, but the network's courses are taken as they are, in place of the baseline's.

    Returns:
        1 for a perfect network, below 0 for one that is worse than the baseline with its best gain.

    Raises:
        ValueError: for no clips, or courses that differ in shape.
    """
    y, hand, net = _flat(true, baseline, network)
    return 1.0 - float(((y - net) ** 2).sum()) / max(1e-12, _unexplained(y, hand[:, None]))


def _flat(*courses: Sequence[Course]) -> list[NDArray[np.float64]]:
    shapes = [[course.shape for course in clips] for clips in courses]
    if not shapes[0] or any(other != shapes[0] for other in shapes[1:]):
        raise ValueError("give the same clips and springs for the true motion, the baseline and the network")
    return [np.concatenate([np.ravel(course) for course in clips]).astype(np.float64) for clips in courses]


def _unexplained(y: NDArray[np.float64], parts: NDArray[np.float64]) -> float:
    """Squared error of the least-squares fit of a series [N] by others [N, K]."""
    gains = np.linalg.lstsq(parts, y, rcond=None)[0]
    return float(((y - parts @ gains) ** 2).sum())
