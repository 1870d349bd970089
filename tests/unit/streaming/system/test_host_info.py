"""What is said of the machine, and of the time that its host took."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import NamedTuple

import psutil
import pytest

from streaming.system.host_info import IdleTime, StolenTime, cores, describe_host, threads_for
from streaming.system.realtime import run_in_background


class LinuxTimes(NamedTuple):
    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float
    guest: float
    guest_nice: float


class PlainTimes(NamedTuple):
    user: float = 1
    nice: float = 0
    system: float = 1
    idle: float = 1


def test_the_host_is_described() -> None:
    host = describe_host()
    assert host["cpu"]
    assert host["cores"] == cores() >= 1


def test_stolen_time_is_the_share_since_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: LinuxTimes(50, 0, 10, 40, 0, 0, 0, 7, 30, 0))
    stolen = StolenTime()
    assert stolen.percent() is None, "no time has passed"
    monkeypatch.setattr(psutil, "cpu_times", lambda: LinuxTimes(100, 0, 20, 75, 0, 0, 0, 12, 60, 0))
    assert stolen.percent() == pytest.approx(5.0)


def test_where_nothing_is_told_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", PlainTimes)
    assert StolenTime().percent() is None


def test_time_that_is_left_is_what_nobody_has_taken_since_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: LinuxTimes(50, 10, 10, 40, 0, 0, 0, 7, 30, 5))
    left = IdleTime()
    assert left.share() == 1.0, "no time has passed"
    monkeypatch.setattr(psutil, "cpu_times", lambda: LinuxTimes(115, 15, 15, 65, 0, 0, 0, 7, 60, 10))
    assert left.share() == pytest.approx(0.25)
    monkeypatch.setattr(psutil, "cpu_times", lambda: LinuxTimes(215, 15, 15, 65, 0, 0, 0, 7, 60, 10))
    assert left.share() == 0.0
    monkeypatch.setattr(psutil, "cpu_times", PlainTimes)
    assert IdleTime().share() == 1.0


@pytest.mark.parametrize(
    ("direction", "there", "threads"),
    [
        ("both", 1, 1),
        ("both", 2, 1),
        ("both", 4, 2),
        ("video-to-music", 2, 1),
        ("video-to-music", 4, 2),
        ("music-to-video", 1, 1),
        ("music-to-video", 2, 2),
    ],
)
def test_a_second_thread_helps_where_a_core_is_free_for_it(direction: str, there: int, threads: int) -> None:
    assert threads_for(direction, there) == threads


HOLD = """
from streaming.system.realtime import lock_memory
held = lock_memory()
block = bytearray(8_000_000)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(held), status["VmLck"].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is locked")
def test_memory_is_held_where_it_may_be_and_nothing_is_claimed_where_not() -> None:
    done = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, check=True)
    held, locked_kb = done.stdout.split()
    # What is touched later is held too; nothing is held where it is not permitted.
    assert (int(locked_kb) > 8_000) == (held == "1")


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_a_modest_thread_waits_and_the_others_do_not() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    found = []

    def work() -> None:
        run_in_background()
        found.append((os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(os.SCHED_OTHER, max(15, before))]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
