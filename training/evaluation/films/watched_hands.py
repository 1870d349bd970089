"""The motion of hands in films, as a show has it of its camera: the live eyes and the live code, tick by tick."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engines.registry import open_engine
from streaming.conventions import HAND_FEATURES, TICKS_PER_SECOND
from streaming.stages.motion import MotionReader
from streaming.vision.person_reader import PersonReader
from training.datasets.hits import NoEmbedding

ORIGIN_S = 10.0
"""Time of a film's start on the eyes' clock."""


def read_hands(
    frames: Iterable[tuple[NDArray[np.uint8], float]], ticks: int, person: PersonReader
) -> NDArray[np.float32]:
    """The newest frame's motion of hands at each tick.

    Args:
        frames: pictures uint8 [H, W, 3] as a camera of the show sends them, and their times in seconds, in order; none
            is used before its time.
        ticks: number of ticks.
        person: reads the hands, such as `PersonReader(open_eyes("full"))`.

    Returns:
        float32 [T, 2, HAND_FEATURES], see `streaming.vision.motion.hand_motion.HAND_NAMES`.
    """
    reader = MotionReader(open_engine("flow", backend="opencv"), NoEmbedding(), person=person)
    out = np.zeros((ticks, 2, HAND_FEATURES), np.float32)
    newest = np.zeros((2, HAND_FEATURES), np.float32)
    coming = iter(frames)
    after = next(coming, None)
    for tick in range(ticks):
        while after is not None and after[1] <= tick / TICKS_PER_SECOND + 1e-6:
            newest = reader.read(after[0], int((after[1] + ORIGIN_S) * 1e9)).hands_motion
            after = next(coming, None)
        out[tick] = newest
    return out
