"""What brings a fault about: in processes, files, sockets and the limits of a show that plays."""

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

import psutil

from tests.faults.harness import FaultyShow
from tests.live.place import wait_for

Injection = Callable[[FaultyShow], object]
KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
MOST_S, QUIET_S, LOOK_S = 12.0, 2.2, 0.02
"""A stage that is killed again and again is given up within the first time; no new one comes for the second then."""
RUN_REALTIME = "import time; end = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"


def kill(*stages: str) -> Injection:
    return lambda show: show.signal(KILL, *stages)


def crash(*stages: str) -> Injection:
    """Let stages end as native code does that reads where nothing is."""
    return lambda show: show.signal(signal.SIGSEGV, *stages)


def stop(*stages: str) -> Injection:
    return lambda show: show.signal(STOP, *stages)


def kill_again(stage: str, times: int, pause_s: float) -> Injection:
    """Kill a stage several times, each time after it has worked for a while."""

    def inject(show: FaultyShow) -> None:
        for index in range(times):
            pid = show.pid(stage)
            os.kill(pid, KILL)
            if index < times - 1:
                wait_for(functools.partial(show.is_replaced, stage, pid), 10.0)
                show.play_on(pause_s)

    return inject


def kill_for_ever(stage: str) -> Injection:
    """Kill a stage whenever there is one, as soon as it works, until it is given up: no new one comes for a while."""

    def inject(show: FaultyShow) -> None:
        last, quiet = None, 0
        for _ in range(round(MOST_S / LOOK_S)):
            pid = show.pid_now(stage)
            quiet = quiet + 1 if pid in (None, last) else 0
            if quiet * LOOK_S > QUIET_S or show.ended:
                return
            if pid is not None and pid != last:
                show.play_on(0.6)
                last = pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, KILL)
            signal.sigtimedwait([], LOOK_S)

    return inject


def stop_briefly(seconds: float, *stages: str) -> Injection:
    def inject(show: FaultyShow) -> None:
        pids = [show.pid(stage) for stage in stages]
        for pid in pids:
            os.kill(pid, STOP)
        signal.sigtimedwait([], seconds)
        for pid in pids:
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


def remove_sockets(then: str) -> Injection:
    def inject(show: FaultyShow) -> None:
        for path in show.run_dir.iterdir():
            if path.is_socket():
                path.unlink()
        show.play_on(0.5)
        show.signal(KILL, then)

    return inject


def limit(pid: int, kind: int, most: int) -> None:
    """Limit a resource of a running process."""
    resource.prlimit(pid, kind, (most, resource.prlimit(pid, kind)[1]))


def take_descriptors(stage: str) -> Injection:
    """Leave the supervisor no descriptor, kill a stage, and give the descriptors back a second later."""

    def inject(show: FaultyShow) -> None:
        before = resource.prlimit(show.supervisor, resource.RLIMIT_NOFILE)[0]
        # Those that are open stay open; no new one can have a number below this.
        limit(show.supervisor, resource.RLIMIT_NOFILE, 3)
        show.signal(KILL, stage)
        signal.sigtimedwait([], 1.0)
        limit(show.supervisor, resource.RLIMIT_NOFILE, before)

    return inject


def take_descriptors_for_ever(show: FaultyShow) -> None:
    """Leave the supervisor those that it has."""
    used = max(int(name) for name in os.listdir(f"/proc/{show.supervisor}/fd")) + 1
    limit(show.supervisor, resource.RLIMIT_NOFILE, used)


def kill_spare(then: str) -> Injection:
    def inject(show: FaultyShow) -> None:
        show.signal(KILL, "warm-spare")
        show.play_on(0.3)
        show.signal(KILL, then)

    return inject


def reapers_of(show: FaultyShow) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(show.supervisor).children():
        with contextlib.suppress(psutil.Error):  # one that was killed stays until the supervisor looks
            if "reaper.py" in " ".join(child.cmdline()):
                found.append(child)
    return found


def kill_reaper(show: FaultyShow) -> None:
    before = reapers_of(show)
    assert before
    for child in before:
        child.kill()
    wait_for(lambda: any(child not in before for child in reapers_of(show)), 5.0)


def hog(count: int, seconds: float) -> Injection:
    """Use all cores by processes of ordinary priority."""

    def inject(show: FaultyShow) -> None:
        running = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(count)]
        try:
            show.play_on(seconds)
        finally:
            for process in running:
                process.kill()
                process.wait()

    return inject


def hog_realtime(seconds: float, priority: int = 50) -> Injection:
    """Use all cores by processes that no stage can preempt; they end by themselves, as nobody else runs meanwhile."""
    command = ["chrt", "-f", str(priority), sys.executable, "-I", "-S", "-c", RUN_REALTIME.format(seconds=seconds)]

    def inject(show: FaultyShow) -> None:
        running = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
        for process in running:
            assert process.wait(30) == 0

    return inject


def limit_files(stage: str, most_bytes: int) -> Injection:
    """Let a stage make no file longer than this: a full disk, as a write sees it."""
    return lambda show: limit(show.pid(stage), resource.RLIMIT_FSIZE, most_bytes)


def limit_memory(pid: int) -> None:
    """Leave a process the memory that it has: every further mapping is refused."""
    limit(pid, resource.RLIMIT_AS, psutil.Process(pid).memory_info().vms)


def limit_memory_of(stage: str) -> Injection:
    """The same for a stage."""
    return lambda show: limit_memory(show.pid(stage))
