"""Waits for the supervisor to end, in any way; then ends the stages that outlive it and removes their sockets.

It runs as a script that imports only the standard library (8 MB, no CPU): `reaper.py RUN_DIR`. Its stdin carries one
process id per line and ends with the supervisor. It shares the instance lock, so that no new performance can begin
before it has finished.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import sys
import time

POLITE_S = 4.0
"""How long stages may take to close by themselves when the supervisor dies."""
POLL_S = 0.05


def start_of(pid: int) -> str:
    """A process's start time in the kernel's ticks, to detect a reused id; "" if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == b"Z" else fields[19].decode()


def alive(stages: dict[int, str]) -> list[int]:
    """The processes (id -> start time) that still run under the same id."""
    return [pid for pid, start in stages.items() if start and start_of(pid) == start]


def end(stages: dict[int, str]) -> None:
    """Wait for the stages, then kill them."""
    polls = int(POLITE_S / POLL_S)
    for poll in range(polls + 1):
        remaining = alive(stages)
        if not remaining:
            return
        for pid in remaining if poll == polls else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)


def sweep(path: str) -> None:
    """Remove the sockets, process id files and held files of the run folder, if it is still there."""
    shutil.rmtree(os.path.join(path, "held"), ignore_errors=True)
    with contextlib.suppress(OSError):
        for entry in os.scandir(path):
            if entry.name.endswith(".pid") or stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                os.unlink(entry.path)


def main() -> None:
    """Follow the supervisor until it is gone, then clean up."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    stages: dict[int, str] = {}
    for line in sys.stdin:
        if line.strip().isdigit():
            stages = {pid: stages[pid] for pid in alive(stages)}
            stages[int(line)] = start_of(int(line))
    end(stages)
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
