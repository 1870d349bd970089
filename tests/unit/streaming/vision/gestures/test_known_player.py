"""Who is known is decided over half a second, and not back and forth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineSpec
from streaming.conventions import GESTURE, MOTION_FEATURES
from streaming.vision.gestures.gesture_reader import PlayerMotion
from streaming.vision.gestures.known_player import KnownPlayer
from streaming.vision.gestures.tick_gestures import TickGestures

KINDS = ("drums", "keys")


def odds(none: float) -> NDArray[np.float32]:
    return np.array([0.2 * (1 - none), 0.8 * (1 - none), none], np.float32)


def test_the_first_picture_decides_and_then_half_a_second_does() -> None:
    player = KnownPlayer(KINDS)
    assert player.kind == "none"
    assert player.step(odds(0.1))
    assert player.kind == "keys"
    assert player.step(odds(1.0)), "one strange picture changes nothing"
    for _ in range(25):
        player.step(odds(1.0))
    assert not player.is_known
    assert player.kind == "none"
    player.step(odds(0.0))
    assert not player.is_known
    for _ in range(25):
        player.step(odds(0.0))
    assert player.is_known


def test_odds_about_a_half_do_not_flicker() -> None:
    player, rng = KnownPlayer(KINDS), np.random.default_rng(1)
    for _ in range(30):
        player.step(odds(0.5))
    decided = {player.step(odds(float(0.5 + rng.normal(0, 0.1)))) for _ in range(200)}
    assert len(decided) == 1


class OneKind:
    """An engine that always says the same."""

    def __init__(self, none: float) -> None:
        self.spec = EngineSpec("kind", "fake", config={"kind_names": list(KINDS)})
        self._odds = odds(none)

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[np.float32]]:
        assert np.asarray(inputs["embedding"]).dtype == np.float32
        return {"odds": self._odds}

    def reset(self) -> None:
        """There is no state."""


def test_a_known_player_has_no_gesture_and_any_other_has_one() -> None:
    moved = PlayerMotion(np.zeros((2, 16, 16), np.float16), np.zeros(MOTION_FEATURES, np.float16))
    motion = (moved, np.zeros(128, np.float16))
    known = TickGestures(OneKind(0.0))
    assert not known.step(*motion).any()
    assert known.player.kind == "keys"
    unknown = TickGestures(OneKind(1.0)).step(*motion)
    assert unknown.shape == (GESTURE,)
    assert unknown[-1] == 1.0
    assert not TickGestures(None).step(*motion).any(), "a bundle that cannot tell plays by the latent"
