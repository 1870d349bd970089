"""Builds the engines that a show would take: before it where nothing else could carry it, else in the background."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engines import machine
from engines.bundles import artifacts_of, find_bundle, learned_networks
from engines.contract import EngineError
from engines.registry import missing_artifacts
from streaming.runtime.child_process import ChildProcess
from streaming.system.host_info import cores

LOG = "build.log"
"""In the bundle's folder of artifacts: what the last build said."""
ENOUGH_CORES = 4
"""On fewer, torch does not carry a show: on two it takes both for the music alone and sees every second frame. What is
built beside it then gets no time either (4 of 10 networks in ten minutes, which take one without a show)."""
_ENDING_S, _LOOK_S = 2.0, 0.2


def export_command(folder: Path, runtime: str) -> list[str]:
    """What builds a bundle's missing and stale engines for a runtime, and ends with whoever began it."""
    return [sys.executable, "-m", "export", str(folder), "--backend", runtime, "--if-needed", "--background"]


def must_build_first(runtime: str, lacking: Collection[str], bundle: str, there: int) -> bool:
    """Whether a show is better begun once its engines are built.

    It is where it lacks most of them for the CPU and has few cores. On a GPU torch performs meanwhile, and a few
    networks on torch hold up nothing.

    Args:
        runtime: whose engines.
        lacking: the networks without one.
        bundle: the show's.
        there: how many cores it may use.
    """
    few = there < ENOUGH_CORES and runtime == "onnxruntime" and not machine.has_gpu()
    return few and 2 * len(lacking) > len(learned_networks(find_bundle(bundle)))


def print_progress(line: str) -> None:
    """A line for whoever waits for a show."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def prepare_engines(
    backend: str, bundle: str, *, first: bool = False, say: Callable[[str], None] = print_progress
) -> Iterator[list[str]]:
    """Build before what follows or beside it; what is not done when that ends is built the next time.

    Args:
        backend: the show's.
        bundle: the show's.
        first: have all of it built before, whatever the machine.
        say: takes a line while something is built before.

    Returns:
        A context that gives lines for the user: what is built, and why.
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
                    say(f"engines for {runtime} are built first, once: {reasons(networks)}")
                    lines.extend(_built(child, say))
                else:
                    lines.append(f"engines for {runtime} are built in the background: {reasons(networks)}")
        except EngineError:
            pass  # said in one line by whoever opens the bundle
        except OSError as error:
            lines.append(f"engines cannot be built ({error.strerror}); what is there is taken")
        yield lines
    finally:
        for child in children:
            child.close_lifeline()
            child.wait(_ENDING_S)
            child.kill()


def _built(child: ChildProcess, say: Callable[[str], None]) -> list[str]:
    """Wait for a build and pass on what it says; a line where not all of it could be done."""
    said = 0
    running = True
    while running:
        child.wait(_LOOK_S)
        running = child.poll() is None
        # Whole lines only: what is being written is said the next time.
        whole = child.log.read_text(errors="replace").splitlines(keepends=True)
        for line in whole[said:]:
            if line.endswith("\n") or not running:
                say(f"  {line.rstrip()}")
                said += 1
    if not child.poll():
        return []
    reason = (child.last_lines(1) or ["no reason given"])[-1]
    return [f"not all engines could be built ({reason}); going on without"]


def reasons(networks: Mapping[str, str]) -> str:
    """Why networks are built, those of one reason together."""
    together: dict[str, list[str]] = {}
    for network, reason in networks.items():
        together.setdefault(reason, []).append(network)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in together.items())
