"""Builds the engines that a show would take if they were there, in the background, while it runs on what is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engines.artifacts import artifacts_of
from engines.bundles import find_bundle
from engines.contract import EngineError
from engines.registry import wants_export
from streaming.child import Child

LOG = "build.log"
"""In the bundle's folder of artifacts: what the last build said."""
_ENDING_S = 2.0


def export_command(folder: Path, runtime: str) -> list[str]:
    """What builds a bundle's missing and stale engines for a runtime."""
    return [sys.executable, "-m", "export", str(folder), "--backend", runtime, "--if-needed"]


@contextmanager
def building(backend: str, bundle: str) -> Iterator[list[str]]:
    """Build while a show runs; what is not done when it ends is built the next time.

    Args:
        backend: the show's.
        bundle: the show's.

    Returns:
        A context that gives lines for the user: what is built, and why.
    """
    children: list[Child] = []
    lines = []
    try:
        folder = find_bundle(bundle).resolve()
        wanted = wants_export(backend, bundle)
        for runtime, networks in wanted.items():
            artifacts_of(folder).mkdir(exist_ok=True)
            log = artifacts_of(folder) / LOG
            log.write_bytes(b"")
            lines.append(f"engines for {runtime} are built in the background: {reasons(networks)}")
            children.append(Child([*export_command(folder, runtime), "--background"], log))
    except EngineError:
        pass  # said in one line by whoever opens the bundle
    except OSError as error:
        lines.append(f"engines cannot be built ({error.strerror}); what is there is taken")
    try:
        yield lines
    finally:
        for child in children:
            child.let_go()
            child.wait(_ENDING_S)
            child.kill()


def reasons(networks: Mapping[str, str]) -> str:
    """Why networks are built, those of one reason together."""
    together: dict[str, list[str]] = {}
    for network, reason in networks.items():
        together.setdefault(reason, []).append(network)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in together.items())
