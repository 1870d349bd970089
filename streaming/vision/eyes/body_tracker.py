"""Follows one body from frame to frame: the detector looks only while no body is followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import BODY_POINTS
from streaming.vision.eyes.detectors import BodyDetector, body_region
from streaming.vision.eyes.regions import Region, cut, place, whole

SIDE = 256
LEAST_PRESENCE = 0.5
LEAST_PIXELS = 32.0
"""A region with a smaller side holds too few pixels for the points of a body."""
SEARCH_NS = 320_000_000
"""How often the detector looks for a body that is not followed."""
MIDDLE, END = 33, 34
"""Rows of the landmarks that say where the body is in the next frame."""


@dataclass(frozen=True)
class TrackedBody:
    """A body in a frame.

    Attributes:
        points: float32 [33, 3], x, y in pixels of the frame, visibility 0 to 1.
        presence: 0 to 1, how sure the network is that a body is in the region.
        region: where it was looked for.
    """

    points: NDArray[np.float32]
    presence: float
    region: Region


class BodyTracker:
    """Follows one body.

    Args:
        detector: the engine `body_detector`.
        landmarks: the engine `body_landmarks`.
    """

    def __init__(self, detector: Engine, landmarks: Engine) -> None:
        self._detector, self._landmarks = BodyDetector(detector), landmarks
        self.reset()

    def reset(self) -> None:
        """Forget the body."""
        self._region: Region | None = None
        self._searched_ns: int | None = None

    def drop(self, now_ns: int) -> None:
        """Forget the body, and look for another only after a while."""
        self._region, self._searched_ns = None, now_ns

    def look(self, frame: NDArray[np.uint8], now_ns: int) -> TrackedBody | None:
        """The body in a frame, uint8 [H, W, 3] BGR, if there is one."""
        if self._region is None:
            if self._searched_ns is not None and now_ns - self._searched_ns < SEARCH_NS:
                return None
            self._searched_ns = now_ns
            found = self._detector.find(frame, whole(frame))
            self._region = None if found is None else found.region
        region = self._region
        if region is None or region.size < LEAST_PIXELS:
            self._region = None
            return None
        outputs = self._landmarks.step(image=cut(frame, region, SIDE))
        rows, presence = outputs["landmarks"], float(outputs["presence"][0])
        if presence < LEAST_PRESENCE:
            self._region = None
            return None
        places = place(rows, region, SIDE)
        self._region = body_region(places[MIDDLE], places[END])
        visibility = 1 / (1 + np.exp(-np.clip(rows[:, 3:4], -50, 50)))
        points = np.concatenate([places, visibility], 1)[:BODY_POINTS].astype(np.float32)
        return TrackedBody(points, presence, region)
