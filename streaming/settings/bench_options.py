"""The options that only benchmarks have, as one table."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from streaming.errors import UserError, shorten
from streaming.settings.option_rows.option import Option

BENCHES = ("latency", "budget", "soak", "compare", "desks", "throughput", "backends", "engines", "submit")
IN_STEP = "locked"
TRIALS, QUICK_TRIALS, MOST_TRIALS = 500, 40, 100_000
CAMERA_RATES_HZ, PERIODS = (5.0, 240.0), (16, 4_096)

WORDS = {
    "--seconds": ("S", "how long it measures"),
    "--minutes": ("M", "how long it measures"),
    "--hours": ("H", "how long a soak lasts"),
    "--history": ("", "append the result to docs/bench-history.jsonl"),
    "--out": (
        "DIR",
        "where all but throughput and backends leave their files; default: recordings",
    ),
    "--compiled": ("", "engines: torch.compile too without a GPU, half a minute a network"),
    "--trials": ("N", f"latency: how many trials each way; default: {TRIALS}"),
    "--quick": ("", f"latency, compare: {QUICK_TRIALS} trials each way; desks: one show of each kind"),
    "--led": ("", "latency: an LED at the sound card's left output, seen by the camera; see docs/latency-bench.md"),
    "--camera-rate": ("R", f"latency: frames per second of a virtual camera on its own clock; default: {IN_STEP}, 25"),
    "--period": ("FRAMES", "latency: frames of a cycle of the bench's JACK server; default: 256"),
    "--trace": ("FILE", "budget: write every tick through every process as a Chrome trace, for ui.perfetto.dev"),
    "--virtual": ("", "soak: the stages' own steps on a clock that does not wait: a day takes minutes"),
}
"""Each option with its metavar, "" for a flag, and its words."""


@dataclass(frozen=True)
class BenchOptions:
    """What was asked of a benchmark.

    Attributes:
        trials: each way; None for the default.
        quick: few trials.
        led: with real hardware.
        camera_hz: of the virtual camera; 0 for one that the show keeps in step with its ticks.
        period: frames of a JACK cycle.
        trace: the file of the trace, "" for none.
        virtual: on a virtual clock.
    """

    trials: int | None = None
    quick: bool = False
    led: bool = False
    camera_hz: float = 0.0
    period: int = 256
    trace: str = ""
    virtual: bool = False

    def trial_count(self) -> int:
        """How many trials each way."""
        return self.trials or (QUICK_TRIALS if self.quick else TRIALS)


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of `bench`."""
    parser.add_argument("target", metavar="WHICH", help=", ".join(BENCHES))
    for name, (metavar, words) in WORDS.items():
        if metavar:
            parser.add_argument(name, metavar=metavar, help=words)
        else:
            parser.add_argument(name, action="store_true", help=words)


def read_bench_options(options: dict[str, Any]) -> BenchOptions:
    """Check what was typed.

    Raises:
        UserError: for a value out of its range.
    """
    rate = options.get("camera_rate", IN_STEP)
    return BenchOptions(
        trials=_whole("trials", options["trials"], (1, MOST_TRIALS)) if "trials" in options else None,
        quick=options.get("quick", False),
        led=options.get("led", False),
        camera_hz=0.0 if rate == IN_STEP else _number("camera-rate", rate, CAMERA_RATES_HZ),
        period=_whole("period", options["period"], PERIODS) if "period" in options else BenchOptions.period,
        trace=options.get("trace", ""),
        virtual=options.get("virtual", False),
    )


def read_seconds(options: dict[str, Any]) -> float | None:
    """How long a benchmark takes; None for its default.

    Raises:
        UserError: for what is no time.
    """
    for option, factor in (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)):
        if option in options:
            row = Option(name=option, group="", words="", kind="seconds", range=f"{option}, more than 0")
            number = row.read(options[option])
            assert isinstance(number, float)
            return factor * number
    return None


def _number(name: str, text: str, span: tuple[float, float]) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not span[0] <= number <= span[1]:
        raise UserError(f"must be {span[0]:g} to {span[1]:g}", f"--{name} {shorten(text)}", "give another number")
    return number


def _whole(name: str, text: str, span: tuple[int, int]) -> int:
    number = _number(name, text, span)
    if number != int(number):
        raise UserError("must be a whole number", f"--{name} {shorten(text)}", "leave out what is behind the point")
    return int(number)
