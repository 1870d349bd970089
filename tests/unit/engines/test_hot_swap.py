"""Who runs a network may change between two ticks: it is not heard, and a failure is one line and not the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from engines import hot_swap
from engines.bundles import find_bundle
from engines.contract import Array, EngineError, EngineSpec
from engines.hot_swap import HotSwap, LoadedRunner, warm_up
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import TorchRunner, load_tick
from engines.tick_engines import Runner
from export.onnx import to_onnx


class CountingRunner:
    """A network that counts its ticks; `fails` says when it cannot go on."""

    def __init__(self, fails: Callable[[], Exception | None] = lambda: None) -> None:
        self.count, self.fails = np.zeros(1), fails

    def run(self, inputs: dict[str, Array]) -> Array:
        if (error := self.fails()) is not None:
            raise error
        self.count = self.count + 1
        return self.count

    def reset(self) -> None:
        self.count = np.zeros(1)

    def state(self) -> list[Array]:
        return [self.count.copy()]

    def load(self, state: Sequence[Array]) -> None:
        (self.count,) = state

    def state_sizes(self) -> list[int]:
        return [self.count.nbytes]

    def state_peak(self, index: int) -> float:
        return float(self.count[0])

    def blank(self) -> dict[str, Array]:
        return {"temperature": np.zeros(1)}


def opened(runtime: str, runner: Runner) -> LoadedRunner:
    return LoadedRunner(runner, EngineSpec("decoder", runtime))


def nobody() -> Iterator[LoadedRunner]:
    return iter(())


def test_a_successor_goes_on_from_the_state_and_it_is_said_once() -> None:
    told: list[str] = []
    engine = HotSwap(opened("torch", CountingRunner()), nobody(), told.append)
    changed: list[EngineSpec] = []
    engine.on_change = changed.append
    assert [int(engine.run({})[0]) for _ in range(3)] == [1, 2, 3]
    engine.offer(opened("onnxruntime", CountingRunner()))
    assert [int(engine.run({})[0]) for _ in range(3)] == [4, 5, 6]
    assert told == ["decoder: onnxruntime on cpu is ready: it takes over"]
    assert [spec.runtime for spec in changed] == ["onnxruntime"]


def test_when_a_runtime_fails_the_next_goes_on_with_its_state() -> None:
    told: list[str] = []
    failing: list[Exception] = []
    first = CountingRunner(lambda: failing[0] if failing else None)
    engine = HotSwap(opened("tensorrt", first), iter([opened("torch", CountingRunner())]), told.append)
    engine.run({})
    failing.append(EngineError("the memory of NVIDIA H100 is full; close what else uses it"))
    assert int(engine.run({})[0]) == 2
    assert len(told) == 1
    assert "torch on cpu goes on, as tensorrt fails: the memory of NVIDIA H100 is full" in told[0]


def test_when_the_state_is_lost_too_it_begins_anew() -> None:
    class Dead(CountingRunner):
        def state(self) -> list[Array]:
            raise EngineError("gone")

    engine = HotSwap(
        opened("torch", Dead(lambda: EngineError("out of memory"))),
        iter([opened("torch", CountingRunner())]),
        lambda _: None,
    )
    assert int(engine.run({})[0]) == 1


def test_when_nobody_is_left_the_error_is_told() -> None:
    engine = HotSwap(opened("torch", CountingRunner(lambda: EngineError("no more"))), nobody(), lambda _: None)
    with pytest.raises(EngineError, match="no more"):
        engine.run({})


def test_what_is_watched_for_takes_over_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_swap, "CHECK_INTERVAL_S", 0.01)
    looks: list[str] = []

    def better(spec: EngineSpec) -> tuple[LoadedRunner | None, bool]:
        looks.append(spec.runtime)
        return (opened("onnxruntime", CountingRunner()), False) if len(looks) == 3 else (None, True)

    engine = HotSwap(opened("torch", CountingRunner()), nobody(), lambda _: None)
    engine.watch(better)
    for _ in range(500):
        engine.run({})
        if engine.spec.runtime == "onnxruntime":
            break
        time.sleep(0.01)
    assert engine.spec.runtime == "onnxruntime"
    assert looks == ["torch"] * 3


def test_a_network_is_warmed_with_what_it_can_bear() -> None:
    seen: list[float] = []

    class Hot(CountingRunner):
        def run(self, inputs: dict[str, Array]) -> Array:
            seen.append(float(inputs["temperature"][0]))
            return super().run(inputs)

    runner = Hot()
    warm_up(runner)
    assert seen == [1.0] * hot_swap.WARM_UP_TICKS
    assert runner.count == 0


@pytest.mark.parametrize("back", [False, True])
def test_the_decoder_is_swapped_between_two_ticks_without_a_click(back: bool) -> None:
    import torch

    folder = find_bundle("default")
    tick = load_tick("decoder", folder)
    data = to_onnx(tick)

    def runners() -> list[LoadedRunner]:
        found = [
            opened("torch", TorchRunner(load_tick("decoder", folder), torch.device("cpu"))),
            opened("onnxruntime", OnnxRunner(data)),
        ]
        return found[::-1] if back else found

    frames = np.random.default_rng(0).integers(0, 2048, (24, 1, 4, 2))
    alone = runners()[0].runner
    whole = np.concatenate([alone.run({"frames": one})[0, 0] for one in frames])
    first, second = runners()
    engine = HotSwap(first, nobody(), lambda _: None)
    parts = []
    for n, one in enumerate(frames):
        if n == 12:
            warm_up(second.runner)
            engine.offer(second)
        parts.append(engine.run({"frames": one})[0, 0])
    difference = np.abs(np.concatenate(parts) - whole).max() / np.abs(whole).max()
    assert difference <= 1e-5  # measured 2e-6; with the state forgotten it is 0.6
