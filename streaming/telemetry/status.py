"""How a show is, in plain values that travel: what the supervisor answers to those who ask from outside."""

from __future__ import annotations

from typing import Any

import msgspec

from streaming.telemetry.report import LATENCIES, ShowRecord, latency_of
from streaming.telemetry.snapshot import Rates, snapshot

MOST_NOTES = 40
"""Of the lines for the user, the newest are told."""
CUES_GONE, CUE_PLACE = "cues", "cue"
"""Counter of the cues that a stage has gone to, and gauge of the newest one's place, counted from 1."""


def status_of(record: ShowRecord, now_ns: int, rates: Rates, notes_had: int) -> dict[str, Any]:
    """The state of a show.

    Args:
        record: what the supervisor recorded.
        now_ns: the time.
        rates: of those who ask, kept from one call to the next.
        notes_had: how many of the lines for the user are known to who asks.

    Returns:
        The fields of `ShowSnapshot`, and `latency`: direction -> n, p50, p95, p99, max in ms; `notes`: the newest lines
        after those that are known; `notes_count`: how many there were; `film`: the film that is recorded, or was
        last, `film_mb`: how large it is; `report`: the file of the report, "" for none; `bundle`, `direction`;
        `devices`: setting -> the device that is in use now;
        `cues`: stage -> how many cues it has gone to, and the newest one's place, counted from 1.
    """
    film = next((stage for stage in record.stages.values() if stage.process.leaves), None)
    leaves = film.process.leaves if film is not None else ""
    status: dict[str, Any] = msgspec.to_builtins(snapshot(record, now_ns, rates))
    return {
        **status,
        "latency": {key: figures for key in LATENCIES if (figures := latency_of(record, key))["n"]},
        "notes": record.notes.since(max(notes_had, record.notes.count - MOST_NOTES)),
        "notes_count": record.notes.count,
        "film": str(film.info.get(leaves, "")) if film is not None else "",
        "film_frames": film.totals.counter("frames") if film is not None else 0,
        "film_mb": film.totals.gauges.get("film_mb") if film is not None else None,
        "film_drops": film.totals.counter("drops") if film is not None else 0,
        "report": record.show.report,
        "bundle": record.show.bundle,
        "direction": record.show.direction,
        "devices": {
            stage.process.device: str(stage.info["device"])
            for stage in record.stages.values()
            if stage.process.device and "device" in stage.info
        },
        "cues": {
            name: [gone, round(stage.totals.gauges.get(CUE_PLACE, 0.0))]
            for name, stage in record.stages.items()
            if (gone := stage.totals.counter(CUES_GONE))
        },
    }
