"""Fuzzes a reader of what comes from outside, guided by coverage: `python -m tests.fuzz.atheris_driver READER`.

Atheris (`pip install atheris`) is optional; words after the reader's name are libFuzzer's: `-max_total_time=60`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

INSTRUMENTED = ["streaming.transport.wire", "streaming.settings", "streaming.devices", "engines.bundles"]
READERS = ("bundle", "control", "image", "message", "request", "settings")


def main(words: list[str]) -> int:
    """Fuzz one reader until libFuzzer ends."""
    if len(words) < 2 or words[1] not in READERS:
        sys.stderr.write(f"name a reader: {', '.join(READERS)}\n")
        return 2
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed; type: pip install atheris\n")
        return 2
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        readers = importlib.import_module("tests.fuzz.readers")
    atheris.Setup([words[0], *words[2:]], readers.READERS[words[1]])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
