"""The published eyes in the motion stage: the person, the hands, the instrument, and shows without them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineError, EngineSpec
from engines.flow.opencv import DisFlow
from streaming.schema.load_levels import LoadLevel
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.stages import motion
from streaming.stages.motion import MotionReader, MotionStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.eyes.person import Person
from streaming.vision.instrument_reader import InstrumentReader
from streaming.vision.motion.hand_motion import HAND_INDEX
from streaming.vision.person_reader import BODY_ALONE, OWN, PUBLISHED, PersonReader
from tests.people import person_with
from tests.scenes.motion_frames import FakeEmbedding, perform


class SeesAHand:
    """Sees a hand that falls, and fails after some looks."""

    sees_hands = True
    body_alone = False

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


def test_under_load_the_eyes_look_at_every_second_frame_then_for_the_body_alone() -> None:
    eyes, context = SeesAHand(), Context(Show(), Metrics())
    stage = stage_with(eyes, context)
    looks = []
    for turn, level in enumerate((LoadLevel.PICTURE_RATE, LoadLevel.EYES_RATE, LoadLevel.HANDS, LoadLevel.FULL)):
        context.load_level, before = level, eyes.looks
        messages = perform(stage, 12, first=12 * turn)
        assert len(messages) == 12, "every frame has its flow"
        looks.append(eyes.looks - before)
        assert eyes.body_alone == (level == LoadLevel.HANDS)
    # One of twelve frames may repeat the one before, which is not looked at.
    assert all(want - 1 <= found <= want for found, want in zip(looks, (12, 6, 6, 12), strict=True)), looks
