"""Reads a gesture from a tick's motion; the same code live, in evaluations and for training."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import GESTURE, TICKS_PER_SECOND
from streaming.vision.gestures.gesture_names import GESTURE_INDEX, LEVEL_SPAN_DB
from streaming.vision.gestures.strike_detector import KNOWN_FROM, THRESHOLD, StrikeDetector
from streaming.vision.motion.feature_names import INDEX
from streaming.vision.motion.hand_motion import HAND_INDEX

USUAL_LEVEL = 0.67
"""Level of motion that is as fast as this player's usual fast motion: -20 dB, a voice at its usual loudness."""
RELEASE_S = 0.2
"""Time constant at which the level falls when motion slows down."""
LEAST_SPEED = 1e-3


class PlayerMotion(NamedTuple):
    """What a frame tells of a player's motion.

    Attributes:
        flow: float [2, G, G], in frame sides per second.
        features: float [26], see `streaming.vision.motion.feature_names`.
        hands: float [2, 8], how each hand moves, see `streaming.vision.motion.hand_motion`; None where nobody looks.
        still_s: for how many seconds nothing has moved; None where that is not known.
    """

    flow: NDArray[np.floating]
    features: NDArray[np.floating]
    hands: NDArray[np.floating] | None = None
    still_s: float | None = None

    @property
    def activity(self) -> float:
        """1 while something moves, and exp(-t) after t seconds without motion."""
        if self.still_s is None:
            return float(self.features[INDEX["activity"]])
        return math.exp(-max(0.0, self.still_s))


class GestureReader:
    """Makes the gesture of each tick, one after another.

    Args:
        detector: finds strikes; None for the usual one.
    """

    def __init__(self, detector: StrikeDetector | None = None) -> None:
        self._detector = detector or StrikeDetector()
        self._level = 0.0

    @property
    def sensitivity(self) -> float:
        """How small a strike may be, beside how large this player's motion usually is; 1 is usual."""
        return THRESHOLD / self._detector.threshold

    @sensitivity.setter
    def sensitivity(self, value: float) -> None:
        self._detector.threshold = THRESHOLD / value

    def reset(self) -> None:
        """Forget the past."""
        self._detector.reset()
        self._level = 0.0

    def step(self, motion: PlayerMotion, *, patient: bool = False) -> NDArray[np.float32]:
        """The gesture of a tick: float32 [GESTURE], see `gesture_names.GESTURE_NAMES`.

        Args:
            motion: of the newest frame.
            patient: see `StrikeDetector.step`.
        """
        gesture = np.zeros(GESTURE, np.float32)
        hands = motion.hands
        gesture[GESTURE_INDEX["strike_first"]] = self._detector.step(motion.flow, hands, patient=patient)
        speed = float(motion.features[INDEX["speed_max"]])
        if hands is not None:
            known = hands[:, HAND_INDEX["known"]] > KNOWN_FROM
            if known.any():
                speed = float(hands[known, HAND_INDEX["speed"]].max())
                gesture[GESTURE_INDEX["height"]] = float(hands[known, HAND_INDEX["height"]].max())
                gesture[GESTURE_INDEX["height_known"]] = 1.0
        gesture[GESTURE_INDEX["level"]] = self._follow(speed)
        gesture[GESTURE_INDEX["activity"]] = motion.activity
        gesture[GESTURE_INDEX["by_gesture"]] = 1.0
        return gesture

    def _follow(self, speed: float) -> float:
        """The level: it rises with the speed at once, and falls slowly."""
        target = USUAL_LEVEL + 20.0 * math.log10(max(speed, LEAST_SPEED)) / LEVEL_SPAN_DB
        target = min(1.0, max(0.0, target))
        fall = 1.0 - math.exp(-1.0 / (RELEASE_S * TICKS_PER_SECOND))
        self._level = target if target > self._level else self._level + fall * (target - self._level)
        return self._level
