"""A show on two hosts: the camera and its eyes on one, the music on the other, over a network that delays and loses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming.conventions import TICKS_PER_SECOND
from streaming.timing import clock
from streaming.transport.sockets import make_keys
from tests.live.hosts.two_hosts import HERE, Cable, can_make_hosts, in_host, two_hosts

CHECKOUT = Path(__file__).resolve().parents[3]
SECONDS = 8
A_DAY_S = 86_400
Wrap = Callable[[int, list[str]], list[str]]
"""Takes the number of a host and a command; gives the command that runs it there."""


def perform(
    folder: Path, address: str, wrap: Callable[[int, list[str]], list[str]]
) -> tuple[dict[str, Any], list[str]]:
    """The report of a show whose camera and motion run on a host of their own, and what that host said."""
    for name in ("eyes", "music"):
        make_keys(folder / name)
    # The music's host knows the eyes by their stages' names; the eyes let the music's host in.
    for stage in ("camera", "motion"):
        shutil.copy(folder / "eyes" / "antiphon.key", folder / "music" / "allowed" / f"{stage}.key")
    shutil.copy(folder / "music" / "antiphon.key", folder / "eyes" / "allowed" / "music.key")
    links = [f"--address=camera=tcp://{address}:5151", f"--address=motion=tcp://{address}:5152", "--allow-remote"]
    stages: list[subprocess.Popen[bytes]] = []
    logs: list[Path] = []
    run_live = [sys.executable, str(CHECKOUT / "run_live.py")]
    for name in ("camera", "motion"):
        command = [*run_live, "stage", name, "--camera", "performer:drums@3", "--keys", str(folder / "eyes"), *links]
        logs.append(folder / f"{name}.log")
        with logs[-1].open("wb") as log:
            whole = wrap(0, [*command, "--run-dir", str(folder / "run-eyes")])
            stages.append(subprocess.Popen(whole, stdout=log, stderr=log, cwd=CHECKOUT, start_new_session=True))
    try:
        wait_for(lambda: all(b"ready" in path.read_bytes() for path in logs))
        command = [*run_live, "--direction", "video-to-music", "--duration", str(SECONDS), "--speaker", "none"]
        command += ["--record", "none", "--camera", "performer:drums@3", "--report", str(folder / "r.json")]
        command += ["--keys", str(folder / "music"), *links, "--run-dir", str(folder / "run-music")]
        done = subprocess.run(wrap(1, command), capture_output=True, text=True, timeout=120, cwd=CHECKOUT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for host in stages:
            os.killpg(host.pid, signal.SIGKILL)
            host.wait()
    report: dict[str, Any] = json.loads((folder / "r.json").read_text())
    return report, [path.read_text(errors="replace") for path in logs]


def wait_for(true: Callable[[], bool], seconds: float = 90.0) -> None:
    end_ns = clock.now_ns() + round(1e9 * seconds)
    while not true():
        assert clock.now_ns() < end_ns, "a stage did not become ready"
        time.sleep(0.1)


def check(report: dict[str, Any], most_ms: float) -> None:
    """Music was played all the time, and from what the other host saw."""
    assert set(report["stages"]).isdisjoint({"camera", "motion"})
    assert report["ticks"]["played"] >= 0.9 * report["ticks"]["expected"] > 0
    counters = report["stages"]["tokens"]["counters"]
    assert counters.get("stale", 0) <= 0.1 * report["ticks"]["expected"]
    assert report["motion_to_sound_ms"]["n"] >= 0.5 * report["ticks"]["expected"]
    assert 0.0 < report["motion_to_sound_ms"]["p50"] < most_ms
    assert any("motion is expected at" in note for note in report["notes"])


@pytest.mark.faults
@pytest.mark.live
def test_two_machines_are_tried_on_one(tmp_path: Path) -> None:
    report, _ = perform(tmp_path, "127.0.0.1", lambda host, command: command)
    check(report, 500.0)


@pytest.mark.faults
@pytest.mark.live
@pytest.mark.skipif(not can_make_hosts(), reason="this user may not make network namespaces")
def test_two_hosts_20_ms_apart_that_lose_a_hundredth_and_whose_clocks_differ_by_a_day(tmp_path: Path) -> None:
    with two_hosts(Cable(delay_s=0.02, jitter_s=0.01, loss=0.01)) as names:
        report, _ = perform(
            tmp_path, HERE, lambda host, command: in_host(names[host], command, ahead_s=0 if host == 0 else A_DAY_S)
        )
    check(report, 600.0)


@pytest.mark.faults
@pytest.mark.live
@pytest.mark.skipif(not can_make_hosts(), reason="this user may not make network namespaces")
def test_a_network_that_loses_a_third_and_jitters_by_200_ms_stops_no_show(tmp_path: Path) -> None:
    """What comes too late counts as stillness; every tick is played, and no stage is started again."""
    with two_hosts(Cable(delay_s=0.2, jitter_s=0.2, loss=0.3)) as names:
        report, _ = perform(tmp_path, HERE, lambda host, command: in_host(names[host], command))
    ticks = report["ticks"]
    assert ticks["expected"] == TICKS_PER_SECOND * SECONDS
    assert ticks["played"] >= 0.95 * ticks["expected"]
    assert all(stage["restarts"] == 0 for stage in report["stages"].values())
