"""Finds bodies and palms in a region of a frame: turns the detectors' boxes and key points into regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.vision.eyes.regions import Region, cut, place, shifted, turned

BODY_SIDE, PALM_SIDE = 224, 192
BODY_STRIDES, PALM_STRIDES = (8, 16, 32, 32, 32), (8, 16, 16, 16)
LEAST_SCORE = 0.5
OVERLAP = 0.3
"""Boxes that share more than this of their union are of one thing."""
BODY_GROWTH, PALM_GROWTH, PALM_SHIFT = 1.25, 2.6, -0.5
"""How much larger than a found circle or palm the region is that holds the whole body or hand; a hand's lies further up
by so much of the palm (MediaPipe, pose_landmark and hand_landmark modules)."""


@dataclass(frozen=True)
class Detection:
    """Something that was found: how sure it is, 0 to 1, and the region that holds it whole."""

    score: float
    region: Region


def anchors(side: int, strides: Sequence[int]) -> NDArray[np.float32]:
    """The middles of a detector's anchors, two for each layer of a stride and place.

    Args:
        side: of the detector's picture.
        strides: of its layers; neighbours of one stride share their places.

    Returns:
        float32 [A, 2], x, y in pixels of the picture.
    """
    grids = []
    for stride in sorted(set(strides)):
        count = -(-side // stride)
        y, x = np.mgrid[0:count, 0:count]
        middles = (np.stack([x, y], -1).reshape(-1, 1, 2) + 0.5) * (side / count)
        grids.append(middles.repeat(2 * list(strides).count(stride), 1).reshape(-1, 2))
    return np.concatenate(grids).astype(np.float32)


def strongest(scores: NDArray[np.floating], boxes: NDArray[np.floating], count: int) -> list[int]:
    """The best boxes that do not overlap.

    Args:
        scores: [A], 0 to 1.
        boxes: [A, 4], left, top, right, bottom.
        count: how many at most.

    Returns:
        Their rows, the best first; those above `LEAST_SCORE` only.
    """
    rows = np.flatnonzero(scores > LEAST_SCORE)
    rows = rows[np.argsort(-scores[rows])]
    chosen: list[int] = []
    while rows.size and len(chosen) < count:
        best = rows[0]
        chosen.append(int(best))
        rows = rows[[_shared(boxes[best], boxes[row]) <= OVERLAP for row in rows]]
    return chosen


def _shared(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = float(np.prod(np.maximum(high - low, 0)))
    return both / (float(np.prod(one[2:] - one[:2])) + float(np.prod(other[2:] - other[:2])) - both + 1e-9)


class BodyDetector:
    """Finds the clearest body in a region of a frame.

    Args:
        engine: `body_detector` of the eyes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._anchors = anchors(BODY_SIDE, BODY_STRIDES)

    def find(self, frame: NDArray[np.uint8], window: Region) -> Detection | None:
        """The body that is surest, if any."""
        found = self._engine.step(image=cut(frame, window, BODY_SIDE))
        scores = _sigmoid(found["scores"])
        best = int(np.argmax(scores))
        if scores[best] < LEAST_SCORE:
            return None
        return self._detection(float(scores[best]), found["boxes"][best], best, window)

    def find_all(self, frame: NDArray[np.uint8], window: Region, count: int) -> list[Detection]:
        """The surest bodies, at most so many, the surest first."""
        found = self._engine.step(image=cut(frame, window, BODY_SIDE))
        scores, rows = _sigmoid(found["scores"]), found["boxes"]
        middles, halves = rows[:, :2] + self._anchors, rows[:, 2:4] / 2
        best = strongest(scores, np.hstack([middles - halves, middles + halves]), count)
        return [self._detection(float(scores[one]), rows[one], one, window) for one in best]

    def _detection(self, score: float, row: NDArray[np.float32], anchor: int, window: Region) -> Detection:
        points = row[4:8].reshape(2, 2) + self._anchors[anchor]
        return Detection(score, body_region(*place(points, window, BODY_SIDE)))


class PalmDetector:
    """Finds palms in a region of a frame.

    Args:
        engine: `palm_detector` or `palm_detector_full` of the eyes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._anchors = anchors(PALM_SIDE, PALM_STRIDES)

    def find(self, frame: NDArray[np.uint8], window: Region, count: int = 2) -> list[Detection]:
        """The surest palms, at most so many, the surest first."""
        found = self._engine.step(image=cut(frame, window, PALM_SIDE))
        scores, rows = _sigmoid(found["scores"]), found["boxes"]
        middles, halves = rows[:, :2] + self._anchors, rows[:, 2:4] / 2
        boxes = np.hstack([middles - halves, middles + halves])
        detections = []
        for best in strongest(scores, boxes, count):
            points = rows[best, 4:].reshape(7, 2) + self._anchors[best]
            wrist, middle_knuckle = place(points[[0, 2]], window, PALM_SIDE)
            (x, y), size = place(middles[best : best + 1], window, PALM_SIDE)[0], float(2 * halves[best].max())
            palm = Region(float(x), float(y), size * window.size / PALM_SIDE, turned(*(middle_knuckle - wrist)))
            middle = shifted(palm, 0, PALM_SHIFT)
            region = Region(middle.x, middle.y, PALM_GROWTH * palm.size, palm.angle)
            detections.append(Detection(float(scores[best]), region))
        return detections


def body_region(middle: NDArray[np.float32], end: NDArray[np.float32]) -> Region:
    """The region that holds a body whole.

    Args:
        middle: [2], between the hips.
        end: [2], where the circle around the body is above its head, seen from the middle.
    """
    dx, dy = float(end[0] - middle[0]), float(end[1] - middle[1])
    size = 2 * BODY_GROWTH * float(np.hypot(dx, dy))
    return Region(float(middle[0]), float(middle[1]), size, turned(dx, dy))


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
