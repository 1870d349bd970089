"""The view: plain lines where there is no terminal, a table where there is one, and never in the show's way."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import TextIO, cast

import pytest
from rich.console import Console

from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Health
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.telemetry.console import (
    METER_CELLS,
    StatusThread,
    TableDisplay,
    closing_lines,
    line_of,
    meter,
    open_view,
    render,
)
from streaming.telemetry.output import ViewOutput
from streaming.telemetry.report import Ending, ShowRecord, StageRecord
from streaming.telemetry.snapshot import Rates, ShowSnapshot, snapshot
from tests.unit.streaming.telemetry.records import S, performing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class WatchedDisplay:
    """A display that does what a test wants, and says when it was called."""

    period_ns, shows_setup = 1, False

    def __init__(self, fault: BaseException | None = None) -> None:
        self.fault = fault
        self.lines: list[str] = []
        self.draws = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def draw(self, now: ShowSnapshot) -> None:
        self.draws += 1
        self.entered.set()
        self.gate.wait(30)
        if self.fault is not None:
            raise self.fault

    def write(self, lines: list[str]) -> None:
        if self.fault is not None:
            raise self.fault
        self.lines += lines

    def close(self) -> None:
        if self.fault is not None:
            raise self.fault


def shown(record: ShowRecord, at_s: int = 12) -> ShowSnapshot:
    return snapshot(record, at_s * S, Rates())


def test_a_line_says_what_matters() -> None:
    line = line_of(shown(performing()))
    for text in ("12 s", "motion-to-sound p50 71", "concealed 2", "underruns 0", "camera 25.0"):
        assert text in line
    assert "sound-to-picture" not in line
    assert "silent" not in line


def test_a_show_of_music_to_video_says_its_own_latency_and_no_dashes() -> None:
    line = line_of(shown(performing("music-to-video")))
    assert line.startswith("12 s | sound-to-picture p50 71 p99 71 ms, pictures missed 3 | ")
    assert "motion-to-sound" not in line
    assert "–" not in line


def test_both_directions_are_in_the_line() -> None:
    line = line_of(shown(performing("both")))
    assert "motion-to-sound p50 71" in line
    assert "sound-to-picture p50 71" in line


def test_a_stage_that_is_not_well_is_in_the_line() -> None:
    record = performing()
    record.stages["camera"].state = "restarting"
    assert "camera:restarting" in line_of(shown(record))


def test_what_was_not_measured_is_a_dash() -> None:
    record = ShowRecord(show=Show(), stages={"speaker": StageRecord(PROCESSES["speaker"])})
    line = line_of(shown(record, 0))
    assert "p50 – p99 – ms" in line
    assert "underruns –" in line


def test_a_microphone_that_hears_nothing_is_said_after_a_while() -> None:
    record = performing("both")
    record.stages["microphone"].totals.gauges["level_db.max"] = -90.0
    assert "silent" not in line_of(shown(record, 5))
    assert "| silent: the microphone |" in line_of(shown(record))
    record.end_ns = 60 * S
    assert "silent: the microphone" in closing_lines(record)


@pytest.mark.parametrize(
    ("direction", "parts"),
    [
        ("video-to-music", ("camera performer:drums@3 → speaker auto", "motion-to-sound p50 71", "speaker     █")),
        ("music-to-video", ("microphone auto → screen auto", "sound-to-picture p50 71", "microphone  █")),
    ],
)
def test_the_table_shows_devices_stages_and_levels(direction: str, parts: tuple[str, ...]) -> None:
    record, out = performing(direction), io.StringIO()
    next(iter(record.stages.values())).info["backends"] = {"embedding": "onnxruntime"}
    next(iter(record.stages.values())).info["eyes"] = "published eyes"
    next(iter(record.stages.values())).info["playing"] = "drums (seen by the eyes)"
    Console(file=out, width=120).print(render(shown(record)))
    text = out.getvalue()
    for part in (
        *parts,
        "networks: onnxruntime  eyes: published eyes",
        "playing: drums (seen by the eyes)",
        "running",
        "25.0",
        "-12 dBFS",
        "Ctrl-C ends the show",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("level", "cells"), [(0.0, METER_CELLS), (-30.0, METER_CELLS // 2), (-90.0, 0), (None, 0), (6.0, 30)]
)
def test_the_meter_is_full_at_full_scale(level: float | None, cells: int) -> None:
    assert meter(level).count("█") == cells


def perform(out: TextIO, record: ShowRecord, late_notes: list[str]) -> None:
    """A show of 21 s whose last notes come when it has ended."""
    record.start_ns = None
    with open_view(quiet=False, stream=out) as view:
        view.update(record, 0)
        record.start_ns = 0
        for at in (10 * S, 20 * S):
            view.update(record, at)
        record.end_ns = 21 * S
        record.notes.extend(late_notes)
        view.finish(record, Ending(0))


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_every_note_is_said_once_before_the_closing_lines(out: io.StringIO) -> None:
    perform(out, performing(), ["screen: the film is empty", "camera: it is started again"] + ["twice"] * 2)
    text = out.getvalue()
    for note, count in {"no webcam": 1, "the film is empty": 1, "started again": 1, "twice": 2}.items():
        assert text.count(note) == count, note
    assert text.index("twice") < text.index("21.0 s performed")


def test_of_more_notes_than_twenty_none_is_lost() -> None:
    out, record = io.StringIO(), performing()
    perform(out, record, [f"note number {number}." for number in range(150)])
    assert all(out.getvalue().count(f"note number {number}.") == 1 for number in range(150))


def test_nothing_is_written_before_the_performance_begins() -> None:
    out, record = io.StringIO(), performing()
    record.start_ns = None
    with open_view(quiet=True, stream=out) as view:
        view.update(record, 0)
        view.update(record, 10 * S)
    assert out.getvalue() == ""


def test_what_went_wrong_is_said_also_where_no_performance_began() -> None:
    out, record = io.StringIO(), performing()
    record.start_ns = None
    with open_view(quiet=True, stream=out) as view:
        view.finish(record, Ending(1, "camera: was killed"))
    assert out.getvalue() == "no webcam was found\n"


def test_a_users_error_leaves_the_output_clean() -> None:
    for out in (io.StringIO(), Terminal()):
        record = ShowRecord(show=Show())
        record.notes.append("no webcam was found")
        with open_view(quiet=False, stream=out) as view:
            view.finish(record, Ending(2, "camera 7: cannot be opened"))
        assert out.getvalue() == ""


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_terminal_without_arrows_and_blocks_shows_the_show(encoding: str) -> None:
    read, write = os.pipe()
    with ViewOutput(write, encoding) as out:
        perform(cast(TextIO, out), performing("both"), [])
    text = os.fdopen(read, encoding=encoding).read()
    assert "camera performer:drums@3 -> speaker auto" in text
    assert "21.0 s performed" in text


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_a_latin_1_terminal_shows_the_table() -> None:
    terminal, end = os.openpty()
    with ViewOutput(end, "latin-1") as out:
        assert out.isatty()
        display = TableDisplay(cast(TextIO, out))
        display.draw(shown(performing("both")))
        display.write(["a note → above the table"])
        display.close()
        text = os.read(terminal, 65_536).decode("latin-1")
    os.close(terminal)
    for part in ("Ctrl-C ends the show", "-> speaker auto", "####", "a note -> above"):
        assert part in text


def test_a_stream_that_lacks_characters_shows_the_show() -> None:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding="latin-1")
    perform(out, performing("both"), [])
    assert b"camera performer:drums@3 -> speaker auto" in data.getvalue()


@pytest.mark.parametrize("fault", [OSError("gone"), ValueError("closed"), UnicodeError("no such character")])
def test_a_view_that_fails_fails_alone(fault: Exception) -> None:
    display = WatchedDisplay(fault)
    view, record = StatusThread(display), performing()
    for turn in range(100):
        view.update(record, S + turn)
    view.finish(record, Ending(0))
    view.close()
    assert display.lines == []


def test_a_pipe_that_closes_is_nobodys_trouble() -> None:
    read, write = os.pipe()
    os.close(read)
    with ViewOutput(write, "utf-8") as out:
        perform(cast(TextIO, out), performing(), ["a note"])


def test_a_closed_stream_is_nobodys_trouble() -> None:
    out = io.StringIO()
    out.close()
    perform(out, performing(), ["a note"])


def test_a_blocked_terminal_blocks_nobody() -> None:
    display = WatchedDisplay()
    display.gate.clear()
    view, record = StatusThread(display), performing()
    view.update(record, S)
    assert display.entered.wait(10)
    for turn in range(1_000):
        view.update(record, S + 2 * turn)
    assert display.draws == 1
    display.gate.set()
    view.close()


def test_the_closing_lines_name_the_film_and_the_restarts(tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    film.write_bytes(b"x")
    record = performing()
    record.end_ns = 60 * S
    record.stages["camera"].restarts, record.stages["motion"].restarts = 2, 1
    recorder = record.stages["recorder"] = StageRecord(PROCESSES["recorder"], info={"film": str(film)})
    record.stolen_percent = 4.6
    record.stages["motion"].info["eyes"] = "published eyes"
    record.stages["tokens"].info["playing"] = "air (seen by the eyes)"
    words = "\n".join(closing_lines(record))
    assert "eyes: published eyes" in words.splitlines()
    assert "playing: air (seen by the eyes)" in words.splitlines()
    assert "5 % of the cores' time" in words
    assert "60.0 s performed; motion-to-sound p50 71 p99 71 ms" in words
    assert "camera performer:drums@3 → speaker auto" in words
    assert "started again: camera 2 times, motion once" in words
    assert words.endswith(f"film: {film}")
    recorder.totals.counters.update(frames=990, drops=10)
    assert closing_lines(record)[-1] == f"film: {film}", "a few are not missed"
    recorder.totals.counters.update(frames=302, drops=198)
    assert f"film: {film} (302 of 500 pictures" in closing_lines(record)[-1]
    recorder.totals.counters.update(stopped_early=1)
    assert closing_lines(record)[-1] == f"film: {film} (it ends before the show did, see above)", "the disk was full"


def test_a_file_is_named_only_if_it_is_there(tmp_path: Path) -> None:
    film, report = tmp_path / "a.mp4", tmp_path / "r.json"
    record = performing()
    record.show = Show(report=str(report))
    record.end_ns = 60 * S
    for path in (str(film), "none", "", "a\0b"):
        record.stages["recorder"] = StageRecord(PROCESSES["recorder"], info={"film": path})
        assert not [line for line in closing_lines(record) if line.startswith(("film", "report"))]
    film.touch()
    record.stages["recorder"].info["film"] = str(film)
    assert not [line for line in closing_lines(record) if line.startswith("film")], "an empty file is no film"
    film.write_bytes(b"x")
    record.report_written = True
    assert closing_lines(record)[-2:] == [f"film: {film}", f"report: {report}"]


def test_a_camera_that_runs_on_its_own_clock_shows_its_phase_and_its_stamps() -> None:
    record = performing()
    assert "phase" not in render(snapshot(record, 3 * S, Rates())).plain
    camera = record.stages["camera"]
    camera.info["stamps"] = "arrival"
    assert "camera phase – ms, drift – ppm, stamps: arrival\n" in render(snapshot(record, 3 * S, Rates())).plain
    gauges = {"camera_phase_ms": 12.34, "camera_drift_ppm": 35.2, "stamp_delay_ms": 31.4}
    camera.info["stamps"] = "driver"
    camera.totals.add(Health(stage="camera", gauges=gauges))
    line = "camera phase 12.3 ms, drift +35 ppm, stamps: driver, 31 ms before the arrival"
    assert line in render(snapshot(record, 3 * S, Rates())).plain
    assert line in closing_lines(record)


def test_what_is_given_up_under_load_is_shown_while_it_is_and_summed_up_at_the_end() -> None:
    record = performing("both")
    assert "given up" not in line_of(shown(record)) + render(shown(record)).plain
    record.load.change(LoadLevel.PICTURE_QUALITY, 10.0)
    record.load.change(LoadLevel.PICTURE_RATE, 12.5)
    assert " | given up: picture quality, every second picture | " in line_of(shown(record))
    assert "\ngiven up: picture quality, every second picture\n" in render(shown(record)).plain
    record.load.change(LoadLevel.FULL, 20.0)
    assert "given up" not in line_of(shown(record))
    record.end_ns = 60 * S
    assert "given up under load: picture quality for 10.0 s, every second picture for 7.5 s" in closing_lines(record)
