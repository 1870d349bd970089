"""Builds a bundle's engines: `python -m export BUNDLE [--backend onnxruntime|tensorrt|torch] [--precision P]`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading

from engines.artifacts import PRECISIONS, read_entry, why_rebuilt
from engines.bundles import find_bundle
from engines.contract import EngineError
from streaming.system.realtime import raise_niceness

NICE = 5
"""Niceness of a build in the background: the show has priority, but the build must finish on a busy machine too."""


def main(arguments: list[str] | None = None) -> int:
    """Export; returns the exit status: 0 everything was built, 2 bad arguments, 1 a network could not be built."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("bundle", nargs="?", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--backend", choices=tuple(PRECISIONS), default="onnxruntime", help="default: onnxruntime")
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "bf16", "int8"),
        help="onnxruntime: fp32, fp16, int8; tensorrt and torch: fp32, fp16, bf16. int8 rounds the visual network and "
        "codecs like MusicGen's: about twice as fast on a CPU, but the same show then plays other notes; "
        "default: that of the artifact that is replaced, else fp32",
    )
    parser.add_argument(
        "--if-needed", action="store_true", help="only what is missing, stale, damaged or of another precision"
    )
    parser.add_argument(
        "--background", action="store_true", help="give way to everything else that runs, and end when stdin does"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="also print the time of a tick and the distance from torch"
    )
    options = parser.parse_args(arguments)
    try:
        return _export(options)
    except (EngineError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _export(options: argparse.Namespace) -> int:
    folder = find_bundle(options.bundle)
    if options.background:
        _give_way()
    reasons = why_rebuilt(folder, options.backend, options.precision)
    if options.if_needed and not reasons:
        return 0
    from export.build import build_artifacts
    from export.progress import PrintedProgress

    for network, reason in reasons.items():
        if read_entry(folder, options.backend, network) is not None:
            print(f"{network:<12} is built again: {reason}", flush=True)
    networks = list(reasons) if options.if_needed else None
    progress = PrintedProgress(verbose=options.verbose)
    entries = build_artifacts(folder, options.backend, options.precision, networks, progress=progress)
    failures = [f"{network}: {entry['failed']}" for network, entry in entries.items() if "failed" in entry]
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0


def _give_way() -> None:
    """Lower this process's priority; end it when stdin closes, that is, with its parent."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4_096):
                pass
        os._exit(0)

    raise_niceness(NICE)
    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
