"""The reverse loop without its devices is never late: every picture is painted, however long that takes."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.conventions import TICK_SAMPLES
from streaming.painting.paint_step import PaintStep
from streaming.painting.paint_worker import PaintWorker
from streaming.settings.config import Show
from streaming.stages.picture import PictureStage
from training.evaluation import offline_reverse_loop


class Slow:
    """A painter that takes longer than a tick."""

    def __init__(self) -> None:
        self.spec = EngineSpec("painter", "fake")
        self.painted = 0

    def step(self, **told: Any) -> dict[str, np.ndarray]:
        time.sleep(0.05)
        self.painted += 1
        return {"change": np.full((128, 128, 3), self.painted, np.float32)}

    def reset(self) -> None:
        pass


def test_every_picture_is_painted_whatever_the_cores_do(monkeypatch: pytest.MonkeyPatch) -> None:
    painter = Slow()
    step = PaintStep(PaintWorker(lambda: painter), None, 0)
    monkeypatch.setattr(
        offline_reverse_loop, "PictureStage", functools.partial(PictureStage, paint_step_opener=lambda context: step)
    )
    show = Show(controls={"imagination": 0.25})
    sound = np.sin(np.arange(12 * TICK_SAMPLES) / 12.0).astype(np.float32)
    moments = list(offline_reverse_loop.animate(sound, np.full((64, 96, 3), 90, np.uint8), show))
    assert len(moments) == 12
    shown = [moment.picture for moment in moments if moment.picture is not None]
    assert len(shown) == painter.painted == 12
    assert [int(picture[8, 8, 0]) for picture in shown] == [90 + n for n in range(1, 13)], "each with its own painting"
