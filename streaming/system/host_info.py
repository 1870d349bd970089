"""What machine this is, and how much of its cores' time is left or was taken by its host."""

from __future__ import annotations

import os
import platform
from typing import Any

import psutil

from engines import machine


def describe_host() -> dict[str, Any]:
    """CPU model, GPU name (None without one) and how many cores this process may use."""
    board = machine.gpu()
    return {
        "cpu": machine.cpu(),
        "gpu": board.name if board else None,
        "cores": cores(),
        "system": platform.platform(),
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(direction: str, there: int) -> int:
    """How many threads the two longest networks use for one tick: the embedding (looks) and the painter (paints).

    On two cores a second thread costs a fifth more CPU time. It makes the embedding 2.5 ms faster, of 14 ms, but delays
    the other stages. That pays only in music-to-video, where nothing is played and everything waits for the painter.

    Args:
        direction: the direction of the show.
        there: how many cores the show may use.
    """
    return 2 if there > (1 if direction == "music-to-video" else 2) else 1


class StolenTime:
    """Measures the share of the cores' time that a virtual machine's host gave to others, from now on.

    A stage cannot be on time while its core is away; without this figure such a run looks like the show's own fault.
    """

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def percent(self) -> float | None:
        """The share since the beginning, 0 to 100; None where the system does not report it (not Linux)."""
        try:
            now, before = psutil.cpu_times(), self._before
        except OSError:
            return None
        if not hasattr(now, "steal"):
            return None
        # The guests' time is part of the user's.
        total_time = sum(now[:8]) - sum(before[:8])
        return 100.0 * (now.steal - before.steal) / total_time if total_time > 0 else None


class IdleTime:
    """Measures the share of the cores' time that was idle since the last call.

    When real-time processes use more than 0.95 s of a core's second, Linux stops all of them on that core for the rest
    of the second (sched_rt_runtime_us), the sound's among them.
    """

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self) -> float:
        """The idle share since the last call, 0 to 1; 1 where no time has passed."""
        now, before = psutil.cpu_times(), self._before
        self._before = now
        # The guests' time is part of the user's.
        times = {name: getattr(now, name) - getattr(before, name) for name in now._fields if "guest" not in name}
        idle_time = sum(times.get(name, 0.0) for name in ("idle", "iowait"))
        total = sum(times.values())
        return idle_time / total if total > 0.0 else 1.0
