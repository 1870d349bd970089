"""Builds the engines that a show lacks: before the show if torch is too slow here, else in the background."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engines import machine
from engines.bundles import artifacts_of, find_bundle, learned_networks
from engines.contract import EngineError
from engines.registry import missing_artifacts
from streaming.runtime.children.child_process import ChildProcess
from streaming.system.host_info import cores

LOG = "build.log"
"""The last build's output, with the parity of each network, in the bundle's folder of artifacts."""
ENOUGH_CORES = 4
"""On fewer cores torch is too slow for a show: on two it needs both for the music alone and handles every second frame.
A build beside such a show gets no time either (4 of 10 networks in ten minutes; without a show all ten in one)."""
NETWORK_S = 4
"""The time to build one network on two cores, in seconds (ten networks: 35 s)."""
_ENDING_S, _LOOK_S = 2.0, 0.2
_BEGINS = re.compile(r"\[(\d+)/(\d+)\] (\S+)")
"""The line that `python -m export` prints before each network: `[3/10] translator for onnxruntime in fp32 ...`."""


def export_command(folder: Path, runtime: str) -> list[str]:
    """The command that builds a bundle's missing and stale engines for a runtime, and ends with its parent."""
    return [
        sys.executable,
        "-m",
        "export",
        str(folder),
        "--backend",
        runtime,
        "--if-needed",
        "--background",
        "--verbose",
    ]


def must_build_first(runtime: str, lacking: Collection[str], bundle: str, there: int) -> bool:
    """Whether a show should wait until its engines are built.

    It should if most of them are missing for the CPU and there are few cores. On a GPU torch is fast enough meanwhile,
    and a few networks on torch cause no delay.

    Args:
        runtime: the one whose engines are missing.
        lacking: the networks without one.
        bundle: the show's.
        there: how many cores it may use.
    """
    few = there < ENOUGH_CORES and runtime == "onnxruntime" and not machine.has_gpu()
    return few and 2 * len(lacking) > len(learned_networks(find_bundle(bundle)))


def print_progress(line: str) -> None:
    """Write a line to stderr; it is dropped if stderr is closed."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


@contextmanager
def prepare_engines(
    backend: str, bundle: str, *, first: bool = False, say: Callable[[str], None] = print_progress
) -> Iterator[list[str]]:
    """Build the missing engines before or beside a show; those not built when it ends are built the next time.

    Args:
        backend: the show's.
        bundle: the show's.
        first: build all of them before the show, on any machine.
        say: takes a line while engines are built before the show.

    Returns:
        A context that gives lines for the user: which engines are built, and which could not be.
    """
    children: list[ChildProcess] = []
    lines = []
    try:
        try:
            folder = find_bundle(bundle).resolve()
            for runtime, networks in missing_artifacts(backend, bundle).items():
                artifacts_of(folder).mkdir(exist_ok=True)
                log = artifacts_of(folder) / LOG
                log.write_bytes(b"")
                child = ChildProcess(export_command(folder, runtime), log)
                children.append(child)
                if first or must_build_first(runtime, networks, bundle, cores()):
                    say(f"{waiting_line(networks)} ({runtime}; details: {log})")
                    lines.extend(_wait_for_build(child, say))
                else:
                    lines.append(f"networks are prepared for {runtime} beside the show: {reasons_in_short(networks)}")
        except EngineError:
            pass  # opening the bundle reports its fault in one line
        except OSError as error:
            lines.append(f"networks cannot be prepared ({error.strerror}); those that are there are used")
        yield lines
    finally:
        for child in children:
            child.close_lifeline()
            child.wait(_ENDING_S)
            child.kill()


def waiting_line(networks: Collection[str]) -> str:
    """The line for the user before a build: what is built, that it is built once, and how long it takes."""
    seconds = NETWORK_S * len(networks)
    time = f"{seconds} s" if seconds < 90 else f"{round(seconds / 60)} minutes"
    what = "1 network" if len(networks) == 1 else f"{len(networks)} networks"
    return f"preparing {what} for this machine, once, about {time}"


def _wait_for_build(child: ChildProcess, say: Callable[[str], None]) -> list[str]:
    """Wait for a build, with a line for each network that it begins; gives a line if not all could be built."""
    line_count = 0
    running = True
    while running:
        child.wait(_LOOK_S)
        running = child.poll() is None
        # Whole lines only: an incomplete line is read the next time.
        lines = [line for line in child.log.read_text(errors="replace").splitlines(True) if line.endswith("\n")]
        for begins in filter(None, map(_BEGINS.match, lines[line_count:])):
            say(f"  {begins[1]} of {begins[2]}: {begins[3]}")
        line_count = len(lines)
    if not child.poll():
        say("  done")
        return []
    reason = (child.last_lines(1) or ["no reason given"])[-1]
    return [f"not all networks could be prepared ({reason}); the show goes on without, see {child.log}"]


def reasons_in_short(networks: Mapping[str, str]) -> str:
    """The reasons for building networks, grouped by reason."""
    together: dict[str, list[str]] = {}
    for network, reason in networks.items():
        together.setdefault(reason, []).append(network)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in together.items())
