"""Exports a bundle for a runtime: `python -m export BUNDLE --backend onnxruntime [--precision fp32|int8]`."""

from __future__ import annotations

import argparse
import sys

from engines.bundles import find_bundle, not_exported
from engines.contract import EngineError


def main(arguments: list[str] | None = None) -> int:
    """Export; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("bundle", nargs="?", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--backend", choices=("onnxruntime",), default="onnxruntime")
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8"),
        help="int8: what sees, and a codec like MusicGen's, in 8-bit integers, about twice as fast on a CPU; the same "
        "show then gives other notes than in fp32, which is what is exported when nothing is said",
    )
    parser.add_argument(
        "--if-needed", action="store_true", help="only where an artifact is missing, stale or of another precision"
    )
    options = parser.parse_args(arguments)
    try:
        folder = find_bundle(options.bundle)
        if options.if_needed and not not_exported(folder, options.backend, options.precision):
            return 0
        from export.onnx import export_bundle

        entries = export_bundle(folder, options.precision or "fp32")
    except (EngineError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for network, entry in entries.items():
        print(f"{network:<12} {entry['file']:<18} {entry['precision']} parity {entry['parity']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
