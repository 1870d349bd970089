"""Kept looks: a shift keeps them, blur and tearing do not, and a still that does not come back is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.schema.messages import Hearing
from tests.scenes.reverse_stages import HearingStages, beats
from tests.scenes.reverse_stages import picture as fake_picture
from training.evaluation.reverse.finders import Finding2D
from training.evaluation.reverse.material import ScoredStill
from training.evaluation.reverse.moved_still import MovedStill, SceneOfStill
from training.evaluation.reverse.scores.kept_looks import score_looks, score_silence


class BlurringStages(HearingStages):
    """Every picture loses its detail and what is in it."""

    def draw(
        self, scene: SceneOfStill, moved: MovedStill, ticks: Sequence[int] | None = None, **controls: float
    ) -> list[NDArray[np.uint8]]:
        drawn = super().draw(scene, moved, ticks, **controls)
        return [np.asarray(cv2.GaussianBlur(image, (0, 0), 25.0), np.uint8) for image in drawn]


class DriftingStages(HearingStages):
    """Nothing ever comes back."""

    def move(self, scene: SceneOfStill, heard: Iterable[Hearing], seed: int = 0, **controls: float) -> MovedStill:
        moved = super().move(scene, heard, seed, **controls)
        return MovedStill(moved.flows, np.maximum.accumulate(moved.amplitudes) + np.float32(0.5), moved.flow)


def find_thing(picture: NDArray[np.uint8], near: Sequence[Finding2D] | None = None) -> list[Finding2D]:
    """The bright thing of the fake still."""
    bright = cv2.blur(picture.mean(-1).astype(np.float32), (5, 5)) > 140
    if bright.mean() < 0.1 or picture.std() < 35:
        return []
    y, x = np.nonzero(bright)
    return [Finding2D(0.9, float(x.mean()), float(y.mean()), 80.0)]


def looks(stages: HearingStages) -> dict[str, Any]:
    still = ScoredStill("a thing", fake_picture())
    heard = stages.hear(beats(1).sound)
    return score_looks(stages, [(still, stages.scene(still.image))], heard, {"faces": find_thing}, 3)


def test_what_is_kept_is_told_from_what_is_lost() -> None:
    kept, lost = looks(HearingStages("none")), looks(BlurringStages("none"))
    assert kept["faces_found"] == kept["faces_found_control"] == 1.0
    assert kept["faces_found_of"] == 3
    assert lost["faces_found"] == 0.0
    assert 0.95 < kept["sharpness"] < 1.05
    assert lost["sharpness"] < 0.2
    row = kept["looks_by_still"]["a thing"]
    assert (row["faces_found"], row["faces_found_painted"]) == ("3 of 3", "2 of 2")


def test_silence_gives_the_still_back_or_is_reported_as_never() -> None:
    stages, drifting = HearingStages("none"), DriftingStages("none")
    back = score_silence(stages, [stages.scene(fake_picture())], beats(1))
    never = score_silence(drifting, [drifting.scene(fake_picture())], beats(1))
    assert 0.0 < back["silence_returns_s"] < 3.0
    assert back["silence_stills_that_moved"] == 1
    assert never["silence_returns_s"] is None
