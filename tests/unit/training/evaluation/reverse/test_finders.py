"""Finders: what is found again is matched one to one, a wrecked picture loses it, and absent networks are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.contract import EngineSpec
from engines.eyes.catalogue import MissingEyesError
from training.evaluation.reverse.finders import (
    Finding2D,
    FoundShare,
    found_again,
    open_finders,
    score_finder,
    windows,
)

SIDE = 320


def still() -> NDArray[np.uint8]:
    picture = np.full((SIDE, SIDE + 96, 3), 60, np.uint8)
    cv2.circle(picture, (100, 120), 24, (255, 255, 255), -1)
    cv2.circle(picture, (300, 200), 24, (255, 255, 255), -1)
    return picture


def find_discs(picture: NDArray[np.uint8], near: Sequence[Finding2D] | None = None) -> list[Finding2D]:
    """A finder of white discs."""
    count, _, stats, middles = cv2.connectedComponentsWithStats((picture.mean(-1) > 200).astype(np.uint8))
    return [
        Finding2D(0.9, float(middles[i][0]), float(middles[i][1]), float(stats[i][2]))
        for i in range(1, count)
        if abs(stats[i][2] - stats[i][3]) < 6 and stats[i][4] > 800
    ]


def test_what_moves_a_little_is_found_again_and_what_is_torn_is_not() -> None:
    moved = np.roll(still(), 9, 1)
    torn = still()
    torn[:, 100:] = np.roll(torn[:, 100:], 30, 0)
    share = score_finder(find_discs, still(), [moved, torn])
    assert (share.found, share.of) == (3, 4)
    assert (share.found_control, share.of_control) == (2, 2)
    assert score_finder(find_discs, np.full_like(still(), 60), [moved]) == FoundShare()
    assert share + share == FoundShare(6, 8, 4, 4)


def test_each_finding_counts_for_one_thing_of_like_size_and_place() -> None:
    thing = Finding2D(0.9, 100.0, 100.0, 40.0)
    assert found_again([thing, thing], [thing], 400) == 1
    assert found_again([thing], [Finding2D(0.9, 140.0, 100.0, 40.0)], 400) == 1
    assert found_again([thing], [Finding2D(0.9, 200.0, 100.0, 40.0)], 400) == 0
    assert found_again([thing], [Finding2D(0.9, 100.0, 100.0, 90.0)], 400) == 0


def test_small_things_are_looked_for_in_squares_that_overlap() -> None:
    whole, *squares = windows(still())
    assert whole.size == SIDE + 96
    assert {square.size for square in squares} == {SIDE / 2}
    covered = np.zeros(still().shape[:2], int)
    for square in squares:
        top, left, size = round(square.y - square.size / 2), round(square.x - square.size / 2), round(square.size)
        covered[top : top + size, left : left + size] += 1
    assert covered[:, : SIDE + 80].min() >= 1
    _, *close = windows(still(), [Finding2D(0.9, 60.0, 60.0, 20.0)])
    assert [(square.x, square.y) for square in close] == [(80.0, 80.0)]


class OneBox:
    """A detector that finds a box around one anchor."""

    def __init__(self, anchor: int, anchors: int, numbers: int) -> None:
        self.spec = EngineSpec("face_detector", "none")
        self.boxes = np.zeros((anchors, numbers), np.float32)
        self.scores = np.full(anchors, -9.0, np.float32)
        self.boxes[anchor, 2:4], self.scores[anchor] = 40.0, 3.0

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[np.float32]]:
        if np.asarray(inputs["image"]).max() < 200:
            return {"boxes": self.boxes, "scores": self.scores - 9.0}
        return {"boxes": self.boxes, "scores": self.scores}

    def reset(self) -> None:
        """Nothing to forget."""


def test_a_face_is_where_its_anchor_is() -> None:
    def opener(name: str) -> OneBox:
        if name != "face_detector":
            raise MissingEyesError(f"{name} is not here", Path())
        return OneBox(24 * 48 + 24, 48 * 48, 16)

    finders = open_finders(opener)
    assert list(finders) == ["faces"]
    found = finders["faces"](still())
    best = max(found, key=lambda face: face.size)
    assert (best.x, best.y) == pytest.approx((208 + 4, 160 + 4), abs=4)
    assert best.size == pytest.approx(40.0 * 416 / 192, rel=0.05)
    assert not finders["faces"](np.zeros_like(still()))
