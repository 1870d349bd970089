"""What is known of the person in view: points of the body and of both hands, how sure they are, and the scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import BODY_POINTS, HAND_POINTS

LEFT, RIGHT = 0, 1
"""Rows of `Person.hands`: the player's own left and right."""
NOSE, SHOULDERS, ELBOWS, WRISTS, HIPS = 0, (11, 12), (13, 14), (15, 16), (23, 24)
"""Rows of `Person.body`; pairs are the player's left and right."""
PINKIES, INDEXES = (17, 18), (19, 20)
"""Rows of `Person.body`: the knuckles of the little and of the index finger."""
WRIST, INDEX_KNUCKLE, MIDDLE_KNUCKLE, PINKY_KNUCKLE = 0, 5, 9, 17
"""Rows of a hand."""
SHOULDERS_M, TORSO_M, PALM_M, KNUCKLES_M = 0.36, 0.50, 0.095, 0.065
"""Sizes of an adult in metres: from shoulder joint to shoulder joint, from the shoulders' middle to the hips', from the
wrist to the knuckle of the middle finger, from the knuckle of the index finger to the little one's. Rounded from
anthropometric tables; they turn lengths in a picture into a scale, and a scale needs no better."""


def _no_body() -> NDArray[np.float32]:
    return np.zeros((BODY_POINTS, 3), np.float32)


def _no_hands() -> NDArray[np.float32]:
    return np.zeros((2, HAND_POINTS, 3), np.float32)


@dataclass(frozen=True)
class Person:
    """The person in view. Positions are in sides of the square that holds the frame whole, 0 to 1 from its upper left.

    That is the square of `fit_square`: the frame's longer side is 1, the shorter one is centred. Points outside the
    frame have positions below 0 or above 1.

    Attributes:
        body: float32 [33, 3], x, y, visibility 0 to 1, in MediaPipe's order; zeros where no body is seen.
        body_score: 0 to 1, how sure it is that there is a body; 0 where none is claimed.
        hands: float32 [2, 21, 3], left and right: x, y, presence 0 to 1, in MediaPipe's order; zeros for a lost hand.
        scale: how many sides a metre spans at the player's distance; 0 before anything was seen.
    """

    body: NDArray[np.float32] = field(default_factory=_no_body)
    body_score: float = 0.0
    hands: NDArray[np.float32] = field(default_factory=_no_hands)
    scale: float = 0.0

    @property
    def presence(self) -> NDArray[np.float32]:
        """Float32 [2], how sure it is that the left and the right hand are seen."""
        found: NDArray[np.float32] = self.hands[:, 0, 2]
        return found


def body_scale(points: NDArray[np.float32], visible: float = 0.5) -> float:
    """How many units of the points a metre spans, by the body; 0 where neither shoulders nor torso are seen.

    Turning away makes a length shorter, never longer, so the larger reading counts.

    Args:
        points: [33, 3], x, y, visibility.
        visible: a point counts from this visibility on.
    """
    left, right = points[list(SHOULDERS)]
    if min(left[2], right[2]) < visible:
        return 0.0
    readings = [float(np.hypot(*(left - right)[:2])) / SHOULDERS_M]
    hips = points[list(HIPS)]
    if hips[:, 2].min() >= visible:
        torso = (left + right)[:2] / 2 - hips[:, :2].mean(0)
        readings.append(float(np.hypot(*torso)) / TORSO_M)
    return max(readings)


def hand_scale(points: NDArray[np.float32]) -> float:
    """How many units of the points a metre spans, by a hand; a hand that points at the camera is foreshortened.

    Args:
        points: [21, >= 2], x, y.
    """
    palm = float(np.hypot(*(points[MIDDLE_KNUCKLE] - points[WRIST])[:2])) / PALM_M
    knuckles = float(np.hypot(*(points[INDEX_KNUCKLE] - points[PINKY_KNUCKLE])[:2])) / KNUCKLES_M
    return max(palm, knuckles)
