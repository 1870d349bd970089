"""Times every network on every runtime and precision of this machine, side by side in one run.

`python run_live.py bench engines [--bundle B] [--out DIR]` writes a table as JSON and Markdown and a plot as PNG. A
tick is timed with its inputs and its output as arrays on the CPU, as in a show. All variants of a network take turns
tick by tick, so that other load on the machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch

from benchmarks.engines_page import leave
from benchmarks.show import HISTORY, append_history, commit_hash
from engines import machine
from engines.artifacts import PRECISIONS
from engines.bundles import find_bundle, learned_networks
from engines.contract import EngineError
from engines.hot_swap import warm_up
from engines.runtimes.onnxruntime_runtime import CPU, OnnxRunner, providers
from engines.runtimes.torch_runtime import TorchRunner, device_for, load_tick
from engines.tick_engines import Runner
from export import int8
from export.onnx import to_half, to_onnx
from export.parity import compare_runners, example_input
from export.tensorrt import compile_plan, to_plan
from streaming.errors import UserError
from streaming.timing import clock

SECONDS = 4.0
"""How long each network is timed, in seconds, all its variants together."""
MIN_TICKS = 40
"""Ticks that are timed at least, however long they take."""
MEMORY_TICKS = 20
"""Ticks after which the memory of a network is measured."""


class Variant(NamedTuple):
    """One way to run a network; `how` is "eager" or "compiled" for torch, and the provider for ONNX Runtime."""

    runtime: str
    precision: str
    how: str = ""

    def __str__(self) -> str:
        how = self.how.removesuffix("ExecutionProvider")
        return " ".join(filter(None, [self.runtime, how, self.precision]))


BASE = Variant("torch", "fp32", "eager")
"""The variant that the others are compared with."""


def variants(*, rounded: bool, compiled: bool = False) -> Iterator[Variant]:
    """The variants that this machine could run a network in, torch's own first.

    Args:
        rounded: the network exists in 8-bit integers.
        compiled: include torch.compile without a GPU: it takes half a minute per network and needs a C++ compiler.
    """
    gpu = machine.has_gpu()
    for precision in PRECISIONS["torch"]:
        if precision != "fp16" or gpu:  # on a CPU torch computes fp16 by converting it
            yield Variant("torch", precision, "eager")
    if gpu or compiled:
        yield Variant("torch", "fp32", "compiled")
    for provider in providers():
        yield Variant("onnxruntime", "fp32", provider)
        if provider != CPU:
            yield Variant("onnxruntime", "fp16", provider)
    if rounded:
        yield Variant("onnxruntime", "int8", CPU)
    if gpu and machine.is_installed("torch_tensorrt"):
        for precision in PRECISIONS["tensorrt"]:
            yield Variant("tensorrt", precision)


def build_file(network: str, folder: Path, variant: Variant) -> bytes:
    """The file that a variant needs; empty for torch.

    Raises:
        EngineError: when it cannot be made.
    """
    tick = load_tick(network, folder)
    if variant.runtime == "torch":
        return b""
    if variant.runtime == "tensorrt":
        data, names = to_plan(tick, variant.precision, compiler=compile_plan)
        return json.dumps(names).encode() + b"\n" + data
    data = to_onnx(tick)
    if variant.precision == "fp16":
        return to_half(data)
    return int8.to_int8(tick, data) if variant.precision == "int8" else data


def open_runner(network: str, folder: Path, variant: Variant, data: bytes) -> Runner:
    """A runner of a network in one variant.

    Raises:
        EngineError: when it cannot run here.
    """
    if variant.runtime == "onnxruntime":
        return OnnxRunner(data, provider=variant.how)
    tick, place = load_tick(network, folder), device_for()
    if variant.runtime == "torch":
        return TorchRunner(tick, place, variant.precision, compiled=variant.how == "compiled")
    from engines.runtimes.tensorrt_runtime import PlanRunner, PlanTick

    names, _, plan = data.partition(b"\n")
    return PlanRunner(tick, PlanTick(tick.single(), plan, json.loads(names), place), place)


def time_variants(
    network: str,
    folder: Path,
    runners: dict[Variant, Runner],
    seconds: float,
    now: Callable[[], int] = clock.now_ns,
) -> dict[Variant, dict[str, float]]:
    """Let all variants take turns, tick by tick.

    Args:
        network: which network.
        folder: the bundle's.
        runners: what is compared.
        seconds: how long, with at least `MIN_TICKS` ticks.
        now: the clock, in ns.

    Returns:
        For each variant: `p50` and `p99` of a tick in ms, `n` ticks, and `speed_up`: the median over ticks of torch's
        time over its own.
    """
    rng, tick = np.random.default_rng(1), load_tick(network, folder)
    durations: dict[Variant, list[float]] = {variant: [] for variant in runners}
    end, n = now() + int(seconds * 1e9), 0
    while n < MIN_TICKS or now() < end:
        inputs: dict[str, Any] = {spec.name: example_input(spec, rng, n) for spec in tick.inputs}
        for variant, runner in runners.items():
            begin = now()
            runner.run(inputs)
            durations[variant].append((now() - begin) / 1e6)
        n += 1
    found = {}
    for variant, times in durations.items():
        faster = [base / own for base, own in zip(durations.get(BASE, times), times, strict=True)]
        p50, p99 = np.percentile(times, [50, 99])
        found[variant] = {"p50": float(p50), "p99": float(p99), "n": len(times), "speed_up": statistics.median(faster)}
    return found


def memory_growth_mb(network: str, folder: Path, variant: Variant, file: Path) -> float:
    """How many MB this process grows by when it opens and runs a network; on a GPU, how much GPU memory that takes."""
    here = psutil.Process()
    gpu = device_for().type == "cuda" and variant.how != CPU
    free = torch.cuda.mem_get_info()[0] if gpu else 0
    before = here.memory_info().rss
    runner = open_runner(network, folder, variant, file.read_bytes())
    warm_up(runner)
    for _ in range(MEMORY_TICKS):
        runner.run({name: value + 1 if name == "temperature" else value for name, value in runner.blank().items()})
    grown = free - torch.cuda.mem_get_info()[0] if gpu else here.memory_info().rss - before
    return grown / 1e6


def memory_growth_in_child(network: str, folder: Path, variant: Variant, file: Path) -> float | None:
    """The same in a process of its own; None where that fails."""
    command = [sys.executable, "-m", "benchmarks.engines", str(folder), "--weigh", network, *variant, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else None


def measure(folder: Path, seconds: float = SECONDS, *, compiled: bool = False) -> dict[str, Any]:
    """Measure the whole table.

    Args:
        folder: the bundle's.
        seconds: how long each network is timed.
        compiled: see `variants`.

    Returns:
        `machine`: what it is; `bundle`; `rows`: network, variant, times, memory and parity, or why it could not run.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for network in learned_networks(folder):
            rows += _measure_network(network, folder, Path(cache), seconds, compiled)
    board = machine.gpu()
    about = {
        "cpu": machine.cpu(),
        "cores": psutil.cpu_count(logical=True),
        "gpu": None
        if board is None
        else {"name": board.name, "architecture": board.architecture, "driver": board.driver},
        "versions": {name: machine.version(name) for name in machine.DISTRIBUTIONS},
    }
    return {"machine": about, "bundle": folder.name, "at": clock.wall_text(), "rows": rows}


def _measure_network(network: str, folder: Path, cache: Path, seconds: float, compiled: bool) -> list[dict[str, Any]]:
    runners: dict[Variant, Runner] = {}
    rows: dict[Variant, dict[str, Any]] = {}
    for variant in variants(rounded=int8.supports_int8(network, load_tick(network, folder)), compiled=compiled):
        sys.stdout.write(f"{network}: {variant} ...\n")
        sys.stdout.flush()
        rows[variant] = {"network": network, "way": str(variant), **variant._asdict()}
        file = cache / f"{network}-{len(rows)}"
        try:
            data = build_file(network, folder, variant)
            file.write_bytes(data)
            runner = open_runner(network, folder, variant, data)
            warm_up(runner)
            # In 8 bits a network is compared on pictures; noise is nothing that it was made for.
            rows[variant]["parity"] = (
                int8.int8_parity(load_tick(network, folder), data)
                if variant.precision == "int8"
                else compare_runners(load_tick(network, folder), runner)
            )
            runner.reset()
            runners[variant] = runner
        except Exception as error:  # the compilers' errors share no base class
            rows[variant]["failed"] = (str(error).splitlines() or [type(error).__name__])[0][:200]
            continue
        rows[variant]["memory_mb"] = memory_growth_in_child(network, folder, variant, file)
    for variant, step in time_variants(network, folder, runners, seconds).items():
        rows[variant]["step_ms"] = step
    return list(rows.values())


def entry(found: dict[str, Any]) -> dict[str, Any]:
    """What the history keeps of a table: the medians."""
    steps = {f"{row['network']} {row['way']}": row["step_ms"]["p50"] for row in found["rows"] if "step_ms" in row}
    return {"bench": "engines", "at": found["at"], "commit": commit_hash(), "host": found["machine"], "p50_ms": steps}


def _check_folder(out: Path) -> None:
    """Make the folder of the table before anything is measured, which takes minutes.

    Raises:
        UserError: when it cannot be made or written into.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        fix = "give --out a folder that you may write to"
        raise UserError(f"cannot be written into ({error.strerror})", f"--out {out}", fix) from error


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="run_live.py bench engines", description=__doc__)
    parser.add_argument("bundle", nargs="?", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each network is timed, in seconds")
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="folder for the table and the plot")
    parser.add_argument("--history", action="store_true", help="append the medians to docs/bench-history.jsonl")
    parser.add_argument(
        "--compiled", action="store_true", help="include torch.compile without a GPU: half a minute per network"
    )
    parser.add_argument("--weigh", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        folder = find_bundle(options.bundle)
        if options.weigh:
            network, runtime, precision, how, file = options.weigh
            sys.stdout.write(f"{memory_growth_mb(network, folder, Variant(runtime, precision, how), Path(file))}\n")
            return 0
        _check_folder(options.out)
        found = measure(folder, options.seconds, compiled=options.compiled)
        for path in leave(found, options.out):
            sys.stdout.write(f"written: {path}\n")
        if options.history:
            append_history(HISTORY, entry(found))
    except (EngineError, UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
