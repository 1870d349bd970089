"""Stages that hang, and a supervisor that hears nobody."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from streaming.schema.messages import (
    Alive,
    Finished,
    Report,
)
from tests.unit.streaming.runtime.supervision.virtual_show import (
    BEAT_NS,
    FakeChild,
    S,
    World,
    supervisor,
)


def test_a_silent_stage_is_dumped_killed_and_restarted(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def hang() -> None:
        world.of("sound").hung = True

    world.at(5.0, hang)
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    first = next(child for child in world.children if child.stage == "sound")
    assert (first.dumps, first.status) == (1, -9)
    assert show.record.stages["sound"].restarts == 1
    assert "no sign of life" in " ".join(show.record.notes)


def test_a_supervisor_that_slept_does_not_blame_the_stages(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=3600.0)

    def sleep() -> None:
        world.now_ns += 30 * S
        for child in world.children:
            child.next_ns = world.now_ns + BEAT_NS

    world.at(5.0, sleep)
    world.at(60.0, show.interrupt)
    assert show.run().code == 0
    assert sum(stage.restarts for stage in show.record.stages.values()) == 0


class DeafWorld(World):
    """Nothing is read while it is deafened; to the kernel its processes look stopped."""

    deafened = False
    pid = 0

    def spawn(self, command: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> FakeChild:
        child = super().spawn(command, log, pass_fds)
        child.pid = self.pid or child.pid
        return child

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        reports = super().poll(timeout_ms)
        if self.deafened:
            self.reports = reports
            return []
        return reports


class BusyWorld(DeafWorld):
    """Every turn of the supervisor is late."""

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        return super().poll(150)


def test_a_supervisor_whose_every_turn_is_late_notices_a_hang(tmp_path: Path) -> None:
    world = BusyWorld()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("sound"), "hung", True))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    stages = show.record.stages
    assert [stages[name].restarts for name in ("camera", "sound", "speaker")] == [0, 1, 0]
    assert [line for line in show.record.notes if line.startswith("sound: gave no sign of life")]


@pytest.mark.parametrize("kind", [BusyWorld, DeafWorld])
def test_a_supervisor_that_hears_nobody_for_a_while_blames_nobody(tmp_path: Path, kind: type[DeafWorld]) -> None:
    world = kind()
    with subprocess.Popen(["sleep", "600"]) as stopped:
        try:
            stopped.send_signal(signal.SIGSTOP)
            world.pid = stopped.pid
            show = supervisor(world, tmp_path, duration_s=20.0)
            world.at(5.0, lambda: setattr(world, "deafened", True))
            world.at(7.5, lambda: setattr(world, "deafened", False))
            world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
            assert show.run().code == 0
        finally:
            stopped.kill()
    assert all(stage.restarts == 0 for stage in show.record.stages.values())


def test_a_pause_that_a_stage_has_announced_is_no_hang(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def pause() -> None:
        world.of("sound").say(Alive(stage="sound", patience_ms=6_000))
        world.of("sound").next_ns = world.now_ns + 5 * S

    world.at(5.0, pause)
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 0
