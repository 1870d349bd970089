"""What is played is named about once a second, only where it stands out, and no frame waits for it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.contract import Engine, EngineError, EngineSpec
from engines.eyes.catalogue import MissingEyesError
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID, INSTRUMENT_KINDS
from streaming.schema.messages import Motion
from streaming.settings.config import Show
from streaming.vision.instrument_reader import (
    CLASSES,
    SIDE,
    InstrumentReader,
    name_of,
    open_instrument_reader,
    views_of,
)

S = 10**9
BASSOON, DRUM, TABBY = 432, 541, 281
IMAGE = np.full((120, 160, 3), 90, np.uint8)
Odds = NDArray[np.float32]


def odds(**kinds: float) -> Odds:
    return np.array([kinds.get(kind, 0.0) for kind in INSTRUMENT_KINDS], np.float32)


class Sees:
    """Sees a class with given odds, else a cat; fails after some looks."""

    spec = EngineSpec("instrument", "fake")

    def __init__(self, number: int, likely: float, steps: int = 10**6) -> None:
        self.number, self.likely, self.left = number, likely, steps
        self.steps = 0

    def step(self, **inputs: np.ndarray | float) -> dict[str, Odds]:
        assert np.asarray(inputs["image"]).shape == (SIDE, SIDE, 3)
        self.steps += 1
        if self.steps > self.left:
            raise EngineError("the runtime has ended")
        found = np.zeros(1000, np.float32)
        found[self.number], found[TABBY] = self.likely, 1.0 - self.likely
        return {"odds": found}

    def reset(self) -> None:
        """Nothing to forget."""


def moving(time_s: float) -> Motion:
    grid = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)
    embedding = np.zeros(EMBEDDING_DIM, np.float32)
    return Motion(flow=np.stack([grid, grid]), speed=grid, embedding=embedding, capture_ns=1 + round(time_s * S))


def read(reader: InstrumentReader, time_s: float) -> Motion:
    motion = moving(time_s)
    reader.step(IMAGE, motion)
    return motion


def test_every_class_is_of_one_kind_and_every_kind_has_classes() -> None:
    assert tuple(CLASSES) == INSTRUMENT_KINDS
    numbers = list(itertools.chain(*CLASSES.values()))
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 1000 for number in numbers)


def test_it_looks_once_a_second_at_two_views_and_names_what_it_sees() -> None:
    eye = Sees(BASSOON, 0.8)
    reader = InstrumentReader(eye)
    motions = [read(reader, index / 25) for index in range(76)]
    assert eye.steps == 2 * 4, "0, 1, 2 and 3 s"
    assert {motion.instrument for motion in motions} == {"air"}
    newest = motions[-1].instrument_odds
    assert newest is not None
    np.testing.assert_allclose(newest, odds(air=0.8), atol=1e-6)


def test_what_does_not_stand_out_is_none() -> None:
    for eye in (Sees(BASSOON, 0.2), Sees(TABBY, 1.0)):
        motion = read(InstrumentReader(eye), 0.0)
        assert motion.instrument == "none"
        assert motion.instrument_odds is not None


def test_a_kind_needs_clear_odds_and_then_stays() -> None:
    assert name_of(odds(keys=0.26), "none") == "keys"
    assert name_of(odds(keys=0.24), "none") == "none"
    assert name_of(odds(keys=0.5, drums=0.3), "none") == "none", "two kinds are seen"
    assert name_of(odds(keys=0.2, drums=0.15), "keys") == "keys"
    assert name_of(odds(keys=0.14), "keys") == "none"
    assert name_of(odds(keys=0.2, drums=0.5), "keys") == "drums"


def test_one_strange_look_does_not_rename_and_three_do() -> None:
    eye = Sees(BASSOON, 0.9)
    reader = InstrumentReader(eye)
    for second in range(4):
        read(reader, second)
    eye.number = DRUM
    assert read(reader, 4).instrument == "air"
    assert [read(reader, second).instrument for second in (5, 6)][-1] == "drums"


def test_a_frame_never_waits_for_a_look() -> None:
    gate = threading.Event()

    class SlowEye(Sees):
        def step(self, **inputs: np.ndarray | float) -> dict[str, Odds]:
            assert gate.wait(30)
            return super().step(**inputs)

    executor = ThreadPoolExecutor(1)
    eye = SlowEye(DRUM, 0.9)
    reader = InstrumentReader(eye, executor=executor)
    for second in range(4):
        motion = read(reader, second)  # would wait for ever
        assert (motion.instrument, motion.instrument_odds) == ("none", None)
    gate.set()
    executor.submit(lambda: None).result(30)
    assert read(reader, 4.0).instrument == "drums"
    executor.submit(lambda: None).result(30)
    reader.close()
    assert eye.steps == 4, "what was due meanwhile is left out"
    assert not reader.plays


def test_a_classifier_that_fails_is_said_once_and_names_nothing_more() -> None:
    notes: list[str] = []
    reader = InstrumentReader(Sees(DRUM, 0.9, steps=2), notes.append)
    assert read(reader, 0.0).instrument == "drums"
    for second in (1, 2):
        motion = read(reader, second)
        assert (motion.instrument, motion.instrument_odds) == ("none", None)
    (note,) = notes
    assert "the runtime has ended" in note
    assert not reader.plays


def test_resetting_forgets_what_was_named_and_a_look_that_was_begun() -> None:
    gate = threading.Event()

    class SlowEye(Sees):
        def step(self, **inputs: np.ndarray | float) -> dict[str, Odds]:
            found = super().step(**inputs)
            assert gate.wait(30)
            return found

    executor = ThreadPoolExecutor(1)
    eye = SlowEye(DRUM, 0.9)
    reader = InstrumentReader(eye, executor=executor)
    read(reader, 0.0)
    reader.reset()  # would wait for ever
    gate.set()
    executor.submit(lambda: None).result(30)
    eye.likely = 0.0
    assert read(reader, 0.1).instrument_odds is None, "the look before is forgotten"
    executor.submit(lambda: None).result(30)
    motion = read(reader, 0.2)
    np.testing.assert_array_equal(motion.instrument_odds, odds())
    reader.reset()
    assert reader.kind == "none"
    reader.close()


def marked(height: int, width: int, x: int, y: int, size: int) -> NDArray[np.uint8]:
    """A black frame with a white square about a place."""
    image = np.zeros((height, width, 3), np.uint8)
    image[y - size : y + size, x - size : x + size] = 255
    return image


def brightness(view: NDArray[np.uint8]) -> float:
    return float(view.mean())


def test_without_a_body_it_looks_at_the_middle_and_at_the_ends_in_turn() -> None:
    left, right = marked(70, 640, 35, 35, 30), marked(70, 640, 600, 35, 30)
    for at_end, lit, dark in ((False, left, right), (True, right, left)):
        middle, end = views_of(lit, None, at_end)
        assert brightness(middle) == 0.0
        assert brightness(end) > 100.0
        assert brightness(views_of(dark, np.zeros((33, 3), np.float32), at_end)[1]) == 0.0
    middle, _ = views_of(marked(70, 640, 320, 35, 30), None, True)
    assert brightness(middle) > 100.0


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480)])
def test_it_looks_where_the_player_is(height: int, width: int) -> None:
    x, y, longer = 100, 120, max(height, width)
    corner = np.array([(longer - width) / 2, (longer - height) / 2])
    body = np.zeros((33, 3), np.float32)
    angles = np.linspace(0.0, 2.0 * np.pi, 20)
    places = np.stack([x + 40 * np.cos(angles), y + 40 * np.sin(angles)], 1)
    body[:20, :2], body[:20, 2] = (places + corner) / longer, 0.9
    body[20:, :2] = 0.99  # not seen, and far away
    view = views_of(marked(height, width, x, y, 30), body, False)[1]
    lit = np.argwhere(view[..., 0] > 128)
    np.testing.assert_allclose(lit.mean(0), (SIDE - 1) / 2, atol=2.0)
    assert np.ptp(lit[:, 0]) == pytest.approx(SIDE * 60 / (1.4 * 80), rel=0.05)


def test_what_lies_outside_the_frame_is_grey() -> None:
    body = np.zeros((33, 3), np.float32)
    body[:, 2] = 1.0
    body[:, 0], body[:, 1] = np.linspace(-0.2, 0.2, 33), np.linspace(0.3, 0.7, 33)
    view = views_of(np.zeros((300, 300, 3), np.uint8), body, False)[1]
    assert (view[SIDE // 2, 5], view[SIDE // 2, -5]) == (pytest.approx(127), pytest.approx(0))
    body[:, 0] -= 9.0
    assert (views_of(np.zeros((300, 300, 3), np.uint8), body, False)[1] == 127).all()


def opened(engine: Engine) -> Callable[[], Engine]:
    return lambda: engine


def test_a_network_that_is_missing_is_one_line_and_the_show_goes_on() -> None:
    def missing() -> Engine:
        raise MissingEyesError("the network instrument is not here", Path("/nowhere"))

    notes: list[str] = []
    for eyes in ("auto", "mediapipe"):
        assert open_instrument_reader(Show(eyes=eyes), notes.append, missing) is None
    assert len(notes) == 2
    assert all("make eyes" in note and "\n" not in note for note in notes)


def test_it_is_opened_unless_the_bundle_alone_looks() -> None:
    assert open_instrument_reader(Show(), pytest.fail, opened(Sees(DRUM, 1.0))) is not None
    assert open_instrument_reader(Show(eyes="bundle"), pytest.fail, opened(Sees(DRUM, 1.0))) is None
