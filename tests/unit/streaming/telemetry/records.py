"""Records of shows that never were, for the tests of what is made of them."""

from __future__ import annotations

from streaming.schema.messages import Health
from streaming.schema.processes import PROCESSES, processes_of
from streaming.settings.config import Show
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.report import ShowRecord, StageRecord

S = 1_000_000_000


def counted(name: str, **counters: int) -> StageRecord:
    """A stage that has counted."""
    stage = StageRecord(PROCESSES[name], state="running", reported=True)
    stage.totals.add(Health(stage=name, counters=counters))
    return stage


def performing(direction: str = "video-to-music") -> ShowRecord:
    """A show of a direction in which every stage works, with one note."""
    record = ShowRecord(show=Show(direction=direction), start_ns=0)
    for row in processes_of(direction):
        if row.needs:
            continue
        stage = record.stages[row.name] = StageRecord(row, state="running", reported=True)
        stage.first, stage.last = (0, S), (25, 2 * S)
        metrics = Metrics()
        if row.latency:
            metrics.observe(row.latency, 71.0)
        if row.has_level:
            metrics.gauge("level_db", -12.0, peak=True)
        stage.totals.add(metrics.take(row.name))
    if "speaker" in record.stages:
        record.stages["speaker"].totals.add(Health(stage="speaker", counters={"ticks.concealed": 2}))
        record.stages["camera"].info["device"] = "performer:drums@3"
    if "screen" in record.stages:
        record.stages["screen"].totals.add(
            Health(stage="screen", counters={"pictures_missed": 3, "pictures_shown": 200})
        )
    record.notes.append("no webcam was found")
    return record
