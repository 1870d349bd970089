"""Hands in films: each tick has its newest frame's, and none comes before its time."""

from __future__ import annotations

import numpy as np

from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_motion import HAND_INDEX
from streaming.vision.person_reader import PersonReader
from tests.people import person_with
from training.evaluation.films.watched_hands import read_hands

Y = HAND_INDEX["y"]


class FrameReader:
    """Sees a hand as low as a frame is bright, and nobody in a black one."""

    sees_hands = True
    body_alone = False

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        grey = int(frame[0, 0, 0])
        return person_with(left=(0.3, grey / 255)) if grey else Person()

    def reset(self) -> None:
        """There is nothing to forget."""


def test_each_tick_has_its_newest_frames_hands() -> None:
    greys = (0, 51, 102, 153)
    times = (0.0, 0.05, 0.07, 0.3)
    frames = [(np.full((48, 64, 3), grey, np.uint8), time) for grey, time in zip(greys, times, strict=True)]
    rows = read_hands(iter(frames), 10, PersonReader(FrameReader()))
    seen = [None if not row[0, 0] else round((float(row[0, Y]) + 1) / 2, 3) for row in rows]
    assert seen == [None, None, *[0.4] * 6, 0.6, 0.6]
    assert rows.shape == (10, 2, 8)


def test_a_film_without_frames_has_no_hands() -> None:
    assert not read_hands(iter(()), 3, PersonReader(FrameReader())).any()
