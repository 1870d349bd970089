"""How a show ends: its clock, its hours, its user, and what does not close."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streaming.runtime.children.spawner import Spawner
from streaming.runtime.supervision.supervisor import Supervisor
from streaming.schema.messages import (
    Finished,
)
from streaming.schema.processes import EndOfShow, Process
from streaming.settings.config import Links, Show
from streaming.settings.validation import with_control
from streaming.telemetry.report import Ending, ShowRecord
from tests.unit.streaming.runtime.supervision.virtual_show import (
    S,
    World,
    plain_row,
    supervisor,
    table,
)


@pytest.mark.parametrize(("duration_s", "ends"), [(None, True), (20.0, False)])
def test_the_end_of_a_film_ends_a_show_without_a_duration(tmp_path: Path, duration_s: float | None, ends: bool) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=duration_s)
    world.at(5.0, lambda: world.of("camera").say(Finished(stage="camera", reason="the file ended")))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert (show.record.duration_s() or 0.0) == pytest.approx(4.9 if ends else 20.0, abs=0.2)


def test_an_interrupt_ends_politely_and_an_early_one_is_no_performance(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)
    world.at(5.0, show.interrupt)
    assert show.run() == Ending(0)
    world = World()
    show = supervisor(world, tmp_path)
    world.at(0.1, show.interrupt)
    assert show.run().code == 1
    assert all(child.status is not None for child in world.children)


def test_a_speaker_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    world = World()
    ending = supervisor(world, tmp_path, duration_s=5.0).run()
    assert ending.code == 1
    assert "did not end" in ending.line


def test_a_stage_that_does_not_close_is_killed_and_said_so(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path)

    def stick() -> None:
        world.of("sound").hung = True
        show.interrupt()

    world.at(5.0, stick)
    ending = show.run()
    assert ending.code == 1
    assert "sound" in ending.line
    assert (world.of("sound").status, world.of("sound").dumps) == (-9, 1)
    assert world.of("camera").status == 0


def test_a_show_closes_when_its_hours_are_over_unless_its_user_ends_it(tmp_path: Path) -> None:
    world, settings = World(), Show(record="", links=Links(run_dir=str(tmp_path)))

    def show() -> Supervisor:
        spawner = Spawner(settings, enabled=False, spawn=world.spawn)  # type: ignore[arg-type]
        closing_ns = world.now_ns + 20 * S
        return Supervisor(
            ShowRecord(show=settings),
            world,
            table(),
            spawner=spawner,
            now_ns=world.now,
            with_control=with_control,
            closes=lambda: world.now_ns >= closing_ns,
        )

    first = show()
    assert first.run() == Ending(0, closed=True)
    assert first.record.duration_s() == pytest.approx(19.5, abs=0.3)
    assert all(child.status == 0 for child in world.children)
    second = show()
    world.at(19.99, second.interrupt)
    ending = second.run()
    assert (ending, ending.asked) == (Ending(0), True)
    third = show()
    world.at(0.1, third.interrupt)
    assert third.run().asked, "also before it begins"


@pytest.mark.parametrize(("name", "after_s"), [("microphone", 0.4), ("screen", 0.0)])
def test_without_a_speaker_the_microphone_or_the_screen_ends_the_show(
    tmp_path: Path, name: str, after_s: float
) -> None:
    world = World()
    rows = [plain_row(row) for row in ("microphone", "screen")]
    show = supervisor(world, tmp_path, rows, direction="music-to-video")
    world.at(20.0, lambda: world.of(name).say(Finished(stage=name)))
    assert show.run() == Ending(0)
    assert show.record.end_ns is not None
    assert show.record.end_ns / 1e9 == pytest.approx(120.0 + after_s, abs=0.1)


@pytest.mark.parametrize("name", ["lamp", "anything"])
def test_a_stage_of_any_name_ends_the_show_where_its_row_says_so(tmp_path: Path, name: str) -> None:
    world = World()
    rows = [Process(name, "x", warm_spare=False, ends_show=EndOfShow(2_000)), plain_row("speaker")]
    show = supervisor(world, tmp_path, rows)
    world.at(5.0, lambda: world.of(name).say(Finished(stage=name, reason="burnt out")))
    assert show.run() == Ending(0)
    assert (show.record.end_ns or 0) / 1e9 == pytest.approx(107.0, abs=0.1)


def test_a_show_that_no_stage_ends_in_time_names_the_stage_whose_clock_it_is(tmp_path: Path) -> None:
    rows = [Process("metronome", "x", warm_spare=False, clock_of=("both",)), plain_row("camera")]
    ending = supervisor(World(), tmp_path, rows, duration_s=5.0).run()
    assert (ending.code, ending.line[:32]) == (1, "the metronome did not end the sh")


def test_a_show_whose_clock_is_lost_ends_with_its_duration(tmp_path: Path) -> None:
    world = World()
    rows = [plain_row("camera"), replace(plain_row("speaker"), restarts=0), plain_row("screen")]
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0)
    world.at(5.0, lambda: world.of("speaker").kill())
    assert show.run() == Ending(0)
    assert show.record.duration_s() == pytest.approx(20.0, abs=0.1)
