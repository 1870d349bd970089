"""The painter at work: it adds in the picture's own shape, as much as imagination says, and nothing in silence."""

from __future__ import annotations

from threading import Event
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.painting import paint_step
from streaming.painting.paint_step import (
    FULL_REACH,
    MovedPicture,
    PaintedPicture,
    PaintStep,
    PriorFeatures,
    open_paint_step,
)
from streaming.painting.paint_worker import NEVER, PaintWorker
from streaming.schema.messages import Flow
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics

SIZE = (640, 512)
WHERE = np.zeros((2, 16, 16), np.float32)


class FakePainter:
    """Adds 50 to the left half of the picture; remembers what it was told."""

    def __init__(self) -> None:
        self.spec = EngineSpec("painter", "fake", config={"latent_dim": 4, "seen_dim": 3})
        self.told: list[dict[str, Any]] = []
        self.change = np.zeros((128, 128, 3), np.float32)
        self.change[:, :64] = 50.0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.told.append(inputs)
        return {"change": self.change}

    def reset(self) -> None:
        pass


class FakeEyes:
    """Says the mean colour of what it is shown; remembers how large that was."""

    def __init__(self) -> None:
        self.spec = EngineSpec("embedding", "fake")
        self.shown: list[tuple[int, ...]] = []

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.shown.append(inputs["image"].shape)
        return {"embedding": inputs["image"].mean((0, 1), dtype=np.float32)}

    def reset(self) -> None:
        pass


def flow(level_db: float = -20.0) -> Flow:
    return Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32), level_db=level_db, heard=np.ones(4, np.float32))


def step_of(engine: Any, eyes: Any, seed: int, pose: Any = None) -> PaintStep:
    return PaintStep(PaintWorker(lambda: engine), eyes, seed, pose)


def paint(
    step: PaintStep, image: np.ndarray, features: PriorFeatures, reach: float, heard: Flow, *dials: float
) -> np.ndarray:
    step.start(features, MovedPicture(image, WHERE, reach), heard, *dials)
    return step.finish(image).image


def painted(imagination: float, level_db: float = -20.0, moved: float = 0.0) -> tuple[np.ndarray, FakePainter]:
    engine = FakePainter()
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    step = step_of(engine, None, 0)
    return paint(step, image, step.analyse_prior(image), moved, flow(level_db), imagination, 1.0), engine


def test_it_adds_to_the_whole_picture_in_its_own_shape() -> None:
    image, engine = painted(0.5)
    assert image.shape == (512, 640, 3)
    assert (image[:, :300] == 150).all()
    assert (image[:, 340:] == 100).all()
    told = engine.told[0]
    assert told["warped"].shape == told["prior"].shape == (128, 128, 3)
    assert told["where"].shape == (2, 16, 16)
    assert told["heard"].tolist() == [1.0] * 4
    assert (told["imagination"], told["chance"]) == (0.5, 1.0)
    assert told["seen"].tolist() == [0.0] * 3


def test_the_painter_sees_the_moved_picture_and_where_it_has_come_from() -> None:
    engine = FakePainter()
    step = step_of(engine, None, 0)
    prior, moved = (np.full((SIZE[1], SIZE[0], 3), grey, np.uint8) for grey in (40, 90))
    where = np.full((2, 16, 16), 0.25, np.float32)
    step.start(step.analyse_prior(prior), MovedPicture(moved, where, 0.1), flow(), 0.5, 1.0)
    step.finish(moved)
    (told,) = engine.told
    assert (told["warped"][20:108] == 90).all()
    assert (told["warped"][:12] == told["prior"][:12]).all(), "beyond the picture there is nothing to be moved"
    assert (told["prior"][20:108] == 40).all()
    assert (told["where"] == 0.25).all()


def test_without_imagination_it_is_not_even_asked() -> None:
    image, engine = painted(0.0)
    assert (image == 100).all()
    assert engine.told == []


def test_a_little_imagination_adds_a_part() -> None:
    assert painted(0.05)[0][100, 100, 0] == 125


def test_in_silence_it_mends_what_is_still_moved_and_then_nothing() -> None:
    assert painted(0.5, level_db=-90.0, moved=2 * FULL_REACH)[0][100, 100, 0] == 150
    image, engine = painted(0.5, level_db=-90.0)
    assert (image == 100).all()
    assert engine.told == []


def test_a_broken_painter_changes_nothing() -> None:
    engine = FakePainter()
    engine.change[0, 0, 0] = np.nan
    image = np.full((512, 512, 3), 7, np.uint8)
    step = step_of(engine, None, 0)
    assert np.array_equal(paint(step, image, step.analyse_prior(image), 0.0, flow(), 0.5, 1.0), image)


def test_a_prior_is_looked_at_once_and_in_its_own_shape() -> None:
    engine, eyes = FakePainter(), FakeEyes()
    step = step_of(engine, eyes, 0)
    image = np.full((256, 512, 3), 40, np.uint8)
    features = step.analyse_prior(image)
    for _ in range(3):
        paint(step, image, features, 0.0, flow(), 0.5, 1.0)
    assert eyes.shown == [(256, 256, 3)]
    assert features.small.shape == (128, 128, 3)
    # Half of the square is the picture, half is grey.
    assert all(np.allclose(told["seen"], (40 + 127) / 2) for told in engine.told)


def test_chance_changes_slowly_and_is_the_seeds() -> None:
    noises = []
    for seed in (1, 1, 2):
        engine = FakePainter()
        step = step_of(engine, None, seed)
        image = np.zeros((512, 512, 3), np.uint8)
        for _ in range(2):
            paint(step, image, step.analyse_prior(image), 0.0, flow(), 0.5, 1.0)
        noises.append([told["noise"] for told in engine.told])
    assert np.array_equal(noises[0], noises[1])
    assert not np.array_equal(noises[0], noises[2])
    assert np.corrcoef(noises[0][0].ravel(), noises[0][1].ravel())[0, 1] > 0.8


class FakeDiffusion(FakePainter):
    """Paints squares of 64 pixels with noise of its own shape, and is spared what is alike."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = EngineSpec("painter", "diffusers", config={"side": 64, "noise": [4, 8, 8], "similar": True})
        self.change = np.full((64, 64, 3), 20.0, np.float32)


def test_a_painter_of_another_size_is_asked_in_it_and_spared_what_is_alike() -> None:
    engine = FakeDiffusion()
    step = step_of(engine, None, 0)
    image = np.random.default_rng(0).integers(0, 200, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    features = step.analyse_prior(image)
    painted = [paint(step, image, features, 0.0, flow(), 0.5, 1.0) for _ in range(11)]
    assert len(engine.told) == 1, "ten in a row are as the first"
    assert all(np.array_equal(one, painted[0]) for one in painted)
    assert engine.told[0]["warped"].shape == engine.told[0]["prior"].shape == (64, 64, 3)
    assert engine.told[0]["noise"].shape == (4, 8, 8)
    other = np.random.default_rng(1).integers(0, 200, image.shape, dtype=np.uint8)
    paint(step, other, step.analyse_prior(other), 0.0, flow(), 0.5, 1.0)
    assert len(engine.told) == 2


def test_a_diffusion_that_is_too_slow_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paint_step, "has_network", lambda network, bundle: network == "painter")
    monkeypatch.setattr(paint_step, "open_engine", lambda *names, **_: FakeDiffusion())
    for took_ms, kept, words in ((20, True, ""), (100, True, "10 pictures a second"), (900, False, "it needs a GPU")):
        notes: list[str] = []
        monkeypatch.setattr(PaintStep, "warm_up", lambda self, took_ms=took_ms: float(took_ms))
        assert (open_paint_step(Context(Show(), Metrics(), note=notes.append)) is not None) == kept
        assert len(notes) == bool(words)
        assert words in "".join(notes)


def test_warming_up_asks_every_time_and_says_how_long_it_takes() -> None:
    engine, times = FakeDiffusion(), iter(range(0, 60_000_000, 10_000_000))
    assert step_of(engine, None, 0).warm_up(lambda: next(times)) == 10.0
    assert len(engine.told) == 3


class FakePose:
    """Says how often it was asked since it began anew."""

    def __init__(self) -> None:
        self.spec = EngineSpec("pose", "fake", config={"latent_dim": 4})
        self.asked = 0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.asked += 1
        return {"said": np.full((14, 3), self.asked, np.float32)}

    def reset(self) -> None:
        self.asked = 0


def test_a_player_is_followed_while_it_sleeps_and_of_what_warmed_it_up_nothing_is_heard() -> None:
    engine, pose = FakePainter(), FakePose()
    step, image = step_of(engine, None, 0, pose), np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    step.warm_up()
    features = step.analyse_prior(image)
    for tick, dial in enumerate((0.0, 0.0, 0.5)):
        heard = msgspec.structs.replace(flow(), tick=tick)
        paint(step, image, features, 0.0, heard, dial, 1.0)
    assert engine.told[-1]["said"].tolist() == np.full((14, 3), 3.0).tolist()
    assert engine.told[-1]["heard"].tolist() == [1.0] * 4


def test_where_it_is_said_of_no_number_it_paints_nothing() -> None:
    engine, pose, image = FakePainter(), FakePose(), np.full((SIZE[1], SIZE[0], 3), 7, np.uint8)
    pose.step = lambda **_: {"said": np.full((14, 3), np.nan, np.float32)}  # type: ignore[method-assign]
    step = step_of(engine, None, 0, pose)
    assert np.array_equal(paint(step, image, step.analyse_prior(image), 0.0, flow(), 0.5, 1.0), image)
    assert not engine.told


def test_a_painter_that_is_told_of_points_needs_a_pose(monkeypatch: pytest.MonkeyPatch) -> None:
    painter, notes = FakePainter(), list[str]()
    painter.spec = EngineSpec("painter", "fake", config={"points": 32})
    monkeypatch.setattr(paint_step, "has_network", lambda network, bundle: network != "pose")
    monkeypatch.setattr(paint_step, "open_engine", lambda *names, **_: painter)
    assert open_paint_step(Context(Show(), Metrics(), note=notes.append)) is None
    assert notes == ["the bundle has no pose, which its painter needs: the picture is moved, not painted"]


def test_what_was_added_is_there_where_it_is_looked_at_as_small_as_it_was_painted() -> None:
    engine = FakePainter()
    rng = np.random.default_rng(0)
    rough = rng.normal(0.0, 30.0, (32, 32, 3)).astype(np.float32)
    engine.change = cv2.resize(rough, (128, 128), interpolation=cv2.INTER_CUBIC)
    image = np.full((512, 640, 3), 128, np.uint8)
    step = step_of(engine, None, 0)
    shown = paint(step, image, step.analyse_prior(image), 0.0, flow(), 0.5, 1.0).astype(np.float32) - 128.0
    seen = cv2.resize(shown, (128, 102), interpolation=cv2.INTER_AREA)
    said = engine.change[13 : 13 + 102]
    plain = cv2.resize(cv2.resize(said, (640, 512)), (128, 102), interpolation=cv2.INTER_AREA)
    assert np.square(seen - said).mean() < 0.5 * np.square(plain - said).mean()


class Patient(FakePainter):
    """Paints when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = Event()

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        assert self.may.wait(10.0)
        return super().step(**inputs)


def shown_of(
    painter: Patient, step: PaintStep, features: PriorFeatures, *, anew: bool = True, until_ns: int | None = NEVER
) -> PaintedPicture:
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    step.start(features, MovedPicture(image, WHERE, 0.0), flow(), 0.5, 1.0, anew=anew)
    if until_ns is None:
        painter.may.set()
    return step.finish(image, until_ns)


def test_what_comes_late_is_added_to_the_next_picture_and_meanwhile_nothing_else_is_asked() -> None:
    engine = Patient()
    step = step_of(engine, None, 0)
    features = step.analyse_prior(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    for _ in range(3):
        shown = shown_of(engine, step, features)
        assert (shown.fresh, shown.result) == (False, None)
        assert (shown.image == 100).all()
    late = shown_of(engine, step, features, until_ns=None)
    assert (late.image[:, :300] == 150).all()
    assert not late.fresh, "it was asked for by the first"
    assert late.result is not None
    again = shown_of(engine, step, features, anew=False)
    assert (again.image[:, :300] == 150).all()
    assert (again.fresh, again.result) == (False, None)
    assert len(engine.told) == 1
    assert shown_of(engine, step, features, until_ns=None).fresh
    assert len(engine.told) == 2


def test_what_was_painted_for_another_still_or_before_it_slept_is_not_added() -> None:
    engine = Patient()
    step = step_of(engine, None, 0)
    one, other = (step.analyse_prior(np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)) for grey in (0, 90))
    shown_of(engine, step, one)
    shown = shown_of(engine, step, other, until_ns=None)
    assert shown.result is not None, "it was done, for the one before"
    assert (shown.image == 100).all()
    assert (shown_of(engine, step, other, until_ns=None).image[:, :300] == 150).all()
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    step.start(other, MovedPicture(image, WHERE, 0.0), flow(), 0.0, 1.0)
    asleep = step.finish(image)
    assert asleep.fresh, "nothing is to be added"
    assert (asleep.image == 100).all()
    assert (shown_of(engine, step, other, anew=False).image == 100).all()
