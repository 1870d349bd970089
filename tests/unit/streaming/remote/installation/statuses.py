"""A status of a show, as the supervisor gives it."""

from __future__ import annotations

from typing import Any

from streaming.schema.messages import Health
from streaming.schema.processes import processes_of
from streaming.settings.config import Show
from streaming.telemetry.report import ShowRecord, StageRecord
from streaming.telemetry.snapshot import Rates
from streaming.telemetry.status import status_of


def status(started: bool = True, /, **states: str) -> dict[str, Any]:
    """Of a show in both directions that has run for 12 s; states of stages by their names."""
    record = ShowRecord(show=Show(), start_ns=1_000_000_000 if started else None)
    for process in processes_of("both"):
        if process.needs in ("", "console"):
            record.stages[process.name] = StageRecord(process, state=states.get(process.name, "running"))
    speaker = record.stages["speaker"]
    speaker.reported, speaker.restarts, speaker.cpu_percent, speaker.rss_mb_end = True, 2, 12.5, 150.0
    speaker.totals.add(
        Health(stage="speaker", counters={"underruns": 3, "ticks.concealed": 4}, gauges={"level_db": -18.5})
    )
    record.notes.append("a note")
    return status_of(record, 13_000_000_000, Rates(), 0)
