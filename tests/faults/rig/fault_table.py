"""Writes the table of faults into the documentation, from the figures of a run of the tests.

ANTIPHON_FAULTS=faults.jsonl make test-faults
python -m tests.faults.rig.fault_table faults.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
DIRECTIONS = {"video-to-music": "music", "music-to-video": "pictures", "both": "both"}


def rows_of(lines: list[str]) -> list[str]:
    """A row of the table for each fault; of several runs the slowest figures."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        act = json.loads(line)
        for fault in act["faults"]:
            status = act["status"] if fault is act["faults"][-1] else 0
            row = {**fault, "degraded": act["degraded"], "status": status}
            found[fault["fault"], DIRECTIONS[act["direction"]]].append(row)
    return [row_of(name, direction, faults) for (name, direction), faults in found.items()]


def row_of(name: str, direction: str, faults: list[dict[str, Any]]) -> str:
    """One row: the fault, the show, what was started again, the time until that worked and until it published."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for fault in faults:
        for stage in fault["stages"].values():
            for kind, values in stage.items():
                times[kind] += values
    stages = list(faults[0]["stages"])
    what = f"started again: {', '.join(stages)}" if stages else ""
    if any(f" {name.split()[0]}: " in line for fault in faults for line in fault["degraded"]):
        what = "given up, degraded, tried again every minute"
    elif status := faults[0]["status"]:
        what = f"the show ends with status {status}"
    silence = max((fault["silence_s"] for fault in faults if "silence_s" in fault), default=None)
    cells = (
        name,
        direction,
        what or "plays on",
        seconds(times["ready_ms"]),
        seconds(times["output_ms"]),
        "" if silence is None else f"{silence:.2f} s",
    )
    return f"| {' | '.join(cells)} |"


def seconds(values: list[float]) -> str:
    """The longest of some times in ms, in seconds."""
    return f"{max(values) / 1e3:.2f} s" if values else ""


def main(path: str) -> int:
    """Write the table of a file of figures into the page."""
    lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    head = [
        "| fault | show of | what the show does | back in | publishes again in | longest silence |",
        "|---|---|---|---|---|---|",
    ]
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{chr(10).join([*head, *rows_of(lines)])}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
