"""How far a runtime's ticks are from torch's, and how long they take beside them: teacher-forced, tick by tick."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import torch

from engines.hot_swap import warm_up
from engines.runtimes.torch_runtime import TorchRunner
from engines.tick_engines import Runner
from models.tick_modules import Spec, TickModule
from streaming.timing import clock

TOLERANCE = 1e-4
"""Largest relative difference from torch that is accepted in single precision; measured 1e-7 to 2e-6."""
TOLERANCES = {"fp32": TOLERANCE, "fp16": 0.05, "bf16": 0.1}
"""Precision -> the same. Measured on a CPU, the default bundle: in ONNX Runtime fp16 0.0001 to 0.011, but 0.06 for the
embedding, 0.13 for what sight remembers (of its output 0.0015) and 0.35 for the decoder; in torch fp16 0.001 to 0.011,
the embedding 0.07, bf16 0.006 to 0.06, the embedding 0.19."""
CODE_TOLERANCES = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.1}
"""Precision -> largest share of codes that may differ: a sum within rounding of a boundary may fall either way.
Measured: fp32 0; the translator's 0.03 in fp16 and 0.15 in bf16, the encoder's 0.2 to 0.7 in either."""
TICKS = 80
"""More than any window is long."""
STATE_INTERVAL = 4
"""States are compared at each so many ticks."""
_TIMED = 40


def example_input(spec: Spec, rng: np.random.Generator, tick: int) -> np.ndarray:
    """One tick's input, as a show could give it; see `models.tick_modules.Spec`."""
    if spec.values == "time":
        return np.full(spec.shape, 3600.0 + 0.04 * tick)
    if spec.values == "ones":
        return np.ones(spec.shape, np.float32)
    if spec.values == "unit":
        return rng.random(spec.shape, dtype=np.float32)
    if spec.dtype == torch.uint8:
        return rng.integers(0, 256, spec.shape, dtype=np.uint8)
    if spec.dtype == torch.int64:
        return rng.integers(0, spec.below, spec.shape)
    if spec.values == "sound" and tick % 20 < 5:
        return np.zeros(spec.shape, np.float32)  # digital silence, where a division by nothing would show
    return (0.3 * rng.standard_normal(spec.shape)).astype(np.float32)


def difference(got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference relative to the largest value; infinite where either is not finite."""
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        return float("inf")
    return float(np.abs(got - want).max() / (np.abs(want).max() + 1e-9))


def compare_runners(tick: TickModule, theirs: Runner, ticks: int = TICKS) -> dict[str, float]:
    """Run a runner beside torch in single precision on the CPU, both from the initial state.

    Returns:
        `output`: largest relative difference of outputs, or, for codes, the share of codes that differ; `state`:
        largest relative difference of the states, looked at now and then.
    """
    ours = TorchRunner(tick, torch.device("cpu"))
    theirs.reset()
    rng = np.random.default_rng(0)
    worst, wrong, state = 0.0, 0.0, 0.0
    for n in range(ticks):
        inputs = {spec.name: example_input(spec, rng, n) for spec in tick.inputs}
        want, got = ours.run(inputs), theirs.run(inputs)
        if want.dtype == np.int64:
            wrong += float((want != got).mean()) / ticks
        else:
            worst = max(worst, difference(got, want))
        if n % STATE_INTERVAL == STATE_INTERVAL - 1:
            for mine, other in zip(ours.state(), theirs.state(), strict=True):
                state = max(state, difference(other, mine))
    return {"output": max(worst, wrong), "state": state}


def tolerances(tick: TickModule, precision: str) -> dict[str, float]:
    """The most that `compare_runners` may find."""
    limit = CODE_TOLERANCES[precision] if tick.output == "frames" else TOLERANCES[precision]
    return {"output": limit, "state": TOLERANCES[precision]}


def time_runners(tick: TickModule, runners: dict[str, Runner]) -> dict[str, float]:
    """The median time of a tick in ms by each runner, side by side: what else the machine does slows all of them."""
    rng = np.random.default_rng(1)
    for runner in runners.values():
        warm_up(runner)
    taken: dict[str, list[int]] = {name: [] for name in runners}
    for n in range(_TIMED):
        inputs: dict[str, Any] = {spec.name: example_input(spec, rng, n) for spec in tick.inputs}
        for name, runner in runners.items():
            begun = clock.now_ns()
            runner.run(inputs)
            taken[name].append(clock.now_ns() - begun)
    return {name: float(f"{statistics.median(times) / 1e6:.3g}") for name, times in taken.items()}
