"""Chooses among the candidates those that are things: wholes before their parts, no two of them overlapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.cuts.candidates import Candidate, Mask

LIKELY = 0.65
"""The least likelihood of a thing. A wrong cut is seen at once, a missed one is not: the ground moves in its place."""
CLEAR = 15.0
"""From this score on a region is a thing whatever its likelihood; no chance region of a real still had more than 10."""
GOOD_WHOLE = 3.0
"""The least score of a large whole: see `_is_clear_whole`."""
HELD = 1.4
"""The least score of what lies at a person's hand."""
LEAST_HOLDER = 0.08
"""The least share of the picture of a person whose hands hold something."""
MOST_LARGE = 8
"""Things of more than two hundredths of the picture that are chosen at most."""


@dataclass(frozen=True)
class Choice:
    """The chosen things.

    Attributes:
        things: that become layers.
        held: what lies at a person's hand, each with the person's number; it becomes part of the person.
    """

    things: tuple[Candidate, ...]
    held: tuple[tuple[Candidate, int], ...]


def choose_things(
    candidates: Sequence[Candidate],
    persons: Sequence[Mask],
    hands: Sequence[Sequence[tuple[float, float]]],
    most: int,
) -> Choice:
    """Choose.

    Args:
        candidates: with their likelihoods, see `rate_candidates`.
        persons: bool [h, w] each, where persons are.
        hands: for each person places (x, y) of hands in pixels of the small copy.
        most: how many things at most.
    """
    panels = [candidate.mask for candidate in candidates if candidate.weak < 0.1 and is_panel(candidate.mask)]
    good = [candidate for candidate in candidates if _is_good(candidate) and not _is_one_of(candidate.mask, panels)]
    good.sort(key=_rank, reverse=True)
    occupied = np.zeros(candidates[0].mask.shape if candidates else (1, 1), bool)
    for person in persons:
        occupied |= _grown(person)
    people = occupied.copy()
    held = _held_things(candidates, occupied, persons, hands)
    for candidate, _ in held:
        occupied |= candidate.mask
    things: list[Candidate] = []
    for candidate in good:
        if len(things) >= most or (len(things) >= MOST_LARGE and candidate.area > 0.02):
            continue
        if _stands_free(candidate.mask, occupied, people):
            things.append(candidate)
            occupied |= candidate.mask
    return Choice(tuple(things), tuple(held))


def _is_good(candidate: Candidate) -> bool:
    """Whether a region may be a thing at all."""
    touched = sum(side > 0.03 for side in candidate.sides)
    if candidate.sides[2] > 0.15 or touched >= 3 or candidate.weak >= 0.25:
        return False
    return candidate.likelihood > LIKELY or candidate.score > CLEAR or _is_clear_whole(candidate)


def _is_clear_whole(candidate: Candidate) -> bool:
    """Whether a region is a large thing before a ground of another colour, sharp all around; see `_rank` for parts."""
    if candidate.source not in ("grabcut", "key") or candidate.area < 0.03 or candidate.score < GOOD_WHOLE:
        return False
    is_compact = candidate.weak < 0.06 and candidate.solidity > 0.85 and candidate.colour_step > 0.4
    return is_compact or (candidate.source == "key" and candidate.weak < 0.1)


def _is_one_of(mask: Mask, others: Sequence[Mask]) -> bool:
    """Whether a region is roughly one of some others."""
    size = mask.sum()
    return any((both := (mask & other).sum()) > 0.7 * (size + other.sum() - both) for other in others)


def _rank(candidate: Candidate) -> float:
    """What is chosen first: a good outline, and the whole before its parts."""
    surplus = 1.6 if candidate.source in ("grabcut", "key") else 1.0
    return float(candidate.score * (max(candidate.area, 0.004) / 0.03) ** 0.42 * surplus)


def _stands_free(mask: Mask, occupied: Mask, people: Mask) -> bool:
    """Whether it overlaps nothing that is taken, and its outline does not run along another thing's."""
    if (occupied & mask).sum() > 0.06 * mask.sum():
        return False
    grown = _grown(mask)
    rim = grown & ~mask
    return bool((_grown(occupied) & rim).sum() <= 0.25 * rim.sum() or (people & grown).any())


def _held_things(
    candidates: Sequence[Candidate],
    occupied: Mask,
    persons: Sequence[Mask],
    hands: Sequence[Sequence[tuple[float, float]]],
) -> list[tuple[Candidate, int]]:
    """Regions at a hand, one for each person: an instrument, a tool."""
    found: list[tuple[Candidate, int]] = []
    taken = occupied.copy()
    if not any(hands):
        return found
    holders: set[int] = set()
    for candidate in sorted(candidates, key=lambda one: -one.score):
        if candidate.score < HELD or candidate.weak > 0.3 or not 0.012 <= candidate.area <= 0.12:
            continue
        if (taken & candidate.mask).sum() > 0.25 * candidate.mask.sum():
            continue
        far = cv2.distanceTransform((~candidate.mask).astype(np.uint8), cv2.DIST_L2, 3)
        height, width = far.shape
        for person, places in enumerate(hands):
            if person in holders:
                continue
            near = [far[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)] for x, y in places]
            if near and min(near) <= 0.03 * width and _may_be_held(candidate.mask & ~taken, persons[person]):
                found.append((candidate, person))
                taken |= candidate.mask
                holders.add(person)
                break
    return found


def _may_be_held(mask: Mask, person: Mask) -> bool:
    """Whether a region is long and much smaller than a person who is large enough to be looked at closely."""
    if person.mean() < LEAST_HOLDER or mask.sum() > 0.35 * person.sum() or mask.sum() < 8:
        return False
    values = np.linalg.eigvalsh(np.cov(np.stack(np.nonzero(mask))) + 1e-3 * np.eye(2))
    return bool(np.sqrt(values[1] / values[0]) > 2.0)


def is_panel(mask: NDArray[np.bool_]) -> bool:
    """Whether a region is a rectangle along the picture's sides: a caption, a logo, a window or a framed picture."""
    ys, xs = np.nonzero(mask)
    if len(xs) == 0:
        return False
    box = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    wide, high = box.shape[1], box.shape[0]
    return bool(box.mean() > 0.88 and min(wide, high) > 0.25 * max(wide, high))


def _grown(mask: Mask) -> Mask:
    grown: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return grown
