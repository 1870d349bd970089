"""Under load the player's kind is kept, and its network not asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.contract import EngineSpec
from streaming.conventions import FLOW_GRID, HAND_FEATURES, MOTION_FEATURES
from streaming.vision.gestures.gesture_reader import PlayerMotion
from streaming.vision.gestures.tick_gestures import TickGestures


class CountingKind:
    """Says that nobody is known where the embedding is negative."""

    spec = EngineSpec("kind", "fake", config={"kind_names": ["drums"]})

    def __init__(self) -> None:
        self.asked = 0

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.asked += 1
        none = float(inputs["embedding"].mean() < 0)
        return {"odds": np.array([1.0 - none, none], np.float32)}

    def reset(self) -> None:
        """Nothing to forget."""


STILL = PlayerMotion(
    np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32),
    np.zeros(MOTION_FEATURES, np.float32),
    np.zeros((2, HAND_FEATURES), np.float32),
    0.0,
)


def test_a_player_that_is_known_stays_so_without_asking() -> None:
    kind = CountingKind()
    gestures = TickGestures(kind)
    assert not gestures.step(STILL, np.ones(128)).any()
    gestures.asks_kind = False
    for _ in range(100):
        assert not gestures.step(STILL, -np.ones(128)).any()
    assert kind.asked == 1
    assert gestures.player.kind == "drums"
    gestures.asks_kind = True
    for _ in range(100):
        gestures.step(STILL, -np.ones(128))
    assert gestures.player.kind == "none"


def test_the_first_player_is_asked_for_in_any_case() -> None:
    kind = CountingKind()
    gestures = TickGestures(kind)
    gestures.asks_kind = False
    gestures.step(STILL, np.ones(128))
    assert (kind.asked, gestures.player.kind) == (1, "drums")
