"""A room whose camera sees the projection: the screen is found, a poster is not taken for it, a player is seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import cv2
import numpy as np
import pytest

from engines.contract import EngineSpec
from engines.flow.opencv import DisFlow
from streaming.conventions import EMBEDDING_DIM
from streaming.schema.messages import Camera, Motion, Picture
from streaming.schema.processes import PROCESSES, inputs_of
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.motion import MotionReader, MotionStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.screen_detector import SIDE, ScreenDetector, find_screen
from training.networks.pictures.warp import Texture, WarpMap

PICTURE = (384, 288)
VIEW = 256
QUAD = np.array([[70, 60], [215, 72], [205, 178], [62, 170]], np.float32)


def texture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Soft blobs and hard edges."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = np.asarray(cv2.resize(rng.integers(20, 235, (height // 24, width // 24, 3), dtype=np.uint8), size))
    for _ in range(60):
        at = rng.integers(0, size, 2)
        cv2.circle(image, at.tolist(), int(rng.integers(3, 14)), rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    return image


class Room:
    """What a camera sees of a screen, a wall and, where one stands there, a player."""

    def __init__(self, delay: int = 4, noise: float = 3.0, moving: bool = True) -> None:
        self.still, self.warp = Texture(texture(1, PICTURE)), WarpMap()
        self.wall = cv2.cvtColor(texture(2, (VIEW, VIEW)), cv2.COLOR_BGR2GRAY)
        self.rng = np.random.default_rng(3)
        self.shown: deque[np.ndarray] = deque(maxlen=delay + 1)
        self.noise, self.moving = noise, moving
        width, height = PICTURE
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        self.carry = cv2.getPerspectiveTransform(corners, QUAD)
        self.inside = cv2.warpPerspective(np.ones(PICTURE[::-1], np.uint8), self.carry, (VIEW, VIEW)) > 0

    def draw(self, flow: np.ndarray) -> np.ndarray:
        """The next picture, moved by a flow [2, 16, 16]."""
        self.warp.move(flow.astype(np.float32), 0.04, 1.2)
        picture = self.still.render(self.warp.displacement)
        self.shown.append(picture)
        return picture

    def see(self, player: tuple[int, int] | None = None) -> np.ndarray:
        """What the camera sees: uint8 [256, 256]."""
        picture = self.shown[0] if self.moving else self.still.image
        seen = cv2.warpPerspective(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), self.carry, (VIEW, VIEW))
        view = np.where(self.inside, 0.75 * seen + 30.0, 0.5 * self.wall)
        if player is not None:
            x, y = player
            view[y : y + 60, x : x + 24] = texture(5, (48, 72))[:60, :24].mean(-1)
        noise = self.rng.normal(0, self.noise, view.shape)
        return np.asarray(np.clip(view + noise, 0, 255)).astype(np.uint8)


class AtOnce(Executor):
    """Runs what is submitted at once, so that a search takes no tick."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **named))
        return future


def tender(rng: np.random.Generator, strength: float) -> np.ndarray:
    rough = rng.normal(0, strength, (4, 4, 2)).astype(np.float32)
    return np.asarray(cv2.resize(rough, (16, 16)), np.float32).transpose(2, 0, 1)


def watched(room: Room, ticks: int, strength: float = 0.25, player: bool = False) -> tuple[ScreenDetector, list[Any]]:
    """A show before the camera; what it made of each tick."""
    detector, found = ScreenDetector(executor=AtOnce()), list[Any]()
    rng = np.random.default_rng(7)
    flow: np.ndarray = np.zeros((2, 16, 16), np.float32)
    for tick in range(ticks):
        flow = 0.85 * flow + 0.5 * tender(rng, strength)
        detector.add_picture(room.draw(flow))
        at = (90 + round(30 * np.sin(0.3 * tick)), 90) if player else None
        found.append(detector.foreground(room.see(at)))
    return detector, found


def test_a_picture_is_found_where_it_is() -> None:
    room = Room()
    room.draw(np.zeros((2, 16, 16)))
    shown = cv2.resize(cv2.cvtColor(room.still.image, cv2.COLOR_BGR2GRAY), (256, 192), interpolation=cv2.INTER_AREA)
    other = cv2.cvtColor(texture(9, (256, 192)), cv2.COLOR_BGR2GRAY)
    found = find_screen(room.see(), [other, shown])
    assert found is not None
    carry, which = found
    assert which == 1
    corners = np.array([[[0, 0], [256, 0], [256, 192], [0, 192]]], np.float32)
    np.testing.assert_allclose(cv2.perspectiveTransform(corners, carry)[0], QUAD, atol=3.0)
    assert find_screen(room.see(), [other]) is None
    assert find_screen(np.full((256, 256), 90, np.uint8), [shown]) is None


@pytest.mark.parametrize("delay", [1, 4, 9])
def test_a_screen_is_believed_and_what_it_shows_is_nobodys_movement(delay: int) -> None:
    room = Room(delay)
    detector, found = watched(room, 250)
    assert detector.is_visible
    assert detector.delay is not None
    assert abs(detector.delay - delay) <= 1
    assert found[0] is None
    masks = np.stack([mask for mask in found[-50:] if mask is not None])
    assert len(masks) == 50
    inside = cv2.resize(room.inside.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
    assert masks[:, inside].mean() < 0.1
    outside = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    assert masks[:, outside].min() == 1.0


def test_who_stands_before_the_screen_is_seen() -> None:
    room = Room()
    detector, found = watched(room, 250, player=True)
    assert detector.is_visible
    seen, around = [], []
    for tick in range(200, 250):
        left = (90 + round(30 * np.sin(0.3 * tick))) // 2
        mask = found[tick]
        assert mask is not None
        seen.append(mask[46:74, left + 1 : left + 11].mean())
        around.append(mask[36:84, 36:98].mean())
    assert np.mean(seen) > 0.75
    assert np.mean(around) < 0.4


def test_a_poster_of_the_prior_is_no_screen() -> None:
    detector, found = watched(Room(moving=False), 250)
    assert not detector.is_visible
    assert all(mask is None for mask in found)


def test_a_still_picture_tells_nothing() -> None:
    detector, _ = watched(Room(), 150, strength=0.0)
    assert not detector.is_visible


def test_a_screen_that_goes_out_of_sight_is_forgotten() -> None:
    room = Room()
    detector, _ = watched(room, 200)
    assert detector.is_visible
    rng = np.random.default_rng(8)
    room.inside[:] = False
    for _ in range(200):
        detector.add_picture(room.draw(tender(rng, 0.25)))
        detector.foreground(room.see())
    detector.close()
    assert not detector.is_visible


class Blind:
    """An embedding of nothing."""

    spec = EngineSpec("embedding", "fake")

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        return {"embedding": np.zeros(EMBEDDING_DIM, np.float32)}

    def reset(self) -> None:
        pass


class Loop:
    """A room with the machine in it: the faster what is seen, the faster the picture moves, some ticks later.

    Args:
        gain: of the whole loop; None to measure how much of a picture's movement is seen.
        guarded: whether the machine knows its own screen.
    """

    LATENCY = 5

    def __init__(self, gain: float, guarded: bool) -> None:
        self.room, self.gain = Room(noise=2.0), gain
        self.notes = list[str]()
        self.stage = MotionStage(MotionReader(DisFlow(), Blind()), ScreenDetector(executor=AtOnce()))
        self.stage.setup(Context(Show(), Metrics(), note=self.notes.append))
        self.guarded, self.tick = guarded, 0
        self.way: np.ndarray = np.zeros((2, 16, 16), np.float32)
        self.rng = np.random.default_rng(11)
        self.coming = deque([0.0] * self.LATENCY)

    def live(self, player: bool, level: float | None = None) -> tuple[float, float]:
        """One tick: how fast the picture moves, and how fast what is seen."""
        self.way = 0.9 * self.way + 0.44 * tender(self.rng, 1.0)
        now = min(1.0, self.coming.popleft()) if level is None else level
        picture = self.room.draw(0.4 * now * self.way)
        at = (20 + round(15 * np.sin(0.5 * self.tick)), 150) if player else None
        image = cv2.cvtColor(self.room.see(at), cv2.COLOR_GRAY2BGR)
        self.tick += 1
        messages: dict[str, list[Any]] = {"camera": [Camera(image=image, capture_ns=40_000_000 * self.tick)]}
        if self.guarded:
            messages["picture"] = [Picture(tick=self.tick, image=picture)]
        (seen,) = self.stage.step(Inputs(messages), 0)
        assert isinstance(seen, Motion)
        speed = float(seen.speed.mean())
        self.coming.append(self.gain * speed)
        return now, speed


def test_a_loop_of_6_db_through_the_camera_comes_to_rest_when_the_player_stops() -> None:
    measured = Loop(0.0, guarded=False)
    seen = [measured.live(False, level=0.3)[1] for _ in range(60)]
    gain = 2.0 * 0.3 / float(np.mean(seen[20:]))
    after = {}
    for guarded in (False, True):
        loop = Loop(gain, guarded)
        played = [loop.live(True)[0] for _ in range(300)]
        rest = [loop.live(False)[0] for _ in range(100)]
        assert max(played) > 0.3, "the player is heard"
        after[guarded] = float(np.mean(rest[75:]))
        if guarded:
            assert loop.notes == ["the camera sees the screen: what it shows does not count as movement"]
            assert np.mean(played[200:]) > 0.05, "and is heard still"
        loop.stage.close()
    assert after[False] > 0.5, "without a guard it moves itself for ever"
    assert after[True] < 0.02


@pytest.mark.parametrize(
    ("camera", "sees"),
    [("auto", True), ("0", True), ("rtsp://hall/1", True), ("performer:keys@3", False), ("a.mp4", False)],
)
def test_a_film_and_a_rendered_performer_see_no_screen(camera: str, sees: bool) -> None:
    inputs = inputs_of(PROCESSES["motion"], "both", camera)
    assert inputs == (("camera", "picture") if sees else ("camera",))
    assert inputs_of(PROCESSES["motion"], "video-to-music", camera) == ("camera",)
    assert "picture" in inputs_of(PROCESSES["recorder"], "both", camera)
