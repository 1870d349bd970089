"""Exports a bundle for a runtime: `python -m export BUNDLE --backend onnxruntime`."""

from __future__ import annotations

import argparse
import sys

from engines.bundles import find_bundle
from engines.contract import EngineError


def main(arguments: list[str] | None = None) -> int:
    """Export; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("bundle", nargs="?", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--backend", choices=("onnxruntime",), default="onnxruntime")
    options = parser.parse_args(arguments)
    from export.onnx import export_bundle

    try:
        entries = export_bundle(find_bundle(options.bundle))
    except (EngineError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for network, entry in entries.items():
        print(f"{network:<12} {entry['file']:<18} parity {entry['parity']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
