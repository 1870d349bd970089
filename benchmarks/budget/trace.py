"""Writes the way of every tick through every process as a Chrome trace, which ui.perfetto.dev shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.budget.tick_log import PicturePath, TickPath
from streaming.conventions import TICK_NS

PROCESSES = ("camera", "motion", "tokens", "sound", "speaker", "microphone", "hearing", "flow", "picture", "screen")
_US = 1_000.0


def chrome_trace(ticks: Iterable[TickPath], pictures: Iterable[PicturePath]) -> dict[str, Any]:
    """The trace as a JSON object in the Trace Event Format.

    Each stage is a process. A slice goes from the stamp before to the stage's own, so it has the message's way too.
    Arrows lead from slice to slice of one tick.
    """
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": number, "tid": 0, "args": {"name": name}}
        for number, name in enumerate(PROCESSES, 1)
    ]
    for tick in ticks:
        events += _way(f"f{tick.tick}", f"tick {tick.tick}", _tick_slices(tick))
    for picture in pictures:
        events += _way(f"r{picture.tick}", f"tick {picture.tick}", _picture_slices(picture))
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"clock": "monotonic"}}


def _tick_slices(tick: TickPath) -> list[tuple[str, int, int]]:
    """(process, begin, end) in ns of a tick on its way to the speaker."""
    stamps = tick.stamps
    if not {"camera", "motion", "tokens", "sound"} <= stamps.keys():
        return []
    slices = [("tokens", tick.latch_ns, stamps["tokens"]), ("sound", stamps["tokens"], stamps["sound"])]
    slices.append(("speaker", tick.dac_ns, tick.dac_ns + TICK_NS))
    if not tick.fresh:
        return slices
    return [("camera", tick.capture_ns, stamps["camera"]), ("motion", stamps["camera"], stamps["motion"]), *slices]


def _picture_slices(picture: PicturePath) -> list[tuple[str, int, int]]:
    names = ("microphone", "hearing", "flow", "picture")
    if not set(names) <= picture.stamps.keys() or not picture.capture_ns:
        return []
    ends = [picture.stamps[name] for name in names]
    begins = [picture.capture_ns, *ends[:-1]]
    slices = list(zip(names, begins, ends, strict=True))
    return [*slices, ("screen", ends[-1], max(ends[-1], picture.shown_ns))]


def _way(identity: str, name: str, slices: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """The slices of one tick, and the arrows between them."""
    events: list[dict[str, Any]] = []
    for place, (process, begin_ns, end_ns) in enumerate(slices):
        at = {"pid": PROCESSES.index(process) + 1, "tid": 1}
        span = {"ts": begin_ns / _US, "dur": max(0, end_ns - begin_ns) / _US}
        events.append({"name": name, "cat": "tick", "ph": "X", **at, **span})
        kind = "s" if place == 0 else "f" if place == len(slices) - 1 else "t"
        # An arrow is bound to the slice that it lies in.
        arrow = {"name": name, "cat": "way", "ph": kind, "id": identity, "ts": begin_ns / _US, **at}
        events.append({**arrow, "bp": "e"} if kind == "f" else arrow)
    return events
