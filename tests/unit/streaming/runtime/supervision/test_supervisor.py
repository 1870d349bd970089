"""How a show begins, and what of the system's errors it outlives."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.schema.messages import (
    Failed,
    Finished,
)
from streaming.telemetry.report import Ending
from tests.unit.streaming.runtime.supervision.virtual_show import (
    SETUP_NS,
    S,
    World,
    starts,
    supervisor,
    table,
)


def test_start_is_said_once_all_are_ready_and_the_speaker_ends_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.at(20.0, lambda: world.of("speaker").say(Finished(stage="speaker", reason="duration played")))
    assert show.run() == Ending(0)
    assert all(len(starts(world, row.name)) == 1 for row in table())
    assert show.record.start_ns is not None
    assert show.record.start_ns >= 100 * S + SETUP_NS
    assert show.record.duration_s() == pytest.approx(19.5, abs=0.1)
    assert all(child.status == 0 for child in world.children)
    # Six messages for each beat, which this world sees every 260 ms.
    assert show.record.stages["camera"].rate_hz() == pytest.approx(6 / 0.26, abs=0.1)


def test_a_users_error_in_setup_ends_all_with_its_line(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    line = "camera 7: cannot be opened; plug it in"
    world.at(0.2, lambda: world.of("camera").say(Failed(stage="camera", line=line, exit_code=2)))
    assert show.run() == Ending(2, line)
    assert show.record.start_ns is None
    assert all(child.status is not None for child in world.children)


def test_what_a_stage_said_counts_also_where_its_end_is_seen_before_it_is_read(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    line = "camera 7: cannot be opened; plug it in"
    world.at(0.2, lambda: setattr(world.of("camera"), "status", 2))
    world.at(0.5, lambda: world.of("camera").say(Failed(stage="camera", line=line, exit_code=2)))
    assert show.run() == Ending(2, line)
    assert show.record.stages["camera"].restarts == 0


def test_a_process_that_the_system_refuses_is_tried_again(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(4.9, lambda: setattr(world, "refusals", 8))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert (sound.restarts, sound.state) == (1, "closed")
    assert sound.recovery_ms == [pytest.approx(2_600, abs=200)]
    notes = [note for note in show.record.notes if "refuses" in note]
    assert notes == ["sound: the system refuses a process for it (Too many open files); it is tried again"]


def test_a_process_that_is_refused_from_the_beginning_ends_the_show_with_a_line(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.refusals = 1_000
    ending = show.run()
    assert ending.code == 1
    assert "ulimit" in ending.line


def test_a_defect_of_the_supervisor_is_an_ending_and_leaves_nothing(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)

    def fail() -> None:
        raise KeyError("a defect")

    world.at(5.0, fail)
    ending = show.run()
    assert ending.code == 1
    assert "KeyError" in ending.line
    assert show.record.end_ns is not None
    assert all(child.status is not None for child in world.children)


def test_errors_of_the_system_in_the_supervisor_do_not_end_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=10.0)

    def fail() -> None:
        raise OSError(24, "Too many open files")

    for at in (3.0, 4.0, 5.0):
        world.at(at, fail)
    world.at(10.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run() == Ending(0)
    assert sum("Too many open files" in note for note in show.record.notes) == 1
