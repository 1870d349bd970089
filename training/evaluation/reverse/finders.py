"""Finds faces, bodies and hands in pictures with the published eyes, and tells which are found again.

They judge what was moved and take no part in moving it: faces are found by a network that nothing else uses. Each looks
at the whole picture and at overlapping squares of half its height, so that small people are found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.eyes.catalogue import MissingEyesError
from engines.eyes.network import open_eye
from streaming.vision.eyes.body_tracker import LEAST_PRESENCE
from streaming.vision.eyes.body_tracker import SIDE as BODY_LANDMARK_SIDE
from streaming.vision.eyes.detectors import (
    BODY_SIDE,
    BODY_STRIDES,
    PALM_SIDE,
    PALM_STRIDES,
    anchors,
    body_region,
    strongest,
)
from streaming.vision.eyes.regions import Region, cut, place, whole

SURE, AGAIN = 0.65, 0.5
"""How sure a finder must be of what counts in the still, and of what is found again in a moved picture."""
NEAR, ALIKE = 0.5, 1.7
"""Found again: within this share of its size (and what the picture may move), at most so many times larger or smaller.
"""
MOVES = 0.08
"""Of the picture's longer side: as far as a found thing may have moved."""
MOST = 6
_FACE_SIDE, _FACE_STEP = 192, 4

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Finding2D:
    """What was found: how sure it is, 0 to 1, its middle and its size in pixels."""

    score: float
    x: float
    y: float
    size: float


class Finder(Protocol):
    """Finds things of one kind."""

    def __call__(self, picture: Picture, near: Sequence[Finding2D] | None = None) -> list[Finding2D]:
        """What is found in a picture; with `near` it looks at the squares that hold one of these, and at the whole."""
        ...


def found_again(before: Sequence[Finding2D], after: Sequence[Finding2D], longer: int) -> int:
    """How many of the things found in a still are found in a moved picture, each of the latter for one at most.

    Args:
        before: in the still.
        after: in the moved picture.
        longer: side of the picture in pixels.
    """
    free = list(after)
    count = 0
    for thing in before:
        near = [
            other
            for other in free
            if np.hypot(other.x - thing.x, other.y - thing.y) <= NEAR * thing.size + MOVES * longer
            and 1.0 / ALIKE <= other.size / thing.size <= ALIKE
        ]
        if near:
            free.remove(min(near, key=lambda other: float(np.hypot(other.x - thing.x, other.y - thing.y))))
            count += 1
    return count


@dataclass(frozen=True)
class FoundShare:
    """How many things of a still were found again, over all its moved pictures.

    Attributes:
        found: in the moved pictures.
        of: so many there were to find: things of the still times pictures.
        found_control: in the still once more, shifted by a few pixels and with a little noise.
        of_control: so many there were to find.
    """

    found: int = 0
    of: int = 0
    found_control: int = 0
    of_control: int = 0

    def __add__(self, other: FoundShare) -> FoundShare:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return FoundShare(*(one + another for one, another in pairs))


def score_finder(find: Finder, still: Picture, pictures: Sequence[Picture]) -> FoundShare:
    """Look for the things of a still in its moved pictures.

    A thing counts if the finder is sure of it in the still and finds it again in two shifted stills; the control shifts
    the still a third way, and so tells how often the finder itself fails.

    Args:
        find: the finder.
        still: uint8 [H, W, 3].
        pictures: the moved pictures, of the same size.
    """
    longer = max(still.shape[:2])
    sure = [thing for thing in find(still) if thing.score >= SURE]
    if not sure:
        return FoundShare()
    things = sure
    for seed, by in enumerate(((4, 6), (-6, -2))):
        again = find(_disturbed(still, by, seed), sure)
        things = [thing for thing in things if found_again([thing], again, longer)]
    if not things:
        return FoundShare()
    found = sum(found_again(things, find(picture, things), longer) for picture in pictures)
    control = found_again(things, find(_disturbed(still, (-5, 3), 2), things), longer)
    return FoundShare(found, len(things) * len(pictures), control, len(things))


def _disturbed(still: Picture, by: tuple[int, int], seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(0.0, 2.0, still.shape)
    return np.asarray(np.clip(np.roll(still, by, (0, 1)) + noise, 0, 255), np.uint8)


def windows(picture: Picture, near: Sequence[Finding2D] | None = None) -> list[Region]:
    """The whole picture, and overlapping squares with half of its shorter side.

    Args:
        picture: uint8 [H, W, 3].
        near: only squares that hold the middle of one of these, if given.
    """
    height, width = picture.shape[:2]
    side = min(height, width) / 2.0
    middles_y, middles_x = (np.arange(side / 2, size - side / 2 + 1, side / 2) for size in (height, width))
    squares = [Region(float(x), float(y), side) for y in middles_y for x in middles_x]
    if near is not None:
        squares = [
            square
            for square in squares
            if any(max(abs(square.x - thing.x), abs(square.y - thing.y)) < side / 2 for thing in near)
        ]
    return [whole(picture), *squares]


def open_finders(opener: Callable[[str], Engine] = open_eye) -> dict[str, Finder]:
    """Finders of faces, bodies and hands, by name; those whose networks are not in the cache are left out."""
    makers: dict[str, Callable[[], Finder]] = {
        "faces": lambda: _face_finder(opener("face_detector")),
        "bodies": lambda: _body_finder(opener("body_detector"), opener("body_landmarks")),
        "hands": lambda: _palm_finder(opener("palm_detector_full")),
    }
    found: dict[str, Finder] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except MissingEyesError:
            continue
    return found


def _face_finder(engine: Engine) -> Finder:
    grid = (np.arange(_FACE_SIDE // _FACE_STEP) + 0.5) * _FACE_STEP
    middles = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2).astype(np.float32)
    return _box_finder(engine, _FACE_SIDE, middles)


def _palm_finder(engine: Engine) -> Finder:
    return _box_finder(engine, PALM_SIDE, anchors(PALM_SIDE, PALM_STRIDES))


def _box_finder(engine: Engine, side: int, middles: NDArray[np.float32]) -> Finder:
    """Things in boxes around anchors."""

    def find(picture: Picture, near: Sequence[Finding2D] | None = None) -> list[Finding2D]:
        found = []
        for window in windows(picture, near):
            outputs = engine.step(image=cut(picture, window, side))
            scores, rows = _sigmoid(outputs["scores"]), outputs["boxes"]
            at, halves = rows[:, :2] + middles, rows[:, 2:4] / 2
            for best in strongest(scores, np.hstack([at - halves, at + halves]), MOST):
                x, y = place(at[best : best + 1], window, side)[0]
                size = float(2 * halves[best].max()) * window.size / side
                found.append(Finding2D(float(scores[best]), float(x), float(y), size))
        return _apart(found)

    return find


def _body_finder(detector: Engine, landmarks: Engine) -> Finder:
    """Bodies that the detector finds and the landmarks' network confirms; sure as the latter says."""
    middles = anchors(BODY_SIDE, BODY_STRIDES)

    def look(picture: Picture, window: Region) -> Iterable[Finding2D]:
        outputs = detector.step(image=cut(picture, window, BODY_SIDE))
        scores, rows = _sigmoid(outputs["scores"]), outputs["boxes"]
        at, halves = rows[:, :2] + middles, np.abs(rows[:, 2:4]) / 2
        for best in strongest(scores, np.hstack([at - halves, at + halves]), MOST):
            region = body_region(*place(rows[best, 4:8].reshape(2, 2) + middles[best], window, BODY_SIDE))
            result = landmarks.step(image=cut(picture, region, BODY_LANDMARK_SIDE))
            presence = float(result["presence"][0])
            if presence >= LEAST_PRESENCE:
                shoulders = place(result["landmarks"][11:13], region, BODY_LANDMARK_SIDE).mean(0)
                yield Finding2D(presence, float(shoulders[0]), float(shoulders[1]), region.size / 2)

    def find(picture: Picture, near: Sequence[Finding2D] | None = None) -> list[Finding2D]:
        return _apart([body for window in windows(picture, near) for body in look(picture, window)])

    return find


def _apart(found: list[Finding2D]) -> list[Finding2D]:
    """The surest of what was found more than once."""
    chosen: list[Finding2D] = []
    for one in sorted(found, key=lambda thing: -thing.score):
        if all(np.hypot(one.x - other.x, one.y - other.y) > 0.5 * max(one.size, other.size) for other in chosen):
            chosen.append(one)
    return [one for one in chosen if one.score >= AGAIN]


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
