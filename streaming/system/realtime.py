"""Priorities, niceness, memory kept in place: the only file that asks the operating system for them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading


def lock_memory() -> bool:
    """Keep every page that this process touches, from now on and so far, in memory (mlockall, on fault).

    Without it a system that is short of memory, or one that reclaims what was not used for a while, takes a stage's
    code and buffers away, and reading them back from disk takes longer than a tick. It is asked for only where no limit
    can be hit later, because a limit would make the stage's own allocations fail.

    Returns:
        True when it is so; False where the system has no such call or does not permit it.
    """
    if sys.platform != "linux":
        return False
    import resource

    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not unlimited and os.geteuid() != 0:
        return False
    current, future, on_fault = 1, 2, 4
    return int(ctypes.CDLL(None, use_errno=True).mlockall(current | future | on_fault)) == 0


def request_niceness(nice: int) -> None:
    """Ask for a niceness for this process; without the privilege for a negative one the default stays."""
    if nice and hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)


def request_realtime(priority: int) -> None:
    """Ask for SCHED_FIFO; threads made from here on have it too. Without the privilege all stays as it is."""
    if priority and sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def set_background(pid: int, *, background: bool) -> None:
    """Let another process give way to everything else, or stop doing so.

    An unprivileged process can be made nicer but never less nice again, so there the batch policy is used, which it may
    leave at will.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, pid, 19 if background else 0)
        elif sys.platform == "linux":
            policy = os.SCHED_BATCH if background else os.SCHED_OTHER
            os.sched_setscheduler(pid, policy, os.sched_param(0))


def raise_niceness(by: int) -> None:
    """Add to this process's niceness."""
    if hasattr(os, "nice"):
        os.nice(by)


def leave_realtime() -> None:
    """Let this thread wait for what is real-time: a stage's priority is for what must be done within its ticks."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def take_lowest_realtime() -> None:
    """Let this thread wait for every other that is real-time, if it is real-time itself."""
    if sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def run_in_background() -> None:
    """Let this thread wait for everything else: what it does may take its time."""
    leave_realtime()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
