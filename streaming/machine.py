"""What machine this is, and how much of its time was taken away by the host that it is a guest of."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil


def describe_host() -> dict[str, Any]:
    """CPU model, GPU name (None without one) and how many cores this process may use."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": cpu, "gpu": _gpu_name(), "cores": cores, "system": platform.platform()}


def _gpu_name() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    names = done.stdout.strip().splitlines()
    return names[0] if names else None


class StolenTime:
    """Measures the share of the cores' time that a virtual machine's host gave to others, from now on.

    A stage cannot be on time while its core is not there; without this figure such a run looks like a fault of ours.
    """

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def percent(self) -> float | None:
        """The share since the beginning, 0 to 100; None where the system does not tell (no Linux guest)."""
        now, before = psutil.cpu_times(), self._before
        if not hasattr(now, "steal"):
            return None
        # The guests' time is part of the user's.
        spent = sum(now[:8]) - sum(before[:8])
        return 100.0 * (now.steal - before.steal) / spent if spent > 0 else None
