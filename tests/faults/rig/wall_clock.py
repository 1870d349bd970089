"""Steps the wall clock of a show's processes, and of nobody else: a library that is loaded before all others."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead_s;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("ANTIPHON_TEST_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof *ahead_s, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead_s = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = syscall(SYS_clock_gettime, clock, now);
    if (!status && ahead_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead_s;
    return status;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec whole;
    clock_gettime(CLOCK_REALTIME, &whole);
    now->tv_sec = whole.tv_sec;
    now->tv_usec = whole.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec whole;
    clock_gettime(CLOCK_REALTIME, &whole);
    if (now) *now = whole.tv_sec;
    return whole.tv_sec;
}
"""


class WallClock:
    """The wall clock of all processes that are begun with `prefix`; what the kernel itself waits for is not stepped.

    Args:
        folder: where its library and its step lie.
    """

    def __init__(self, folder: Path) -> None:
        source, self.library, self._step = folder / "ahead.c", folder / "ahead.so", folder / "ahead"
        source.write_text(SOURCE)
        assert COMPILER is not None
        subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", str(self.library), str(source)], check=True)
        self._step.write_bytes(struct.pack("=q", 0))

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command."""
        return ("env", f"LD_PRELOAD={self.library}", f"ANTIPHON_TEST_AHEAD={self._step}")

    def step(self, ahead_s: int) -> None:
        """Let it be so far ahead of the true time from now on."""
        with self._step.open("r+b") as file:
            file.write(struct.pack("=q", ahead_s))

    def is_used_by(self, pid: int) -> bool:
        """Whether a process has it."""
        return str(self.library) in Path(f"/proc/{pid}/maps").read_text()
