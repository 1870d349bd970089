"""A runtime's distance from torch and its time beside torch's: teacher-forced, tick by tick."""

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
"""Precision -> the same. Measured on a CPU with the default bundle: ONNX Runtime in fp16 0.0001 to 0.011, but 0.06 for
the embedding, 0.13 for sight's state (0.0015 for its output) and 0.35 for the decoder; torch in fp16 0.001 to 0.011,
0.07 for the embedding; in bf16 0.006 to 0.06, 0.19 for the embedding."""
CODE_TOLERANCES = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.1}
"""Precision -> largest share of codes that may differ: a sum within rounding of a boundary may fall either way.
Measured: fp32 0; the translator's 0.03 in fp16 and 0.15 in bf16, the encoder's 0.2 to 0.7 in either."""
TICKS = 80
"""More than the length of any window."""
STATE_INTERVAL = 4
"""Ticks between two comparisons of the states."""
_TIMED_TICKS = 40


def example_input(spec: Spec, rng: np.random.Generator, tick: int) -> np.ndarray:
    """One tick's input with values that occur in a show; see `models.tick_modules.Spec`."""
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
        return np.zeros(spec.shape, np.float32)  # digital silence, to detect a division by zero
    return (0.3 * rng.standard_normal(spec.shape)).astype(np.float32)


def difference(output: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference relative to the largest value; infinite where either is not finite."""
    if not (np.isfinite(output).all() and np.isfinite(reference).all()):
        return float("inf")
    return float(np.abs(output - reference).max() / (np.abs(reference).max() + 1e-9))


def compare_runners(tick: TickModule, runner: Runner, ticks: int = TICKS) -> dict[str, float]:
    """Run a runner beside torch in single precision on the CPU, both from the initial state.

    Returns:
        `output`: largest relative difference of outputs, or, for codes, the share of codes that differ; `state`:
        largest relative difference of the states, compared every `STATE_INTERVAL` ticks.
    """
    torch_runner = TorchRunner(tick, torch.device("cpu"))
    runner.reset()
    rng = np.random.default_rng(0)
    worst, wrong, state = 0.0, 0.0, 0.0
    for n in range(ticks):
        inputs = {spec.name: example_input(spec, rng, n) for spec in tick.inputs}
        reference, output = torch_runner.run(inputs), runner.run(inputs)
        if reference.dtype == np.int64:
            wrong += float((reference != output).mean()) / ticks
        else:
            worst = max(worst, difference(output, reference))
        if n % STATE_INTERVAL == STATE_INTERVAL - 1:
            for reference_state, runner_state in zip(torch_runner.state(), runner.state(), strict=True):
                state = max(state, difference(runner_state, reference_state))
    return {"output": max(worst, wrong), "state": state}


def tolerances(tick: TickModule, precision: str) -> dict[str, float]:
    """The largest accepted values of `compare_runners`."""
    limit = CODE_TOLERANCES[precision] if tick.output == "frames" else TOLERANCES[precision]
    return {"output": limit, "state": TOLERANCES[precision]}


def time_runners(tick: TickModule, runners: dict[str, Runner]) -> dict[str, float]:
    """The median time of a tick in ms by each runner, run in turn, so that other load slows all of them alike."""
    rng = np.random.default_rng(1)
    for runner in runners.values():
        warm_up(runner)
    durations: dict[str, list[int]] = {name: [] for name in runners}
    for n in range(_TIMED_TICKS):
        inputs: dict[str, Any] = {spec.name: example_input(spec, rng, n) for spec in tick.inputs}
        for name, runner in runners.items():
            start_ns = clock.now_ns()
            runner.run(inputs)
            durations[name].append(clock.now_ns() - start_ns)
    return {name: float(f"{statistics.median(times) / 1e6:.3g}") for name, times in durations.items()}
