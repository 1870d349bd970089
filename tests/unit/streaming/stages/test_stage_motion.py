"""The motion stage: velocities of known movements, and everything after which nothing has moved."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from engines.contract import EngineSpec
from engines.flow.opencv import DisFlow
from streaming.conventions import EMBEDDING_DIM, MOTION_FEATURES
from streaming.errors import BundleError
from streaming.schema.messages import Camera, Motion, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages import motion
from streaming.stages.motion import MotionReader, MotionStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.frame_features import VIEW_SIDE
from streaming.vision.frame_stride import FRAMES, FrameStride
from streaming.vision.motion.calibration import NOT_TAKEN
from streaming.vision.motion.feature_names import INDEX
from tests.scenes.motion_frames import MS, CountingFlow, FakeEmbedding, falling, perform, scene


@pytest.fixture
def flow() -> CountingFlow:
    return CountingFlow()


@pytest.fixture
def reader(flow: CountingFlow) -> MotionReader:
    return MotionReader(flow, FakeEmbedding())


def test_a_known_movement_has_its_velocity(reader: MotionReader) -> None:
    reader.read(scene(), 0)
    read = reader.read(scene(4.0), 40 * MS)
    middle = (slice(3, 13), slice(3, 13))
    expected = 4.0 / 256 / 0.040
    assert float(np.median(read.flow[0][middle])) == pytest.approx(expected, rel=0.15)
    assert abs(float(np.median(read.flow[1][middle]))) < 0.1 * expected
    assert float(np.median(read.speed[middle])) == pytest.approx(expected, rel=0.15)
    assert read.interval_ms == pytest.approx(40.0)
    assert read.capture_ns == 40 * MS


def test_velocity_is_by_real_time_not_by_frame(reader: MotionReader) -> None:
    reader.read(scene(), 0)
    fast = reader.read(scene(4.0), 40 * MS)
    reader.reset()
    reader.read(scene(), 0)
    slow = reader.read(scene(4.0), 100 * MS)
    assert np.allclose(fast.flow, 2.5 * slow.flow, rtol=1e-4, atol=1e-5)


def test_a_burst_counts_as_5_ms(reader: MotionReader) -> None:
    reader.read(scene(), 0)
    burst = reader.read(scene(4.0), 1 * MS)
    reader.reset()
    reader.read(scene(), 0)
    five = reader.read(scene(4.0), 5 * MS)
    assert np.array_equal(burst.flow, five.flow)
    assert burst.interval_ms == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("second", "capture_ns"),
    [
        (scene(4.0), 600 * MS),  # a gap
        (scene(4.0), -40 * MS),  # time ran back
        (scene(4.0, (256, 200)), 40 * MS),  # another size
        (255 - scene(4.0) // 4, 40 * MS),  # a cut
    ],
)
def test_after_a_break_nothing_has_moved(
    reader: MotionReader, flow: CountingFlow, second: np.ndarray, capture_ns: int
) -> None:
    reader.read(scene(), 0)
    read = reader.read(second, capture_ns)
    assert flow.steps == 0
    assert not read.flow.any()
    assert not read.speed.any()
    again = reader.read(second, capture_ns + 40 * MS)  # and then it goes on
    assert flow.steps == 1
    assert float(again.speed.max()) < 0.01


@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_noise_on_a_plain_wall_does_not_move(flow: CountingFlow, noise: float) -> None:
    rng = np.random.default_rng(1)
    wall = [np.clip(120 + noise * rng.standard_normal((256, 256, 3)), 0, 255).astype(np.uint8) for _ in range(2)]
    speeds = []
    for gate in (False, True):
        reader = MotionReader(flow, FakeEmbedding(), gate=gate)
        reader.read(wall[0], 0)
        speeds.append(float(reader.read(wall[1], 40 * MS).speed.mean()))
    assert speeds[1] < 0.1 * speeds[0]


def test_before_a_plain_wall_only_what_moves_moves(reader: MotionReader) -> None:
    frames = []
    for x in (100, 106):
        frame = np.full((256, 256, 3), 150, np.uint8)
        frame[120:136, x : x + 16] = (20, 60, 200)
        frames.append(frame)
    reader.read(frames[0], 0)
    read = reader.read(frames[1], 40 * MS)
    assert float(read.flow[0, 7:9, 6:8].max()) > 0.2
    assert not read.speed[:4].any()
    assert not read.speed[12:].any()


def test_shapes_and_types() -> None:
    embedding = FakeEmbedding()
    reader = MotionReader(CountingFlow(), embedding)
    read = reader.read(scene(size=(640, 70)), 5)
    assert (read.flow.shape, read.speed.shape, read.embedding.shape) == ((2, 16, 16), (16, 16), (EMBEDDING_DIM,))
    assert {array.dtype for array in (read.flow, read.speed, read.embedding)} == {np.dtype(np.float32)}
    assert embedding.shapes == {(VIEW_SIDE, VIEW_SIDE, 3)}


def test_the_stage_carries_capture_time_and_stamps(reader: MotionReader) -> None:
    stage = MotionStage(reader)
    stage.setup(Context(Show(), Metrics()))
    camera = Camera(image=scene(), capture_ns=77, stamps={"camera": 99})
    (message,) = stage.step(Inputs({"camera": [camera]}), 100)
    assert isinstance(message, Motion)
    assert (message.capture_ns, message.stamps) == (77, {"camera": 99})
    assert not message.flow.any()  # setup's warming up is forgotten
    assert stage.wake_ns() is None


def test_the_same_frame_again_yields_nothing(reader: MotionReader) -> None:
    stage = MotionStage(reader)
    stage.setup(Context(Show(), Metrics()))
    camera = Camera(image=scene(), capture_ns=77)
    assert len(stage.step(Inputs({"camera": [camera]}), 100)) == 1
    assert stage.step(Inputs({"camera": [camera]}), 110) == ()
    assert stage.step(Inputs(), 120) == ()
    stage.close()


def test_an_unknown_backend_gets_one_line() -> None:
    stage = motion.build()
    with pytest.raises(BundleError, match="no-such-runtime"):
        stage.setup(Context(Show(backend="no-such-runtime"), Metrics()))
    stage.close()


class ColourFlow(CountingFlow):
    """A flow that is shown colours, as its engine says."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = EngineSpec("flow", "fake", config={"colour": True})

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        assert {frame.shape for frame in inputs.values()} == {(VIEW_SIDE, VIEW_SIDE, 3)}
        return super().step(**{name: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for name, frame in inputs.items()})


def test_a_flow_that_takes_colours_is_shown_them() -> None:
    flow = ColourFlow()
    reader = MotionReader(flow, FakeEmbedding())
    reader.read(scene(), 0)
    read = reader.read(scene(4.0), 40 * MS)
    assert flow.steps == 1
    assert float(np.median(read.flow[0][3:13, 3:13])) == pytest.approx(4.0 / 256 / 0.040, rel=0.15)


@pytest.mark.parametrize("taken", [True, False])
def test_features_are_published_and_sensitivity_multiplies_them(taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.stages.motion.takes_motion_features", lambda bundle: taken)
    loudest = []
    for sensitivity in (1.0, 2.0):
        notes: list[str] = []
        stage = MotionStage(MotionReader(DisFlow(), FakeEmbedding()))
        stage.setup(Context(Show(), Metrics(), note=notes.append))
        messages = perform(stage, 30, sensitivity=sensitivity)
        features = np.stack([message.features for message in messages])
        assert features.shape == (30, MOTION_FEATURES)
        loudest.append(float(features[:, INDEX["speed_max"]].max()))
        assert [note for note in notes if "motion features" in note] == [NOT_TAKEN] * (sensitivity != 1.0 and not taken)
    assert loudest[1] == pytest.approx(2.0 * loudest[0], rel=1e-4)


def test_calibrating_is_confirmed_and_a_restarted_stage_holds_the_scale() -> None:
    notes: list[str] = []
    confirmed: list[tuple[Set, object]] = []
    context = Context(
        Show(), Metrics(), note=notes.append, confirm=lambda control, refusal: confirmed.append((control, refusal))
    )
    stage = MotionStage(MotionReader(DisFlow(), FakeEmbedding()))
    stage.setup(context)
    perform(stage, 40, calibrate=1.0)
    assert [(control.name, refusal) for control, refusal in confirmed] == [("calibrate", None)]
    assert "calibrating" in notes[0]
    assert notes[-1].startswith("calibrated")
    scales = context.memo["scales"]
    reader = MotionReader(DisFlow(), FakeEmbedding())
    again = MotionStage(reader)
    show = Show().with_controls(calibrate=1.0)
    again.setup(Context(show, Metrics(), memo=dict(context.memo), note=notes.append))
    assert reader.extractor.held_scales == tuple(scales)
    perform(again, 10, first=50, calibrate="auto")
    assert reader.extractor.held_scales is None


def test_what_the_screen_shows_is_in_no_feature() -> None:
    reader = MotionReader(DisFlow(), FakeEmbedding())
    for index in range(8):
        hidden = reader.read(falling(index / 25), 1 + index * 40 * MS, lambda view: np.zeros(view.shape, np.float32))
    reader.reset()
    for index in range(8):
        shown = reader.read(falling(index / 25), 1 + index * 40 * MS, lambda view: np.ones(view.shape, np.float32))
    assert not hidden.features[: INDEX["scale"]].any()
    assert shown.features[INDEX["speed_max"]] > 0.1


def test_it_tells_for_how_long_nothing_has_moved(reader: MotionReader) -> None:
    def picture(place: int) -> np.ndarray:
        image = scene()
        image[100:160, place : place + 60] = scene(80.0)[100:160, 100:160]
        return image

    def still_s(place: int, frame: int) -> float | None:
        return reader.read(picture(place), frame * 40 * MS).still_s

    assert [still_s(60, frame) for frame in range(10)] == [10.0] * 10
    assert [still_s(60 + 2 * frame, 10 + frame) for frame in range(10)][1:] == [0.0] * 9
    assert [still_s(78, 20 + frame) for frame in range(20)][-1] == pytest.approx(20 * 0.04, abs=0.05)
    after_cut = reader.read(scene(18.0, (320, 200)), 40 * 40 * MS).still_s
    assert after_cut == pytest.approx(21 * 0.04, abs=0.05)


def test_of_a_fast_camera_so_many_frames_are_read_as_there_is_time_for(reader: MotionReader) -> None:
    now_ns = 0

    def slow_clock() -> int:
        nonlocal now_ns
        now_ns += 6 * MS
        return now_ns

    stage = MotionStage(reader, now_ns=slow_clock, stride=FrameStride(1))
    context = Context(Show(), Metrics())
    stage.setup(context)
    published = []
    for index in range(1, 121):
        frame = Camera(image=scene(), capture_ns=index * 1000 * MS // 60, rate_hz=60.0)
        published.append(len(stage.step(Inputs({"camera": [frame]}), 0)))
    assert published[:FRAMES] == [1] * FRAMES
    assert sum(published[-60:]) == 30
    health = context.metrics.take()
    assert health.counters["passed_over"] == 120 - sum(published)
    assert health.gauges["stride"] == 2.0
