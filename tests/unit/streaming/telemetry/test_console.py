"""The view: plain lines where there is no terminal, a table where there is one, and never in the loop's way."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from streaming.settings.config import Show
from streaming.telemetry.console import (
    METER_CELLS,
    Rates,
    StatusThread,
    closing_lines,
    line_of,
    meter,
    open_view,
    render,
    snapshot,
)
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.report import Ending, ShowRecord, StageRecord

S = 1_000_000_000


def playing() -> ShowRecord:
    record = ShowRecord(show=Show(direction="video-to-music"), start_ns=0)
    for name in ("camera", "speaker"):
        stage = record.stages[name] = StageRecord(name, state="running", reported=True)
        stage.first, stage.last = (0, S), (25, 2 * S)
    metrics = Metrics()
    metrics.observe("motion_to_sound_ms", 71.0)
    metrics.count("ticks.concealed", 2)
    metrics.gauge("level_db", -12.0)
    record.stages["speaker"].totals.add(metrics.take("speaker"))
    record.stages["camera"].info["camera"] = "performer:drums@3"
    record.notes.append("no webcam was found")
    return record


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_says_what_matters() -> None:
    line = line_of(snapshot(playing(), 12 * S, Rates()))
    for text in ("12 s", "p50 71", "concealed 2", "underruns 0", "camera 25.0"):
        assert text in line


def test_a_stage_that_is_not_well_is_in_the_line() -> None:
    record = playing()
    record.stages["camera"].state = "restarting"
    assert "camera:restarting" in line_of(snapshot(record, 12 * S, Rates()))


def test_what_was_not_measured_is_a_dash() -> None:
    record = ShowRecord(show=Show())
    record.stages["speaker"] = StageRecord("speaker")
    line = line_of(snapshot(record, 0, Rates()))
    assert "p50 – p99 – ms" in line
    assert "underruns –" in line


def test_the_table_shows_stages_levels_and_notes() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(render(snapshot(playing(), 12 * S, Rates())))
    text = out.getvalue()
    for part in ("performer:drums@3", "camera", "running", "25.0", "-12 dBFS", "no webcam was found"):
        assert part in text


@pytest.mark.parametrize(
    ("level", "cells"), [(0.0, METER_CELLS), (-30.0, METER_CELLS // 2), (-90.0, 0), (None, 0), (6.0, 30)]
)
def test_the_meter_is_full_at_full_scale(level: float | None, cells: int) -> None:
    assert meter(level).count("█") == cells


def test_the_rate_shown_is_the_newest() -> None:
    record, rates = playing(), Rates()
    stage = record.stages["camera"]
    rates.of(stage)
    stage.last = (25 + 20, 4 * S)
    assert rates.of(stage) == pytest.approx(10.0)


def test_plain_lines_say_each_note_once_and_nothing_before_the_start() -> None:
    out = io.StringIO()
    record = playing()
    record.start_ns = None
    with open_view(quiet=False, stream=out) as view:
        drawn = threading.Event()
        inner = view._draw

        def draw(seen: object) -> None:
            inner(seen)  # type: ignore[arg-type]
            drawn.set()

        view._draw = draw  # type: ignore[assignment]
        for at in (0, 10 * S, 20 * S):
            drawn.clear()
            view.update(record, at)
            assert drawn.wait(10)
            if at == 0:
                assert out.getvalue() == ""
            record.start_ns = 0
        record.end_ns = 21 * S
        view.finish(record, Ending(0))
    text = out.getvalue()
    assert text.count("no webcam was found") == 1
    assert text.count(" | ") >= 2
    assert text.splitlines()[-1].startswith("21.0 s performed")


def test_a_users_error_leaves_the_output_clean() -> None:
    for out in (io.StringIO(), Terminal()):
        record = ShowRecord(show=Show())
        with open_view(quiet=False, stream=out) as view:
            view.finish(record, Ending(2, "camera 7: cannot be opened"))
        assert "performed" not in out.getvalue()


def test_a_blocked_terminal_blocks_nobody() -> None:
    blocked, entered = threading.Event(), threading.Event()

    def draw(seen: object) -> None:
        entered.set()
        blocked.wait(30)

    status = StatusThread(draw, period_ns=1)
    record = playing()
    status.update(record, S)
    assert entered.wait(10)
    for turn in range(1_000):
        status.update(record, S + 2 * turn)
    blocked.set()
    status.close()


def test_the_last_words_name_the_film_and_the_restarts() -> None:
    record = playing()
    record.end_ns = 60 * S
    record.stages["camera"].restarts = 2
    record.stages["recorder"] = StageRecord("recorder", info={"film": "recordings/a.mp4"})
    record.stolen_percent = 4.6
    words = "\n".join(closing_lines(record))
    assert "5 % of the time" in words
    assert "60.0 s performed" in words
    assert "camera 2 times" in words
    assert words.endswith("film: recordings/a.mp4")
    record.stages["recorder"].totals.counters.update(frames=990, drops=10)
    assert closing_lines(record)[-1] == "film: recordings/a.mp4", "a few are not missed"
    record.stages["recorder"].totals.counters.update(frames=302, drops=198)
    assert "film: recordings/a.mp4 (302 of 500 pictures" in closing_lines(record)[-1]
