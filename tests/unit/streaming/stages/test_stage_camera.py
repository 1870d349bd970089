"""The camera stage with a scripted source."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.devices.cameras.frames import CameraSource, Frame
from streaming.errors import SourceError
from streaming.schema.messages import Camera, Tokens
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages import camera
from streaming.telemetry.metrics import Metrics


class Scripted(CameraSource):
    """A frame at each poll until its script ends."""

    rate_hz = 10.0
    description = "scripted"

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.started: list[tuple[int, int]] = []
        self.closed = False

    def open(self, context: Context) -> None:
        pass

    def start(self, origin_ns: int, now_ns: int) -> None:
        self.started.append((origin_ns, now_ns))
        self.resume_ns = origin_ns

    def poll(self, now_ns: int) -> Frame | None:
        if self.left == 0:
            self.finished = "the file ended"
            return None
        self.left -= 1
        return Frame(np.zeros((4, 4, 3), np.uint8), self.left, now_ns - 7)

    def wake_ns(self) -> int | None:
        return 123

    def close(self) -> None:
        self.closed = True


def make(source: Scripted, context: Context) -> camera.CameraStage:
    stage = camera.CameraStage(lambda _: source)
    stage.setup(context)
    return stage


def test_frames_become_messages_with_the_frames_capture_time() -> None:
    context = Context(Show(), Metrics())
    source = Scripted(5)
    stage = make(source, context)
    (message,) = stage.step(Inputs(), 1_000)
    assert isinstance(message, Camera)
    assert (message.capture_ns, message.index, message.rate_hz) == (993, 4, 10.0)
    assert source.started == []
    assert stage.wake_ns() == 123
    assert context.info["camera"] == "scripted"
    assert context.metrics.take().counters == {"frames": 1}
    stage.close()
    assert source.closed


def test_the_sources_time_begins_once_with_the_performance() -> None:
    context = Context(Show(), Metrics())
    source = Scripted(5)
    stage = make(source, context)
    stage.step(Inputs(started=True), 1_000)
    stage.step(Inputs(started=True), 2_000)
    assert source.started == [(1_000, 1_000)]
    assert context.memo["origin_ns"] == 1_000


def test_a_restarted_stage_resumes_its_sources_time() -> None:
    source = Scripted(5)
    stage = make(source, Context(Show(), Metrics(), memo={"origin_ns": 400}))
    stage.step(Inputs(started=True), 1_000)
    assert source.started == [(400, 1_000)]


def test_the_end_is_said_once() -> None:
    said: list[str] = []
    stage = make(Scripted(1), Context(Show(), Metrics(), finish=said.append))
    for now_ns in (1, 2, 3):
        stage.step(Inputs(started=True), now_ns)
    assert said == ["the file ended"]
    assert stage.wake_ns() is None


def test_close_after_a_failed_setup() -> None:
    stage = camera.CameraStage()
    with pytest.raises(SourceError):
        stage.setup(Context(Show(camera="no such file.mp4"), Metrics()))
    stage.close()


def test_a_camera_with_its_own_clock_has_a_phase_against_the_ticks_and_others_have_none() -> None:
    class FreeRunning(Scripted):
        free_running, rate_hz = True, 25.0
        stamps, stamp_delay_ms = "driver", 31.0

    tick_ns = 40_000_000
    for kind in (FreeRunning, Scripted):
        context = Context(Show(), Metrics())
        stage = make(kind(300), context)
        for tick in range(250):
            tokens = Tokens(tick=tick, frames=np.zeros((4, 2), np.int16), dac_ns=5 + tick * tick_ns)
            stage.step(Inputs({"tokens": [tokens]}, started=True), round(tick * tick_ns * 1.0001) + 9_000_007)
        gauges = context.metrics.take().gauges
        if kind is Scripted:
            assert gauges == {}
            assert "stamps" not in context.info
            continue
        assert gauges["camera_phase_ms"] == pytest.approx(9.0 + 250 * 0.004, abs=0.05)
        assert gauges["camera_drift_ppm"] == pytest.approx(100.0, abs=1.0)
        assert gauges["stamp_delay_ms"] == 31.0
        assert context.info["stamps"] == "driver"


def test_the_module_of_the_table_builds_it() -> None:
    assert PROCESSES["camera"].module == camera.__name__
    assert isinstance(camera.build(), camera.CameraStage)
