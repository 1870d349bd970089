"""Finds people in a still: their points and which pixels are theirs, by the published eyes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.eyes.network import open_eye
from streaming.conventions import BODY_POINTS
from streaming.vision.eyes.body_tracker import END, MIDDLE, SIDE
from streaming.vision.eyes.detectors import BodyDetector, body_region
from streaming.vision.eyes.regions import Region, cut, map_back, place, whole

NETWORKS = ("body_detector", "body_mask")
MOST = 4
"""People that are looked for at most."""
LEAST_PRESENCE = 0.9
"""Bodies that were none, in paintings, had up to 0.83; real ones 0.98 and more."""
APART = 0.35
"""Two bodies are two when their middles are further apart than this share of the larger one's region."""


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


class PeopleFinder(Protocol):
    """What finds people in a still."""

    def find(self, image: NDArray[np.uint8]) -> list[FoundPerson]:
        """The people in an image, uint8 [H, W, 3] BGR, the surest first."""


class PublishedPeopleFinder:
    """Finds people with the networks of the eyes.

    Args:
        detector: the engine `body_detector`.
        landmarks: the engine `body_mask`.
    """

    def __init__(self, detector: Engine, landmarks: Engine) -> None:
        self._detector, self._landmarks = BodyDetector(detector), landmarks

    def find(self, image: NDArray[np.uint8]) -> list[FoundPerson]:
        """The people in an image, uint8 [H, W, 3] BGR, the surest first.

        Raises:
            EngineError: when a runtime cannot go on.
        """
        found: list[tuple[FoundPerson, Region]] = []
        for window in windows(image):
            for detection in self._detector.find_all(image, window, MOST):
                if len(found) >= MOST or any(_same(detection.region, region) for _, region in found):
                    continue
                seen = self._look(image, detection.region)
                if seen is not None and not any(_same(seen[1], region) for _, region in found):
                    found.append(seen)
        return [person for person, _ in found]

    def _look(self, image: NDArray[np.uint8], region: Region) -> tuple[FoundPerson, Region] | None:
        """The person in a region; the second look is in the region that the first one's points say."""
        for look in (1, 2):
            outputs = self._landmarks.step(image=cut(image, region, SIDE))
            rows, presence = outputs["landmarks"], float(outputs["presence"][0])
            if presence < LEAST_PRESENCE:
                return None
            places = place(rows, region, SIDE)
            if look == 2:
                break
            region = body_region(places[MIDDLE], places[END])
        sure = (1 / (1 + np.exp(-np.clip(outputs["mask"], -50, 50)))).astype(np.float32)
        mask = map_back(sure, region, image.shape[:2])
        visibility = 1 / (1 + np.exp(-np.clip(rows[:BODY_POINTS, 3].astype(np.float64), -50, 50)))
        return FoundPerson(places[:BODY_POINTS].astype(np.float64), visibility, mask, presence), region


def windows(image: NDArray[np.uint8]) -> list[Region]:
    """Where people are looked for: the whole picture, and squares at both ends of its longer side."""
    height, width = image.shape[:2]
    side = float(min(height, width))
    found = [whole(image)]
    if max(height, width) > 1.2 * side:
        found += [Region(side / 2, side / 2, side), Region(width - side / 2, height - side / 2, side)]
    return found


def open_people_finder() -> PublishedPeopleFinder:
    """A finder with the networks of the user's cache.

    Raises:
        EngineError: when they are not there, or cannot be run; the text says the fix.
    """
    detector, landmarks = (open_eye(name) for name in NETWORKS)
    return PublishedPeopleFinder(detector, landmarks)


def _same(one: Region, other: Region) -> bool:
    return float(np.hypot(one.x - other.x, one.y - other.y)) < APART * max(one.size, other.size) / 1.25
