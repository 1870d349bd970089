"""The stage: stillness before the camera, or silence where there is none, makes the show calm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streaming.conventions import FLOW_GRID, TICK_SAMPLES
from streaming.remote.installation.attract_stage import AttractStage
from streaming.schema.messages import Message, Microphone, Motion, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.remote.test_osc_stage import FakeLink

S = 1_000_000_000
GRID = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)


class Hall:
    """A stage in a show of one direction, whose requests are obeyed."""

    def __init__(self, direction: str) -> None:
        self.link, self.notes, self.now_ns, self.answered = FakeLink(), list[str](), S, 0
        self.stage = AttractStage(lambda *_: self.link)  # type: ignore[arg-type]
        show = Show(direction=direction, installation=True, attract_s=5.0)
        self.context = Context(show, Metrics(), note=self.notes.append, now_ns=S)
        self.stage.setup(self.context)

    def live(self, seconds: float, **message: Any) -> None:
        for _ in range(round(seconds * 10)):
            self.now_ns += S // 10
            new = self.link.requests[self.answered :]
            self.answered += len(new)
            controls = [Set(name=one.name, value=float(one.value)) for one in new]
            self.stage.step(Inputs(message, started=True, controls=controls), self.now_ns)

    def values(self, name: str) -> list[float]:
        return [float(one.value) for one in self.link.requests if one.name == name]


def motion(still_s: float | None) -> list[Message]:
    return [Motion(flow=np.zeros((2, *GRID.shape), np.float32), speed=GRID, embedding=np.zeros(128), still_s=still_s)]


def test_stillness_before_the_camera() -> None:
    hall = Hall("both")
    assert hall.context.unwanted == {"microphone"}
    hall.live(3.0, motion=motion(0.0))
    hall.live(15.0, motion=motion(9.0))
    assert hall.notes == ["nobody moves: the show is calm"]
    assert hall.values("volume")[-1] == -18.0
    assert hall.context.memo["kept"]["volume"] == 0.0
    assert all(one.passing for one in hall.link.requests)
    hall.live(2.0, motion=motion(0.0))
    assert hall.notes[1:] == ["somebody moves: the show is as before"]
    assert hall.values("volume")[-1] == 0.0
    assert hall.context.metrics.take("attract").gauges["present"] == 1.0
    hall.stage.close()
    assert hall.link.is_closed


def test_a_camera_that_is_away_is_no_stillness() -> None:
    hall = Hall("video-to-music")
    hall.live(2.0, motion=motion(0.0))
    hall.live(60.0)
    hall.live(60.0, motion=motion(None))
    assert hall.notes == []


def test_silence_where_there_is_no_camera() -> None:
    hall = Hall("music-to-video")
    assert hall.context.unwanted == {"motion"}
    pcm = np.zeros(TICK_SAMPLES, np.float32)
    hall.live(2.0, microphone=[Microphone(tick=1, pcm=pcm, level_db=-20.0)])
    hall.live(15.0, microphone=[Microphone(tick=1, pcm=pcm, level_db=-70.0)])
    assert hall.values("motion")[-1] == pytest.approx(0.5)
    hall.live(2.0, microphone=[Microphone(tick=1, pcm=pcm, level_db=-20.0)])
    assert hall.values("motion")[-1] == pytest.approx(1.0)


def test_before_the_show_begins_nothing_counts() -> None:
    hall = Hall("both")
    for second in range(100):
        hall.stage.step(Inputs({"motion": motion(9.0)}), S * second)
    assert hall.notes == []
