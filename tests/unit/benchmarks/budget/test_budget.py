"""Segments add up to the latency, a trace has every tick in every process, and the page tells where the time goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.budget.command import budget_show, evaluate, make_page
from benchmarks.budget.segments import FORWARD, REVERSE, cut_picture, cut_tick
from benchmarks.budget.tick_log import TickLog
from benchmarks.budget.trace import PROCESSES, chrome_trace
from benchmarks.result_files import to_html
from streaming.schema.messages import Screen, Sound, Speaker, Tokens
from streaming.settings.config import Show

MS = 1_000_000
TICK = 40 * MS


def log_of(ticks: int) -> TickLog:
    """A show in which every segment is known."""
    log = TickLog()
    for tick in range(ticks):
        begin = 1_000 * MS + tick * TICK
        stamps = {"camera": begin + 1 * MS, "motion": begin + 11 * MS}
        tokens = Tokens(
            tick=tick,
            frames=np.zeros((4, 2), np.int16),
            fresh=True,
            capture_ns=begin,
            latch_ns=begin + 20 * MS,
            stamps={**stamps, "tokens": begin + 24 * MS},
        )
        log.take(tokens)
        stamps = {**tokens.stamps, "sound": begin + 26 * MS}
        log.take(Sound(tick=tick, pcm=np.zeros(1280, np.float32), capture_ns=begin - 1 * MS, stamps=stamps))
        log.take(Speaker(tick=tick, dac_ns=begin + 51 * MS))
        names = ("microphone", "hearing", "flow", "picture")
        stamps = {name: begin + TICK + (place + 1) * 3 * MS for place, name in enumerate(names)}
        log.take(Screen(tick=tick, shown_ns=begin + TICK + 13 * MS, capture_ns=begin, stamps=stamps))
    return log


def report(latency_ms: float = 6.0) -> dict[str, object]:
    summary = {"n": 1, "p50": 53.0, "p95": 53.0, "p99": 53.0, "max": 53.0}
    return {
        "host": {"cpu": "x", "cores": 2, "gpu": None, "system": "y"},
        "camera": "performer",
        "direction": "both",
        "fps": {"camera": 25.0},
        "stages": {"speaker": {"info": {"samplerate": 48_000, "latency_ms": latency_ms}}},
        "motion_to_sound_ms": summary,
        "sound_to_picture_ms": summary,
        "stolen_percent": 0.0,
    }


def test_a_ticks_segments_add_up_to_what_the_report_calls_its_latency() -> None:
    (tick,) = log_of(1).ticks()
    parts = cut_tick(tick, 5 * MS, 1 * MS)
    assert parts == [1.0, 10.0, 9.0, 4.0, 2.0, 20.0, 5.0, 2.0]
    assert parts is not None
    assert len(parts) == len(FORWARD)
    assert sum(parts) == pytest.approx((tick.dac_ns + 1 * MS - tick.sound_capture_ns) / MS)


def test_a_pictures_segments_add_up_and_one_without_all_stamps_is_none() -> None:
    (picture,) = log_of(1).pictures
    parts = cut_picture(picture)
    assert parts == [40.0, 3.0, 3.0, 3.0, 3.0, 1.0]
    assert len(REVERSE) == 6
    del picture.stamps["flow"]
    assert cut_picture(picture) is None


def test_a_tick_of_which_something_is_missing_is_not_cut() -> None:
    log = TickLog()
    log.take(Speaker(tick=3, dac_ns=1))
    assert log.ticks() == []


def test_the_result_has_the_settled_ticks_and_the_page_shows_it() -> None:
    found = evaluate(log_of(100), report())
    assert found["forward"]["sum"]["n"] == 25, "the first three seconds are left out"
    assert found["forward"]["sum"]["p50"] == pytest.approx(53.0)
    assert [row["ms"]["p50"] for row in found["forward"]["segments"]] == [1.0, 10.0, 9.0, 4.0, 2.0, 20.0, 5.0, 2.0]
    assert found["reverse"]["sum"]["p50"] == pytest.approx(53.0)
    text = to_html(make_page(found))
    assert "the decoder makes sound" in text
    assert "0 to 40 ms" in text


def test_a_trace_has_each_tick_in_each_process_and_arrows_that_begin_and_end(tmp_path: Path) -> None:
    log = log_of(10)
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(chrome_trace(log.ticks(), log.pictures)))
    events = json.loads(path.read_text())["traceEvents"]
    names = {event["pid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert list(names.values()) == list(PROCESSES)
    for process in PROCESSES:
        slices = [event for event in events if event["ph"] == "X" and names[event["pid"]] == process]
        assert len(slices) == 10, process
        assert all(event["dur"] >= 0.0 for event in slices)
    motion = next(event for event in events if event["ph"] == "X" and names[event["pid"]] == "motion")
    assert (motion["ts"], motion["dur"]) == (1_001_000.0, 10_000.0), "microseconds"
    assert sum(event["ph"] == "s" for event in events) == sum(event["ph"] == "f" for event in events) == 20


def test_the_show_needs_no_device_and_keeps_what_was_chosen(tmp_path: Path) -> None:
    plain = budget_show(Show(), 8.0, tmp_path)
    assert (plain.camera, plain.speaker, plain.microphone, plain.screen) == ("performer", "none", "none", "none")
    assert plain.duration_s == 8.0
    assert budget_show(Show(camera="0", speaker="3"), 8.0, tmp_path).camera == "0"
