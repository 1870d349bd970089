"""The status of a show tells to which cues its stages went, summed up over their heartbeats."""

from __future__ import annotations

from streaming.schema.messages import Health
from streaming.schema.processes import PROCESSES
from streaming.telemetry.report import StageRecord
from streaming.telemetry.snapshot import Rates
from streaming.telemetry.status import status_of
from tests.unit.streaming.telemetry.records import S, performing


def test_cues_are_counted_by_stage_with_the_newest_place() -> None:
    record = performing()
    assert status_of(record, 2 * S, Rates(), 0)["cues"] == {}
    stage = record.stages["timecode"] = StageRecord(PROCESSES["timecode"], state="running")
    stage.totals.add(Health(stage="timecode", counters={"cues": 2}, gauges={"cue": 3.0}))
    stage.totals.add(Health(stage="timecode", counters={"cues": 1}, gauges={"cue": 1.0}))
    stage.totals.add(Health(stage="timecode", gauges={"cue": 1.0}))
    assert status_of(record, 2 * S, Rates(), 0)["cues"] == {"timecode": [3, 1]}


def test_the_devices_are_those_in_use_now() -> None:
    record = performing()
    record.stages["speaker"].info["device"] = "USB Audio (ALSA)"
    assert status_of(record, 2 * S, Rates(), 0)["devices"]["speaker"] == "USB Audio (ALSA)"
    record.stages["speaker"].info["device"] = "none"
    assert status_of(record, 2 * S, Rates(), 0)["devices"]["speaker"] == "none"
