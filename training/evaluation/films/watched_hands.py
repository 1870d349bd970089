"""The motion of hands in films, as a show has it of its camera: the live eyes and the live code, tick by tick."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engines.registry import open_engine
from streaming.conventions import HAND_FEATURES, MOTION_FEATURES, TICKS_PER_SECOND
from streaming.schema.messages import Motion
from streaming.stages.motion import MotionReader
from streaming.vision.person_reader import PersonReader
from training.datasets.hits import NoEmbedding

ORIGIN_S = 10.0
"""Time of a film's start on the eyes' clock."""


def read_features_and_hands(
    frames: Iterable[tuple[NDArray[np.uint8], float]], ticks: int, person: PersonReader
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The newest frame's motion at each tick.

    Args:
        frames: pictures uint8 [H, W, 3] as a camera of the show sends them, and their times in seconds, in order; none
            is used before its time.
        ticks: number of ticks.
        person: reads the hands, such as `PersonReader(open_eyes("full"))`.

    Returns:
        Motion features of the flow, float32 [T, MOTION_FEATURES], see `streaming.vision.motion.feature_names.NAMES`;
        motion of hands, float32 [T, 2, HAND_FEATURES], see `streaming.vision.motion.hand_motion.HAND_NAMES`.
    """
    reader = MotionReader(open_engine("flow", backend="opencv"), NoEmbedding(), person=person)
    features = np.zeros((ticks, MOTION_FEATURES), np.float32)
    hands = np.zeros((ticks, 2, HAND_FEATURES), np.float32)
    motion: Motion | None = None
    coming = iter(frames)
    after = next(coming, None)
    for tick in range(ticks):
        while after is not None and after[1] <= tick / TICKS_PER_SECOND + 1e-6:
            motion = reader.read(after[0], int((after[1] + ORIGIN_S) * 1e9))
            after = next(coming, None)
        if motion is not None:
            features[tick], hands[tick] = motion.features, motion.hands_motion
    return features, hands


def read_hands(
    frames: Iterable[tuple[NDArray[np.uint8], float]], ticks: int, person: PersonReader
) -> NDArray[np.float32]:
    """The motion of hands alone: float32 [T, 2, HAND_FEATURES]; see `read_features_and_hands`."""
    return read_features_and_hands(frames, ticks, person)[1]
