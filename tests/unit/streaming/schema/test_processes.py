"""The process table: columns that belong together, and settings and topics that exist."""

from __future__ import annotations

import importlib.util

import pytest

from streaming.schema.messages import TOPICS
from streaming.schema.processes import ANY, PROCESSES, Count, Process, Rate, may_see_screen, processes_of
from streaming.settings.config import Show

ROWS = list(PROCESSES.values())
DIRECTIONS = ("video-to-music", "music-to-video")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_refers_to_what_there_is(row: Process) -> None:
    assert importlib.util.find_spec(row.module) is not None
    assert {*row.inputs, *((row.output,) if row.output else ())} <= set(TOPICS)
    assert {*row.wakes_on, *row.awaits, *row.room_inputs} <= set(row.inputs)
    assert {*row.directions, *row.essential_to, *row.clock_of} <= set(ANY)
    assert {row.source_of, row.output_of} <= {"", *DIRECTIONS}
    for setting in filter(None, (row.needs, row.device)):
        assert hasattr(Show(), setting)
    if row.ends_show is not None:
        assert set(row.ends_show.directions) <= set(ANY)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_direction_has_one_source_one_output_one_clock_and_one_latency(direction: str) -> None:
    rows = processes_of(direction)
    (source,) = [row for row in rows if row.source_of == direction]
    (output,) = [row for row in rows if row.output_of == direction]
    assert source.device
    assert output.device
    assert output.latency
    assert output.counts is not None
    assert len([row for row in rows if direction in row.clock_of]) == 1
    assert [row.latency for row in rows if row.latency] == [output.latency]


def test_what_the_report_has_one_of_is_measured_once() -> None:
    assert [row.name for row in ROWS if row.rate is Rate.TOKENS] == ["tokens"]
    for count in Count:
        assert len([row for row in ROWS if row.counts is count]) == 1
    assert len([row for row in ROWS if "both" in row.clock_of]) == 1


@pytest.mark.parametrize(
    ("camera", "sees"),
    [("auto", True), ("0", True), ("rtsp://a/b", True), ("performer:drums", False), ("a.mp4", False)],
)
def test_only_a_real_camera_may_see_the_screen(camera: str, sees: bool) -> None:
    assert may_see_screen(camera) is sees
