"""Whether the show is well, for programs that watch over it: 200 or 503, and why, as JSON."""

from __future__ import annotations

from typing import Any

from streaming.remote.installation.metrics_page import RUNNING, Status
from streaming.schema.processes import PROCESSES

WELL, UNWELL = 200, 503


def health_of(status: Status | None) -> tuple[int, dict[str, Any]]:
    """The health of a show.

    Args:
        status: the show's, None where the supervisor does not answer.

    Returns:
        The HTTP status, and the JSON object: `status` is "ok", "degraded" (something is missing that the show goes on
        without), "failing" (music or pictures are missing), "starting" or "unknown"; `problems` says what is missing.
    """
    if status is None:
        return UNWELL, {"status": "unknown", "problems": ["the supervisor does not answer"]}
    elapsed_s = status.get("elapsed_s")
    rows = list(status.get("rows", ()))
    wrong = {row["name"]: row["state"] for row in rows if row["state"] not in RUNNING}
    missing = [name for name in wrong if name in PROCESSES and PROCESSES[name].essential_to]
    word = "starting" if elapsed_s is None else "failing" if missing else "degraded" if wrong else "ok"
    return (WELL if word in ("ok", "degraded") else UNWELL), {
        "status": word,
        "problems": [f"{name}: {state}" for name, state in wrong.items()],
        "elapsed_s": None if elapsed_s is None else round(elapsed_s, 1),
        "direction": status.get("direction", ""),
        "stages": {row["name"]: row["state"] for row in rows},
        "restarts": {row["name"]: row["restarts"] for row in rows if row["restarts"]},
    }
