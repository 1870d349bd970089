"""This machine's GPU, driver, processor and runtimes, found without importing a runtime."""

from __future__ import annotations

import functools
import importlib.util
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTIONS = {
    "torch": ("torch",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime"),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
}
"""Runtime -> the distributions that contain it; the first installed one counts."""


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU: its name, its architecture ("sm_90") and its driver's version."""

    name: str
    architecture: str
    driver: str


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU."""
    return any(Path("/proc/driver/nvidia/gpus").glob("*")) or Path("/dev/nvidia0").exists()


@functools.cache
def gpu() -> Gpu | None:
    """The first GPU that nvidia-smi lists; None without one."""
    program = shutil.which("nvidia-smi")
    if program is None or not has_gpu():
        return None
    query = [program, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        result = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    fields = [field.strip() for field in (result.stdout.strip().splitlines() or [""])[0].split(",")]
    return Gpu(fields[0], f"sm_{fields[1].replace('.', '')}", fields[2]) if len(fields) == 3 else None


@functools.cache
def cpu() -> str:
    """The processor's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without doing so."""
    return importlib.util.find_spec(package) is not None


@functools.cache
def version(runtime: str) -> str:
    """The installed version of a runtime, without its local part; "" where it is not installed."""
    for distribution in DISTRIBUTIONS[runtime]:
        try:
            return metadata.version(distribution).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return ""
