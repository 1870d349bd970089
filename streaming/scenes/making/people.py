"""Finds people in a still: their points and which pixels are theirs, by the published eyes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.eyes.network import open_eye
from streaming.conventions import BODY_POINTS
from streaming.vision.eyes.body_tracker import END, MIDDLE, SIDE
from streaming.vision.eyes.detectors import BodyDetector, body_region
from streaming.vision.eyes.regions import Region, cut, map_back, place, whole

NETWORKS = ("body_detector", "body_mask", "body_outline")
MOST = 4
"""People that are looked for at most."""
LEAST_SCORE, LEAST_PRESENCE = 0.6, 0.95
"""What the detector and the points' network must at least believe. Of bodies that were none, in paintings, on a cat and
a cup, one or the other was below; of all real ones both were above in some window."""
SHOULDERS = (11, 12)
ARMS = ((11, 13, 15, 19), (12, 14, 16, 20))
"""Shoulder, elbow, wrist and first finger among the body's points."""
ARM_WIDTH, ARM_SURENESS = 0.16, 0.58
"""An arm's width in widths of the shoulders, and how sure its pixels are the person."""
SHARED = 0.3
"""Two bodies are one when they share more than this of the smaller one's pixels."""
ALIKE = 0.6
"""Looks at one person that share less of their union see different parts: only those like the surest one count."""
AROUND, WIDER = 1.15, 1.2
"""The side of a window about a person's pixels, in sides of their box, and how much wider another one is."""
AGREE, OUTLINE = 0.6, 0.7
"""Where the outline's network means the same pixels to this share of their union, it counts so much and the points'
network the rest: it knows legs, wide sleeves and what lies behind a head better, but not whose the pixels are."""
Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""
MOST_LOOKS = 5
"""Looks at one person, from different windows, whose pixels are averaged: each misses other parts of dark clothes."""
PART = 0.6
"""The side of the smaller windows in which people are looked for, in shorter sides of the still."""


@dataclass(frozen=True)
class FoundPerson:
    """A person in a still.

    Attributes:
        points: float64 [33, 2], x, y in pixels of the still; the order is that of the eyes.
        visibility: float64 [33], 0 to 1.
        mask: float32 [H, W], 0 to 1, how sure a pixel is the person.
        presence: 0 to 1, how sure there is a person.
    """

    points: NDArray[np.float64]
    visibility: NDArray[np.float64]
    mask: NDArray[np.float32] = field(repr=False)
    presence: float


def with_arms(person: FoundPerson) -> NDArray[np.float32]:
    """The person's pixels, float32 [H, W], with the arms and hands that the points say: a hand on a chair is missed."""
    mask = person.mask.copy()
    width = float(np.linalg.norm(person.points[SHOULDERS[0]] - person.points[SHOULDERS[1]]))
    for line in ARMS:
        for one, other in itertools.pairwise(line):
            if min(person.visibility[one], person.visibility[other]) < 0.7:
                break
            ends = np.rint(person.points[[one, other]]).astype(int)
            thickness = max(1, round(ARM_WIDTH * width))
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), ARM_SURENESS, thickness, cv2.LINE_AA)
    return np.maximum(mask, person.mask)


class PeopleFinder(Protocol):
    """What finds people in a still."""

    def find(self, image: NDArray[np.uint8]) -> list[FoundPerson]:
        """The people in an image, uint8 [H, W, 3] BGR, the surest first."""


class PublishedPeopleFinder:
    """Finds people with the networks of the eyes.

    Args:
        detector: the engine `body_detector`.
        landmarks: the engine `body_mask`.
        outline: the engine `body_outline`.
    """

    def __init__(self, detector: Engine, landmarks: Engine, outline: Engine) -> None:
        self._detector, self._landmarks, self._outline = BodyDetector(detector), landmarks, outline

    def find(self, image: NDArray[np.uint8]) -> list[FoundPerson]:
        """The people in an image, uint8 [H, W, 3] BGR, the surest first.

        Raises:
            EngineError: when a runtime cannot go on.
        """
        looks: list[list[FoundPerson]] = []
        for window in windows(image):
            for detection in self._detector.find_all(image, window, MOST):
                if detection.score < LEAST_SCORE:
                    break
                person = self._look(image, detection.region)
                if person is None:
                    continue
                same = next((group for group in looks if _same(person, group[0])), None)
                if same is not None:
                    same.append(person)
                elif len(looks) < MOST:
                    looks.append([person])
        return [self._outlined(image, _mean(group[:MOST_LOOKS])) for group in looks]

    def _look(self, image: NDArray[np.uint8], region: Region) -> FoundPerson | None:
        """The person in a region; the second look is in the region that the first one's points say."""
        first = self._landmarks.step(image=cut(image, region, SIDE))
        places = place(first["landmarks"], region, SIDE)
        region = body_region(places[MIDDLE], places[END])
        outputs = self._landmarks.step(image=cut(image, region, SIDE))
        rows, presence = outputs["landmarks"], float(outputs["presence"][0])
        if min(presence, float(first["presence"][0])) < LEAST_PRESENCE:
            return None
        places = place(rows, region, SIDE)
        sure = (1 / (1 + np.exp(-np.clip(outputs["mask"], -50, 50)))).astype(np.float32)
        mask = map_back(sure, region, image.shape[:2])
        visibility = 1 / (1 + np.exp(-np.clip(rows[:BODY_POINTS, 3].astype(np.float64), -50, 50)))
        return FoundPerson(places[:BODY_POINTS].astype(np.float64), visibility, mask, presence)

    def _outlined(self, image: NDArray[np.uint8], person: FoundPerson) -> FoundPerson:
        """The person, with the pixels that both networks mean."""
        total, looks = np.zeros_like(person.mask), np.zeros_like(person.mask)
        for window in _outline_windows(person.mask):
            for people in self._look_at_outline(image, window):
                if _overlap(people, person.mask) > AGREE:
                    total += people
                    # What lies outside a window was not looked at in it.
                    looks[window[1] : window[3], window[0] : window[2]] += 1
        if not looks.any():
            return person
        mask = OUTLINE * total / np.maximum(looks, 1) + (1 - OUTLINE) * person.mask
        return FoundPerson(person.points, person.visibility, mask.astype(np.float32), person.presence)

    def _look_at_outline(self, image: NDArray[np.uint8], window: Window) -> list[NDArray[np.float32]]:
        """How sure the pixels of a window are a person, float32 [H, W], 0 elsewhere; and the same by the mirror."""
        part = np.s_[window[1] : window[3], window[0] : window[2]]
        picture = cv2.resize(image[part], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found = []
        for way in (1, -1):
            people = self._outline.step(image=np.ascontiguousarray(picture[:, ::way]))["people"][:, ::way]
            mask = np.zeros(image.shape[:2], np.float32)
            mask[part] = cv2.resize(np.ascontiguousarray(people), (window[2] - window[0], window[3] - window[1]))
            found.append(mask)
        return found


def _outline_windows(mask: NDArray[np.float32]) -> list[Window]:
    """Where a person's outline is looked at: the whole picture, and about the pixels found a square and two boxes."""
    height, width = mask.shape
    left, top, across, down = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    if min(across, down) == 0:
        return []
    x, y, longer = left + across / 2, top + down / 2, max(across, down)
    found: list[Window] = [(0, 0, width, height)]
    for half_x, half_y in ((longer, longer), (across, down), (across * WIDER, down * WIDER)):
        reach_x, reach_y = AROUND * half_x / 2, AROUND * half_y / 2
        found.append(
            (
                max(0, math.floor(x - reach_x)),
                max(0, math.floor(y - reach_y)),
                min(width, math.ceil(x + reach_x)),
                min(height, math.ceil(y + reach_y)),
            )
        )
    return found


def windows(image: NDArray[np.uint8]) -> list[Region]:
    """Where people are looked for: the whole picture, squares along its longer side, and smaller ones all over it."""
    height, width = image.shape[:2]
    shorter = float(min(height, width))
    found = [whole(image)]
    for side in (shorter, PART * shorter):
        if side == max(height, width):
            continue
        for y in _middles(height, side):
            found += [Region(x, y, side) for x in _middles(width, side)]
    return found


def _middles(length: int, side: float) -> list[float]:
    """Middles of windows of a side that cover a length, each half over the next."""
    count = 1 + math.ceil((length - side) / (side / 2) - 1e-6)
    return [float(middle) for middle in np.linspace(side / 2, length - side / 2, count)]


def open_people_finder() -> PublishedPeopleFinder:
    """A finder with the networks of the user's cache.

    Raises:
        EngineError: when they are not there, or cannot be run; the text says the fix.
    """
    detector, landmarks, outline = (open_eye(name) for name in NETWORKS)
    return PublishedPeopleFinder(detector, landmarks, outline)


def _same(one: FoundPerson, other: FoundPerson) -> bool:
    first, second = one.mask > 0.5, other.mask > 0.5
    return bool((first & second).sum() > SHARED * min(first.sum(), second.sum()))


def _mean(looks: list[FoundPerson]) -> FoundPerson:
    """The person of several looks: the points of the surest one, the mean of all pixels."""
    best = max(looks, key=lambda person: person.presence)
    like = [person.mask for person in looks if _overlap(person.mask, best.mask) > ALIKE]
    return FoundPerson(best.points, best.visibility, np.mean(like, 0, dtype=np.float32), best.presence)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    first, second = one > 0.5, other > 0.5
    return float((first & second).sum() / max((first | second).sum(), 1))
