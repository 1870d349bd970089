"""A gesture says how loud and how active the motion is, on a scale that is the player's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import GESTURE, HAND_FEATURES, MOTION_FEATURES
from streaming.vision.gestures.gesture_names import GESTURE_INDEX, GESTURE_NAMES
from streaming.vision.gestures.gesture_reader import USUAL_LEVEL, GestureReader, PlayerMotion
from streaming.vision.motion.feature_names import INDEX
from streaming.vision.motion.hand_motion import HAND_INDEX

STILL = np.zeros((2, 16, 16), np.float32)


def features(speed: float, activity: float = 1.0) -> NDArray[np.float32]:
    row = np.zeros(MOTION_FEATURES, np.float32)
    row[INDEX["speed_max"]], row[INDEX["activity"]] = speed, activity
    return row


def test_every_entry_has_a_name() -> None:
    assert len(GESTURE_NAMES) == GESTURE
    gesture = GestureReader().step(PlayerMotion(STILL, features(0.0, 0.0)))
    assert gesture.shape == (GESTURE,)
    assert gesture[GESTURE_INDEX["by_gesture"]] == 1.0
    assert not gesture[:-1].any(), "at rest everything else is zero"


def test_the_level_rises_at_once_and_falls_slowly() -> None:
    reader, place = GestureReader(), GESTURE_INDEX["level"]
    levels = [float(reader.step(PlayerMotion(STILL, features(speed)))[place]) for speed in (0.0, 1.0, 0.1, 0.1, 0.1)]
    assert levels[0] == 0.0
    assert abs(levels[1] - USUAL_LEVEL) < 1e-6
    assert levels[1] > levels[2] > levels[3] > levels[4] > 0.3
    loud = float(GestureReader().step(PlayerMotion(STILL, features(2.0)))[place])
    assert abs(loud - USUAL_LEVEL - 0.1) < 0.01, "twice as fast is 6 dB louder"


def test_the_higher_hand_is_the_height_and_the_faster_one_the_level() -> None:
    hands = np.zeros((2, HAND_FEATURES), np.float32)
    hands[0, [HAND_INDEX[name] for name in ("known", "height", "speed")]] = 1.0, 0.8, 0.5
    hands[1, [HAND_INDEX[name] for name in ("known", "height", "speed")]] = 1.0, 0.3, 1.0
    gesture = GestureReader().step(PlayerMotion(STILL, features(0.1), hands))
    assert gesture[GESTURE_INDEX["height_known"]] == 1.0
    assert abs(gesture[GESTURE_INDEX["height"]] - 0.8) < 1e-6
    assert abs(gesture[GESTURE_INDEX["level"]] - USUAL_LEVEL) < 1e-6
    hands[:, HAND_INDEX["known"]] = 0.0
    gesture = GestureReader().step(PlayerMotion(STILL, features(0.1), hands))
    assert gesture[GESTURE_INDEX["height_known"]] == 0.0
    assert gesture[GESTURE_INDEX["level"]] < USUAL_LEVEL - 0.3, "without hands the flow says it"


def test_activity_is_that_of_the_motion() -> None:
    assert GestureReader().step(PlayerMotion(STILL, features(0.5, 0.25)))[GESTURE_INDEX["activity"]] == 0.25
    still = PlayerMotion(STILL, features(0.5, 0.25), still_s=2.0)
    assert abs(GestureReader().step(still)[GESTURE_INDEX["activity"]] - np.exp(-2.0)) < 1e-6, "better known, it counts"
