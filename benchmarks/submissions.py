"""The command `bench submit`: one file with this machine's results; and a table of such files for the docs.

`python -m benchmarks.submissions FILE...` prints the table in Markdown, the fastest machine first.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.result_files import text_of
from streaming.errors import UserError
from streaming.settings.options import Command
from streaming.system.host_info import describe_host
from streaming.telemetry.report import version
from streaming.timing import clock

SCHEMA = 1
RESULTS = ("latency", "budget", "soak", "soak-virtual", "compare")
HEAD = (
    "machine",
    "camera, audio period",
    "motion-to-sound p50, p99",
    "light to onset p50",
    "sound to picture p50, p99",
    "floor",
    "version",
)


def submit(command: Command) -> int:
    """Gather the results that lie in the folder, and write one file.

    Returns:
        0.

    Raises:
        UserError: when there is no result yet.
    """
    folder = Path(command.out)
    results = gather(folder)
    if not results:
        raise UserError("there is no result yet", f"bench submit --out {folder}", "run bench latency first")
    host = describe_host()
    found = {"schema": SCHEMA, "submission": clock.wall_text(), "version": version(), "host": host, "results": results}
    name = re.sub(r"[^a-z0-9]+", "-", str(host["cpu"]).lower()).strip("-")[:40] or "machine"
    path = folder / f"antiphon-bench-{name}-{host['cores']}.json"
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")
    sys.stdout.write(f"written: {path} ({', '.join(results)}); it holds no name, no path and no recording\n")
    return 0


def gather(folder: Path) -> dict[str, Any]:
    """The newest result of each benchmark in a folder; the show's notes, which may hold names, are left out."""
    results = {}
    for kind in RESULTS:
        try:
            found = json.loads((folder / f"bench-{kind}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and found.get("bench") == kind:
            found.get("report", {}).pop("notes", None)
            results[kind] = without_paths(found)
    return results


def without_paths(value: Any) -> Any:
    """A JSON value in which every text that is a path is its last part only."""
    if isinstance(value, dict):
        return {name: without_paths(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_paths(part) for part in value]
    if isinstance(value, str) and (match := re.fullmatch(r"(file:)?(?:[A-Za-z]:)?[/\\\\].*", value)):
        return (match[1] or "") + re.split(r"[/\\\\]", value)[-1]
    return value


def table(submissions: Sequence[dict[str, Any]]) -> list[str]:
    """Submissions with a latency result as a table in Markdown, the shortest motion-to-sound first."""
    rows = [row for found in submissions if (row := _row(found)) is not None]
    rows.sort(key=lambda row: row[0])
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|" + "---:|" * (len(HEAD) - 3) + "---|"]
    return lines + [f"| {' | '.join(cells)} |" for _, cells in rows]


def _row(found: dict[str, Any]) -> tuple[float, tuple[str, ...]] | None:
    latency = found.get("results", {}).get("latency")
    if not latency:
        return None
    forward, reverse, floor = latency["forward"], latency["reverse"], latency["floor"]
    host, conditions = found["host"], latency["conditions"]
    first = forward["frame_to_sound_ms"] if forward else {}
    cells = (
        f"{host['cpu']}, {host['cores']} cores, {host['gpu'] or 'no GPU'}",
        f"{conditions['camera']}, {conditions['audio_period_frames']} at {conditions['audio_rate_hz']} Hz",
        _pair(first),
        text_of(forward["onset_ms"]["p50"]) if forward else "–",
        _pair(reverse["changed_ms"] if reverse else {}),
        text_of(floor["forward"]["changed_ms"]["p50"]) if floor else "–",
        text_of(found["version"]),
    )
    middle = first.get("p50")
    return float("inf") if middle is None else float(middle), tuple(cell.replace("|", "/") for cell in cells)


def _pair(summary: dict[str, Any]) -> str:
    return f"{text_of(summary.get('p50'))}, {text_of(summary.get('p99'))}"


def main(files: Sequence[str]) -> int:
    """Print the table of some files.

    Returns:
        0; 2 for a file that is no submission.
    """
    found = []
    for name in files:
        try:
            one = json.loads(Path(name).read_text(encoding="utf-8"))
            found.append({**one, "host": one["host"], "results": one["results"]})
        except (OSError, ValueError, KeyError, TypeError):
            print(f"{name}: is no file of bench submit", file=sys.stderr)
            return 2
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
