"""The motion stage: velocities of known movements, and everything after which nothing has moved."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import cv2
import numpy as np
import pytest

from engines.contract import EngineError, EngineSpec
from engines.flow.opencv import DisFlow
from streaming.conventions import EMBEDDING_DIM, MOTION_FEATURES
from streaming.errors import BundleError
from streaming.schema.messages import Camera, Motion, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages import motion
from streaming.stages.motion import MotionReader, MotionStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.eyes.person import Person
from streaming.vision.frame_features import VIEW_SIDE
from streaming.vision.frame_stride import FRAMES, FrameStride
from streaming.vision.instrument_reader import InstrumentReader
from streaming.vision.motion.calibration import NOT_TAKEN
from streaming.vision.motion.feature_names import INDEX
from streaming.vision.motion.hand_motion import HAND_INDEX
from streaming.vision.person_reader import BODY_ALONE, OWN, PUBLISHED, PersonReader
from tests.people import person_with

MS = 1_000_000


class FakeEmbedding:
    """The mean colour, repeated."""

    spec = EngineSpec("embedding", "fake")

    def __init__(self) -> None:
        self.shapes: set[tuple[int, ...]] = set()

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.shapes.add(inputs["image"].shape)
        return {"embedding": np.full(EMBEDDING_DIM, inputs["image"].mean(), np.float32)}

    def reset(self) -> None:
        pass


class CountingFlow(DisFlow):
    """Counts its steps."""

    steps = 0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.steps += 1
        return super().step(**inputs)


def scene(shift: float = 0.0, size: tuple[int, int] = (256, 256)) -> np.ndarray:
    """A smooth texture moved to the right by some pixels."""
    rng = np.random.default_rng(4)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (size[1], size[0], 3)).astype(np.float32), (0, 0), 4)
    texture = cv2.normalize(texture, None, 30, 220, cv2.NORM_MINMAX)
    move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(texture, move, size, borderMode=cv2.BORDER_REFLECT)).astype(np.uint8)


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


def falling(time_s: float) -> np.ndarray:
    """A textured square before a wall: down and up again every 0.6 s."""
    frame = scene(size=(320, 240))
    place = round(60 + 50 * abs(np.sin(np.pi * time_s / 0.6)))
    frame[place : place + 80, 120:200] = scene(9.0, (80, 80))[::-1]
    return frame


def perform(stage: MotionStage, frames: int, first: int = 0, **controls: float | str) -> list[Motion]:
    """Show the stage frames at 25 a second; controls come with the first one."""
    sets = [Set(name=name, value=value) for name, value in controls.items()]
    found: list[Motion] = []
    for index in range(first, first + frames):
        camera = Camera(image=falling(index / 25), capture_ns=1 + index * 40 * MS)
        inputs = Inputs({"camera": [camera]}, controls=sets if index == first else [])
        found += [message for message in stage.step(inputs, 0) if isinstance(message, Motion)]
    return found


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


class SeesAHand:
    """Sees a hand that falls, and fails after some looks."""

    sees_hands = True

    def __init__(self, looks: int = 10**6) -> None:
        self.looks, self.left = 0, looks
        self.repeated = 0

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        self.looks += 1
        if self.looks > self.left:
            raise EngineError("the runtime has ended")
        return person_with(left=(0.3, 0.1 + 0.01 * (self.looks % 50)))

    def reset(self) -> None:
        self.looks = 0


def stage_with(eyes: SeesAHand, context: Context) -> MotionStage:
    stage = MotionStage(MotionReader(DisFlow(), FakeEmbedding(), person=PersonReader(eyes, context.note)))
    stage.setup(context)
    return stage


def test_the_person_is_published_and_counted() -> None:
    context = Context(Show(), Metrics())
    messages = perform(stage_with(SeesAHand(), context), 10)
    assert all(message.hands is not None and message.hands[0, 0, 2] == 1.0 for message in messages)
    assert all(message.hands_motion[0, HAND_INDEX["speed"]] > 0.0 for message in messages[1:])
    health = context.metrics.take("motion")
    assert health.counters["eyes.frames"] == health.counters["eyes.hands"] == 10
    assert "eyes.bodies" not in health.counters


def test_eyes_that_fail_in_a_show_are_no_longer_named() -> None:
    notes: list[str] = []
    context = Context(Show(), Metrics(), note=notes.append)
    stage = stage_with(SeesAHand(5), context)
    context.info["eyes"] = PUBLISHED
    messages = perform(stage, 8)
    assert [message.hands is not None for message in messages] == [True] * 5 + [False] * 3
    assert len([note for note in notes if "the published eyes failed" in note]) == 1
    assert context.info["eyes"] == OWN


def test_eyes_that_leave_the_hands_out_say_so() -> None:
    context = Context(Show(), Metrics())
    eyes = SeesAHand()
    stage = stage_with(eyes, context)
    perform(stage, 2)
    assert context.info["eyes"] == PUBLISHED
    eyes.sees_hands = False
    perform(stage, 2, first=2)
    assert context.info["eyes"] == BODY_ALONE


def test_without_eyes_there_is_no_person_and_nothing_is_counted() -> None:
    context = Context(Show(), Metrics())
    stage = MotionStage(MotionReader(DisFlow(), FakeEmbedding()))
    stage.setup(context)
    for message in perform(stage, 3):
        assert message.hands is None
        assert message.body is None
        assert not message.hands_motion.any()
    assert not [name for name in context.metrics.take("motion").counters if name.startswith("eyes")]


def test_sensitivity_and_calibration_are_of_the_hands_too() -> None:
    fastest = []
    for sensitivity in (1.0, 2.0):
        context = Context(Show(), Metrics())
        messages = perform(stage_with(SeesAHand(), context), 20, sensitivity=sensitivity)
        fastest.append(messages[10].hands_motion[0, HAND_INDEX["speed"]])
    assert fastest[1] == pytest.approx(2.0 * fastest[0], rel=1e-4)
    context = Context(Show(), Metrics())
    perform(stage_with(SeesAHand(), context), 40, calibrate=1.0)
    assert len(context.memo["scales"]) == 3
    again = SeesAHand()
    restarted = Context(Show().with_controls(calibrate=1.0), Metrics(), memo=dict(context.memo))
    stage = stage_with(again, restarted)
    perform(stage, 2, first=50)
    assert restarted.memo["scales"] == context.memo["scales"]
    perform(stage, 2, first=60, calibrate="auto")
    assert restarted.memo["scales"] == []


@pytest.mark.parametrize(("eyes", "opens"), [("auto", True), ("mediapipe", True), ("bundle", False)])
def test_the_stage_opens_the_eyes_that_the_show_asks_for(
    monkeypatch: pytest.MonkeyPatch, eyes: str, opens: bool
) -> None:
    opened = []

    def opener(show: Show, note: object) -> PersonReader | None:
        opened.append(show.eyes)
        return PersonReader(SeesAHand()) if opens else None

    monkeypatch.setattr(motion, "open_person_reader", opener)
    context = Context(Show(eyes=eyes), Metrics())
    stage = motion.build()
    stage.setup(context)
    stage.close()
    assert opened == [eyes]
    assert context.info["eyes"] == (PUBLISHED if opens else OWN)


class SeesADrum:
    """Says that every picture shows a drum."""

    spec = EngineSpec("instrument", "fake")

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        return {"odds": np.eye(1000, dtype=np.float32)[541]}

    def reset(self) -> None:
        pass


@pytest.mark.parametrize("has_eyes", [True, False])
def test_the_instrument_is_named_and_where_all_eyes_are_missing_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, has_eyes: bool
) -> None:
    said: list[str] = []

    def open_person(show: Show, note: Callable[[str], None]) -> PersonReader | None:
        if has_eyes:
            return PersonReader(SeesAHand())
        note("no eyes")
        return None

    def open_instrument(show: Show, note: Callable[[str], None], executor: Executor) -> InstrumentReader | None:
        note("no classifier")
        readers.append(InstrumentReader(SeesADrum(), note, executor))
        return readers[-1]

    readers: list[InstrumentReader] = []
    monkeypatch.setattr(motion, "open_person_reader", open_person)
    monkeypatch.setattr(motion, "open_instrument_reader", open_instrument)
    stage = motion.build()
    stage.setup(Context(Show(), Metrics(), note=said.append))
    assert said == (["no classifier"] if has_eyes else ["no eyes"])
    assert isinstance(stage, MotionStage)
    assert perform(stage, 1)[0].instrument == "none", "what the warm-up saw is forgotten"
    stage.close()
    assert not readers[0].plays


def test_an_instrument_is_published() -> None:
    stage = MotionStage(MotionReader(DisFlow(), FakeEmbedding(), instrument=InstrumentReader(SeesADrum())))
    stage.setup(Context(Show(), Metrics()))
    for message in perform(stage, 3):
        assert message.instrument == "drums"
        np.testing.assert_array_equal(message.instrument_odds, [0, 0, 1, 0])


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
