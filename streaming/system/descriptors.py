"""Room for more descriptors: a process that has none left cannot even take a connection."""

from __future__ import annotations

import contextlib
import os
import sys

ROOM, STEP = 32, 256
"""So many must be free; else so many more are asked for."""


def keep_room() -> bool:
    """Raise this process's own limit of descriptors where fewer than `ROOM` are free, as far as the system permits.

    libzmq 4.3.5 aborts a process that is connected to by `ipc://` and has no descriptor left (`ipc_listener.cpp`), so
    a leak, or a limit that somebody lowered, would end it without a word. It takes some microseconds.

    Returns:
        Whether there is room.
    """
    if sys.platform == "win32":
        return True
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return True
    lowest = soft
    with contextlib.suppress(OSError):
        lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.close(lowest)
    if lowest + ROOM <= soft:
        return True
    # Where somebody has lowered the limit, descriptors that are open have greater numbers.
    wanted = max(soft, lowest, _greatest()) + STEP
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if wanted > soft:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted >= lowest + ROOM


def _greatest() -> int:
    """The greatest number of a descriptor up to 4,096 that is open; found without one."""
    for number in range(4_096, 2, -1):
        with contextlib.suppress(OSError):
            os.fstat(number)
            return number
    return 2
