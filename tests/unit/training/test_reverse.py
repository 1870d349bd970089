"""The reverse loop without its devices is never late: every picture is painted, however long that takes."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
import pytest

from streaming.config import Show
from streaming.messages import TICK_SAMPLES
from streaming.stages.picture import PictureStage
from training import reverse


class Slow:
    """A brush that takes longer than a tick."""

    def __init__(self) -> None:
        self.again: list[bool] = []

    def look(self, still: np.ndarray) -> np.ndarray:
        return still

    def paint(self, image: np.ndarray, *told: Any, again: bool) -> np.ndarray:
        time.sleep(0.05)
        self.again.append(again)
        return image


def test_every_picture_is_painted_whatever_the_cores_do(monkeypatch: pytest.MonkeyPatch) -> None:
    brush = Slow()
    monkeypatch.setattr(reverse, "PictureStage", functools.partial(PictureStage, brush_opener=lambda context: brush))
    sound = np.sin(np.arange(12 * TICK_SAMPLES) / 12.0).astype(np.float32)
    moments = list(reverse.animate(sound, np.full((64, 96, 3), 90, np.uint8), Show()))
    assert len(moments) == 12
    assert all(moment.picture is not None for moment in moments)
    assert brush.again == 12 * [False]
