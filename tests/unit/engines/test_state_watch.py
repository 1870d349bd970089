"""A network whose state cannot be right begins anew at once, and it is counted; a good one is left alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engines.contract import Array, peak
from engines.registry import open_engine
from engines.state_watch import BYTES_PER_TICK, PLAUSIBLE, StateWatch

SIGHT: dict[str, Array | float] = {
    "flow": np.zeros((2, 16, 16), np.float32),
    "speed": np.zeros((16, 16), np.float32),
    "embedding": np.zeros(128, np.float32),
    "age_s": 0.04,
}


class Parts:
    """A network with a state of several tensors."""

    def __init__(self, tensors: int = 4, size: int = 8) -> None:
        self.parts = [np.zeros(size, np.float32) for _ in range(tensors)]
        self.output = np.ones(2, np.float32)
        self.peeked: list[int] = []

    def run(self, inputs: dict[str, Array]) -> Array:
        return self.output

    def reset(self) -> None:
        for part in self.parts:
            part[...] = 0.0

    def state(self) -> list[Array]:
        return [part.copy() for part in self.parts]

    def load(self, state: Sequence[Array]) -> None:
        raise AssertionError("nothing is taken over")

    def state_sizes(self) -> list[int]:
        return [part.nbytes for part in self.parts]

    def state_peak(self, index: int) -> float:
        self.peeked.append(index)
        return peak(self.parts[index])

    def blank(self) -> dict[str, Array]:
        return {}


def watched(runner: Parts) -> tuple[StateWatch, list[str]]:
    watch, bad = StateWatch(runner), list[str]()

    def begin_anew(what: str) -> None:
        bad.append(what)
        watch.reset()

    watch.on_bad = begin_anew
    return watch, bad


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * PLAUSIBLE, -3e38])
def test_a_bad_number_in_any_part_is_noticed_in_the_same_tick(value: float) -> None:
    for index in range(4):
        runner = Parts()
        watch, bad = watched(runner)
        watch.run({})
        assert bad == []
        runner.parts[index][3] = value
        watch.run({})
        assert bad == ["state"]
        watch.run({})
        assert bad == ["state"]


def test_a_large_state_is_seen_in_turns_and_whole() -> None:
    runner = Parts(tensors=6, size=BYTES_PER_TICK // 8)  # half of what is looked at in a tick
    watch, _ = watched(runner)
    for _ in range(3):
        watch.run({})
    assert runner.peeked == [0, 1, 2, 3, 4, 5]


def test_an_output_that_is_not_finite_becomes_zeros() -> None:
    runner = Parts()
    watch, bad = watched(runner)
    runner.output = np.array([1.0, np.nan], np.float32)
    assert watch.run({}).tolist() == [0.0, 0.0]
    assert bad == ["output"]
    runner.output = np.array([7], np.int64)
    assert watch.run({}).tolist() == [7]


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_one_absurd_input_does_not_poison_a_network_for_ever(backend: str) -> None:
    counted: list[str] = []
    told: list[str] = []
    engine = open_engine("sight", backend=backend, count=counted.append, tell=told.append)
    engine.step(**SIGHT)
    engine.step(**{**SIGHT, "embedding": np.full(128, 3e38, np.float32)})
    after = [engine.step(**SIGHT)["latent"] for _ in range(40)][-1]
    assert counted
    assert set(counted) == {"state_resets.sight"}
    assert any("begins anew" in line for line in told)
    engine.reset()
    fresh = [engine.step(**SIGHT)["latent"] for _ in range(60)][-1]
    np.testing.assert_allclose(after, fresh, atol=0.05)
