"""The output of `python -m export` while it builds: one line for each network, and figures with `--verbose`."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from streaming.timing import clock


class BuildProgress(Protocol):
    """Called when a network's build begins and when it ends."""

    def begin(self, number: int, count: int, network: str, target: str) -> None:
        """Build `number` of `count` begins; `target` is the runtime and precision in words."""

    def end(self, network: str, entry: dict[str, Any]) -> None:
        """It has ended, with this manifest."""


class SilentProgress:
    """Prints nothing."""

    def begin(self, number: int, count: int, network: str, target: str) -> None:
        """See `BuildProgress`."""

    def end(self, network: str, entry: dict[str, Any]) -> None:
        """See `BuildProgress`."""


class PrintedProgress:
    """Prints `[3/10] translator ... 4 s`.

    In a file each network has two lines, so that the start of a build is visible at once.

    Args:
        verbose: also print runtime, precision, time of a tick and distance from torch.
        inline: complete a line when its build ends; None where stdout is a terminal.
    """

    def __init__(self, *, verbose: bool = False, inline: bool | None = None) -> None:
        self._verbose = verbose
        self._inline = (sys.stdout.isatty() if inline is None else inline) and not verbose
        self._begin_ns = 0

    def begin(self, number: int, count: int, network: str, target: str) -> None:
        """See `BuildProgress`."""
        self._begin_ns = clock.now_ns()
        what = f"{network} {target}" if self._verbose else network
        print(f"[{number}/{count}] {what} ...", end=" " if self._inline else "\n", flush=True)

    def end(self, network: str, entry: dict[str, Any]) -> None:
        """See `BuildProgress`."""
        seconds = (clock.now_ns() - self._begin_ns) / 1e9
        time = f"{seconds:.0f} s" if seconds >= 1.0 else "less than 1 s"
        outcome = f"not built, after {time}" if "failed" in entry else time
        print(outcome if self._inline else f"  {network}: {outcome}", flush=True)
        if self._verbose:
            print(f"  {build_figures(entry)}", flush=True)


def build_figures(entry: dict[str, Any]) -> str:
    """A built network's figures on one line: precision, provider, time of a tick, distance from torch."""
    if "failed" in entry:
        return str(entry["failed"])
    step = entry["step_ms"]
    times = f"{step['own']:.3g} ms a tick, torch {step['torch']:.3g} ms"
    where = entry.get("provider", "").removesuffix("ExecutionProvider")
    limits = entry["tolerance"]
    parity = ", ".join(
        f"{key} {value:.2g} of {limits[key]:g}" if key in limits else f"{key} {value:.2g}"
        for key, value in entry["parity"].items()
    )
    reason = f"; {entry['kept']}" if "kept" in entry else ""
    return f"{entry['precision']} {where}: {times}; distance from torch, of the largest accepted: {parity}{reason}"
