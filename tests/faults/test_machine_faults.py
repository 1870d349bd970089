"""Faults of the machine under whole shows: cores, memory, disks, the clock. `make test-faults` runs them."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.harness import Act, Fault, FaultyShow, perform_act
from tests.faults.rig.injections import KILL, hog, hog_realtime, kill, limit_files, limit_memory, limit_memory_of
from tests.faults.rig.places import FULL_SHM, both, both_filmed, fill, small_disk, without_music
from tests.faults.rig.wall_clock import COMPILER, WallClock
from tests.live.place import ShowFolder

pytestmark = pytest.mark.faults
HOUR_S = 3_600
MAY_MOUNT = hasattr(os, "geteuid") and os.geteuid() == 0
DISKS = ("films", "run")

CORES = (
    Fault("four processes hog the cores", hog(4, 3.0), seconds=5.0, silence_s=3.0, concealed_s=2.0, missed_s=3.0),
    Fault(
        "every core hogged in real time for 0.5 s",
        hog_realtime(0.5),
        seconds=3.0,
        silence_s=1.0,
        concealed_s=1.5,
        missed_s=1.5,
    ),
)


@pytest.mark.parametrize(("direction", "argv"), [("both", both), ("music-to-video", without_music)])
def test_hogs(direction: str, argv: Any, place: ShowFolder) -> None:
    perform_act(Act(f"cores hogged ({direction})", CORES, direction, argv), place)


def test_memory_and_files_are_short(place: ShowFolder) -> None:
    """What a stage cannot have it does without, or it is started again; so does the supervisor."""

    def limit_supervisor(show: FaultyShow) -> None:
        limit_memory(show.supervisor)
        show.signal(KILL, "sound")

    refused = [
        Fault(
            f"no more memory for {stage}",
            limit_memory_of(stage),
            seconds=2.5,
            silence_s=2.2,
            concealed_s=2.5,
            missed_s=2.5,
        )
        for stage in ("sound", "picture", "recorder")
    ]
    act = Act(
        "memory and files short",
        (
            *refused,
            Fault("no file longer than 100 kB for the recorder", limit_files("recorder", 100_000), silence_s=0.2),
            Fault("no more memory for the supervisor", limit_supervisor, ("sound",), 4.0),
        ),
        "both",
        both_filmed,
        may_restart=("sound", "picture", "recorder"),
    )
    perform_act(act, place)


@pytest.mark.skipif(not MAY_MOUNT, reason="only the superuser may make disks")
def test_disks_and_shared_memory_are_full(place: ShowFolder) -> None:
    """The folder of films, the run folder and /dev/shm have no byte left; two stages are killed then."""

    def fill_and_kill(show: FaultyShow) -> None:
        for name in DISKS:
            fill(show.folder.folder / name)
        show.play_on(1.0)
        show.signal(KILL, "sound", "picture")

    place.prefix = ("unshare", "--mount", "sh", "-c", FULL_SHM, "sh")
    fault = Fault("disks full, two killed", fill_and_kill, ("sound", "picture"), 6.0, seen=False, concealed_s=1.0)
    act = Act(
        "disks full", (fault,), "both", both_filmed, notes=("No space left on device",), may_restart=("recorder",)
    )
    with contextlib.ExitStack() as stack:
        for name in DISKS:
            stack.enter_context(small_disk(place.folder / name, 12))
        perform_act(act, place)


@pytest.mark.skipif(COMPILER is None, reason="the library that steps the clock needs a C compiler")
@pytest.mark.parametrize(("direction", "argv"), [("both", both), ("music-to-video", without_music)])
def test_the_wall_clock_is_stepped(direction: str, argv: Any, place: ShowFolder) -> None:
    """An hour forward, two hours back; a stage that is killed then is back as ever."""
    wall = WallClock(place.folder)
    victim = "picture"

    def step(ahead_s: int, show: FaultyShow) -> None:
        assert all(wall.is_used_by(pid) for pid in (show.supervisor, show.pid(victim)))
        wall.step(ahead_s)

    steps = [
        Fault(name, functools.partial(step, ahead_s), seconds=2.0, silence_s=0.2)
        for name, ahead_s in (("wall clock an hour forward", HOUR_S), ("wall clock two hours back", -HOUR_S))
    ]
    place.prefix = wall.prefix
    killed = replace(Fault(f"{victim} killed", kill(victim), (victim,)), silence_s=0.2)
    perform_act(Act(f"clock stepped ({direction})", (*steps, killed), direction, argv), place)
