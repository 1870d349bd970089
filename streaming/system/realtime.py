"""Priorities, niceness and locked memory: the only file that asks the operating system for them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

NAMED_S = 0.2
"""In which a thread that has begun has its name."""


def lock_memory() -> bool:
    """Keep every page that this process touches, from now on and so far, in memory (mlockall, on fault).

    Without it a system that is short of memory, or that reclaims pages not used for a while, drops a stage's code and
    buffers; reading them back from disk takes longer than a tick. It is asked for only where the process has no limit
    on locked memory, because a limit would make the stage's own allocations fail later.

    Returns:
        True when the memory is locked; False where the system has no such call or does not permit it.
    """
    if sys.platform != "linux":
        return False
    import resource

    is_unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not is_unlimited and os.geteuid() != 0:
        return False
    current, future, on_fault = 1, 2, 4
    return int(ctypes.CDLL(None, use_errno=True).mlockall(current | future | on_fault)) == 0


def request_niceness(nice: int) -> None:
    """Ask for a niceness for this process; without the privilege for a negative one it keeps the default."""
    if nice and hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)


def request_realtime(priority: int) -> None:
    """Ask for SCHED_FIFO, for this thread and those made later; without the privilege nothing changes."""
    if priority and sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def set_background(pid: int, *, background: bool) -> None:
    """Put another process behind everything else, or take it back to normal.

    Without privilege a process can be made nicer but never less nice again; the batch policy, which can be left, is
    used there.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, pid, 19 if background else 0)
        elif sys.platform == "linux":
            policy = os.SCHED_BATCH if background else os.SCHED_OTHER
            os.sched_setscheduler(pid, policy, os.sched_param(0))


def set_prompt(pid: int) -> None:
    """Give another process the lowest real-time priority, if that is permitted: loaded cores do not delay it then."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


@contextlib.contextmanager
def prompt_thread(priority: int, carriers: str = "") -> Iterator[None]:
    """Give this thread a real-time priority (SCHED_FIFO), if that is permitted, but not what it starts meanwhile.

    Args:
        priority: 1 to 99.
        carriers: the threads of this process whose names begin so get it too: a message waits for those that carry it.
    """
    carried_by: list[int] = []
    if carriers and sys.platform == "linux":
        # A thread takes its name itself, soon after it has begun.
        until_s = time.monotonic() + NAMED_S
        while not (carried_by := _threads_named(carriers)) and time.monotonic() < until_s:
            time.sleep(0.001)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for thread in (0, *carried_by):
                os.sched_setscheduler(thread, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    try:
        yield
    finally:
        leave_realtime()
        if sys.platform == "linux":
            for thread in carried_by:
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _threads_named(beginning: str) -> list[int]:
    """The ids of this process's threads whose names begin so; none where the system does not tell."""
    found = []
    for folder in Path("/proc/self/task").glob("*"):
        # A thread may end meanwhile.
        with contextlib.suppress(OSError):
            if (folder / "comm").read_text(encoding="utf-8", errors="replace").startswith(beginning):
                found.append(int(folder.name))
    return found


def raise_niceness(by: int) -> None:
    """Add to this process's niceness."""
    if hasattr(os, "nice"):
        os.nice(by)


def leave_realtime() -> None:
    """Run this thread without real-time priority, which a stage has for what must be done within its ticks."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def take_normal_priority() -> None:
    """Run this thread with normal scheduling and niceness 0, whatever its process has."""
    leave_realtime()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 0)


def take_lowest_realtime() -> None:
    """Give this thread the lowest real-time priority, if it has a real-time priority."""
    if sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def run_in_background() -> None:
    """Run this thread behind everything else: normal scheduling, niceness 15."""
    leave_realtime()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
