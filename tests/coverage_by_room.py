"""Prints the share of lines that the tests ran, a line for each room: `python -m tests.coverage_by_room`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path


def main() -> int:
    """Print the table from `.coverage`; nothing is gated by it."""
    if not Path(".coverage").exists():
        return 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(file)]
        if subprocess.run(command, check=False).returncode:
            return 0
        files = json.loads(file.read_text("utf-8"))["files"]
    rooms: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, entry in files.items():
        for room in (Path(name).parent.as_posix(), "all"):
            rooms[room][0] += entry["summary"]["covered_lines"]
            rooms[room][1] += entry["summary"]["num_statements"]
    sys.stdout.write("Lines that ran in the tests' own processes (stages of whole shows run in others):\n")
    for room, (ran, there) in sorted(rooms.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        if there:
            sys.stdout.write(f"  {room:<32} {100.0 * ran / there:4.0f} % of {there}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
