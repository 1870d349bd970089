"""Faults injected into whole shows: one row of the table each. `make test-faults` runs them."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engines.bundles import BUNDLES
from tests.faults.harness import Fault, FaultyShow, hogs, left_of, perform_with, processes_of
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.faults
Injection = Callable[[FaultyShow], object]
KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
SOUND_STAGES = ("camera", "motion", "tokens", "sound")
PICTURE_STAGES = ("hearing", "flow", "picture", "scene", "microphone", "screen")
BOTH = ("--microphone", "self", "--screen", "none", "--record", "none")


def kill(*stages: str) -> Injection:
    return lambda show: show.signal(KILL, *stages)


def stop(*stages: str) -> Injection:
    return lambda show: show.signal(STOP, *stages)


def kill_again(stage: str, times: int, pause_s: float) -> Injection:
    """Kill a stage several times, each time after it has worked for a while."""

    def inject(show: FaultyShow) -> None:
        for _ in range(times):
            pid = show.pid(stage)
            os.kill(pid, KILL)
            wait_for(functools.partial(differs, show, stage, pid), 10.0)
            show.play_on(pause_s)

    return inject


def kill_for_ever(stage: str) -> Injection:
    """Kill a stage whenever there is one, until it is given up."""

    def inject(show: FaultyShow) -> None:
        last = 0
        for _ in range(200):
            if show.command.poll() is not None or show.seconds_played() > 17.0:
                return
            pid = show.pid(stage)
            if pid != last:
                signal.sigtimedwait([], 0.2)
                last = pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, KILL)
            signal.sigtimedwait([], 0.05)

    return inject


def differs(show: FaultyShow, stage: str, pid: int) -> bool:
    return show.pid(stage) != pid


def stop_briefly(stage: str, seconds: float) -> Injection:
    def inject(show: FaultyShow) -> None:
        pid = show.pid(stage)
        os.kill(pid, STOP)
        signal.sigtimedwait([], seconds)
        os.kill(pid, CONT)

    return inject


def remove(path: str, then: str) -> Injection:
    """Remove a folder or file of the show, then kill a stage that needs it."""

    def inject(show: FaultyShow) -> None:
        target, pid = show.folder.folder / path, show.pid(then)
        # Files come and go in it meanwhile.
        while target.exists():
            shutil.rmtree(target, ignore_errors=True)
        show.play_on(0.5)
        os.kill(pid, KILL)

    return inject


def remove_sockets(show: FaultyShow) -> None:
    for path in show.run_dir.iterdir():
        if path.is_socket():
            path.unlink()
    show.play_on(0.5)
    show.signal(KILL, "sound")


def take_descriptors(show: FaultyShow) -> None:
    """Leave the supervisor no descriptor, kill a stage, and give the descriptors back a second later."""
    before = resource.prlimit(show.supervisor, resource.RLIMIT_NOFILE)[0]
    # Those that are open stay open; no new one can have a number below this.
    show.limit(show.supervisor, resource.RLIMIT_NOFILE, 3)
    show.signal(KILL, "sound")
    signal.sigtimedwait([], 1.0)
    show.limit(show.supervisor, resource.RLIMIT_NOFILE, before)


def take_descriptors_for_ever(show: FaultyShow) -> None:
    """Leave the supervisor those that it has."""
    used = max(int(name) for name in os.listdir(f"/proc/{show.supervisor}/fd")) + 1
    show.limit(show.supervisor, resource.RLIMIT_NOFILE, used)


def kill_spare(show: FaultyShow) -> None:
    show.signal(KILL, "warm-spare")
    show.play_on(0.3)
    show.signal(KILL, "sound")


def kill_reaper(show: FaultyShow) -> None:
    for child in psutil.Process(show.supervisor).children():
        if "reaper.py" in " ".join(child.cmdline()):
            child.kill()
    show.play_on(2.5)
    words = [" ".join(child.cmdline()) for child in psutil.Process(show.supervisor).children() if child.is_running()]
    assert any("reaper.py" in line for line in words), "it was not started again"


def hog(count: int, realtime: int = 0) -> Injection:
    def inject(show: FaultyShow) -> None:
        with hogs(count, realtime=realtime):
            show.play_on(3.0)

    return inject


def fill_files(show: FaultyShow) -> None:
    """Every process but the supervisor can make no file longer than it is: a full disk, as a write sees it."""
    for stage in ("recorder",):
        show.limit(show.pid(stage), resource.RLIMIT_FSIZE, 100_000)


def given_up(stage: str) -> Callable[[dict[str, Any]], object]:
    def check(report: dict[str, Any]) -> None:
        assert report["stages"][stage]["state"] == "lost"
        assert any(f"{stage}: " in line and "given up" in line for line in report["degraded"])

    return check


FAULTS = [
    *(Fault(f"{stage} killed", kill(stage), restarted=(stage,)) for stage in (*SOUND_STAGES, "speaker", "recorder")),
    *(
        Fault(f"{stage} killed", kill(stage), direction="both", argv=BOTH, restarted=(stage,), silence_s=0.2)
        for stage in PICTURE_STAGES
    ),
    Fault("three killed at once", kill("motion", "tokens", "sound"), restarted=("motion", "tokens", "sound")),
    Fault("sound killed four times", kill_again("sound", 4, 1.2), 16, silence_s=6.0, restarted=("sound",)),
    Fault(
        "sound stopped for ever", lambda show: show.signal(STOP, "sound"), restarted=("sound",), notes="sign of life"
    ),
    Fault("motion stopped for ever", lambda show: show.signal(STOP, "motion"), restarted=("motion",)),
    Fault("speaker stopped for ever", lambda show: show.signal(STOP, "speaker"), restarted=("speaker",)),
    Fault("two stopped for ever", lambda show: show.signal(STOP, "tokens", "sound"), restarted=("tokens", "sound")),
    Fault("tokens stopped for 200 ms", stop_briefly("tokens", 0.2), silence_s=0.6),
    *(
        Fault(
            f"{stage} killed for ever",
            kill_for_ever(stage),
            20,
            "both",
            argv=BOTH,
            silence_s=0.2,
            recovers=False,
            restarted=(stage,),
            notes="goes on without it",
            checks=given_up(stage),
        )
        for stage in ("flow", "hearing")
    ),
    Fault("record folder removed", remove("films", "sound"), restarted=("sound",)),
    Fault("run folder removed", remove("run", "sound"), restarted=("sound",), notes="made again"),
    Fault("sockets removed", remove_sockets, restarted=("sound",)),
    Fault("no descriptors for a second", take_descriptors, silence_s=4.0, restarted=("sound",), notes="tried again"),
    Fault("no descriptors to the end", take_descriptors_for_ever, silence_s=0.2),
    Fault("warm spare killed, then a stage", kill_spare, silence_s=6.0, restarted=("sound",)),
    Fault("reaper killed", kill_reaper, silence_s=0.2),
    Fault("cores hogged", hog(4), silence_s=3.0),
    Fault("disk full for the recorder", fill_files, silence_s=0.2),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_show_outlives(fault: Fault, place: ShowFolder) -> None:
    perform_with(fault, place)


@pytest.mark.parametrize("change", ["deleted", "overwritten"])
def test_a_restarted_stage_has_the_bundle_and_the_prior_that_it_had(place: ShowFolder, change: str) -> None:
    bundle, prior = place.folder / "bundle", place.folder / "prior.png"
    shutil.copytree(BUNDLES / "default", bundle)
    make_picture(prior)

    def inject(show: FaultyShow) -> None:
        wait_for(lambda: (show.run_dir / "held" / "prior").exists(), 20.0)
        prior.unlink() if change == "deleted" else prior.write_bytes(b"no picture")
        for path in [path for path in bundle.rglob("*") if path.is_file()]:
            path.unlink() if change == "deleted" else path.write_bytes(b"no network")
        show.signal(KILL, "sound", "tokens", "flow", "picture", "scene")

    stages = ("sound", "tokens", "flow", "picture", "scene")
    argv = (*BOTH, "--bundle", str(bundle), "--prior", str(prior))
    fault = Fault(f"bundle {change}", inject, 12, "both", restarted=stages, argv=argv)
    report = perform_with(fault, place)
    assert report["pictures"]["shown"] > 100


def make_picture(path: Path) -> None:
    words = "import cv2, numpy, sys; cv2.imwrite(sys.argv[1], numpy.full((300, 400, 3), 90, numpy.uint8))"
    subprocess.run([sys.executable, "-c", words, str(path)], check=True)


def test_nothing_is_left_of_a_killed_supervisor_with_a_stopped_stage(place: ShowFolder) -> None:
    with place.begin("--camera", "performer:air@1", *output_of(place)) as command:
        wait_for(place.sounding)
        os.kill(place.pid_of("sound"), STOP)
        command.kill()
        command.communicate(timeout=60)
    wait_for(lambda: left_of(place) == [] and processes_of(place) == [], 30.0)
    assert not (place.run_dir / "held").exists()


def test_a_report_that_cannot_be_written_is_one_line(place: ShowFolder) -> None:
    folder = place.folder / "reports"
    folder.mkdir()
    words = ["--camera", "performer:air@1", "--speaker", f"file:{place.folder / 'out.wav'}", "--duration", "4"]
    with place.begin(*words, "--report", str(folder / "r.json")) as command:
        wait_for(place.sounding)
        folder.rmdir()
        folder.write_text("a file in its place")
        _, errors = command.communicate(timeout=60)
    assert command.returncode == 1
    assert errors.count("\n") == 1
    assert "the report cannot be written" in errors


def test_too_few_descriptors_from_the_beginning_are_a_line(place: ShowFolder) -> None:
    words = place.command("--camera", "performer:air@1", *output_of(place), "--duration", "2")
    shell = f"ulimit -n 24; exec {' '.join(words)}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr, done.stderr
    assert left_of(place) == []
