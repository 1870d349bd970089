"""One process of a show, from its parent's side: spawn, assign a stage, poll, dump its stacks, kill, measure."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
import psutil

from streaming.system.files import private_opener

STAGE_COMMAND = (sys.executable, "-m", "streaming.runtime.stage_process")
CHECKOUT = Path(__file__).resolve().parents[3]
MAX_LOG_BYTES = 8_000_000
"""A longer log is emptied, so that a decoder that prints warnings cannot fill the disk in a night."""
ENVIRONMENT = {
    # One thread for each library: a stage is one process on one core, and pools of two stages on two cores only wait
    # for each other.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "fflags;nobuffer|flags;low_delay",
    "OPENCV_LOG_LEVEL": "ERROR",
    "QT_LOGGING_RULES": "*.debug=false;*.info=false;*.warning=false",
    # glibc gives each thread an arena of its own; two are enough, and resident memory stays flat.
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
    "PYTHONSAFEPATH": "1",
}


class ChildProcess:
    """A spawned process that waits on its stdin for one line that assigns it a stage.

    Its stdin is its lifeline: when it ends, the process closes by itself. It has a process group of its own, so that
    Ctrl-C in the terminal reaches the supervisor only. It stays in the terminal's session: where the kernel schedules
    by session (autogroup), niceness counts only among the processes of one session.

    Args:
        command: the program and its arguments.
        log: file for its stdout and stderr, appended to.
        pass_fds: descriptors that it inherits under the same numbers.

    Raises:
        OSError: when there is no descriptor, memory or process left for it.
    """

    def __init__(self, command: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> None:
        self.log = log
        path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
        options: dict[str, Any] = {"process_group": 0} if sys.platform != "win32" else {}
        if pass_fds:
            options["pass_fds"] = tuple(pass_fds)
        with open_log(log) as file:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
                **options,
            )
        self.pid = self._process.pid
        self._meter = UsageMeter(self.pid)

    def assign(self, line: dict[str, Any]) -> None:
        """Send the line that assigns its stage; `poll` notices a process that has already ended."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(msgspec.json.encode(line) + b"\n")

    def poll(self) -> int | None:
        """The exit status (minus the signal's number when it was killed), None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> None:
        """Wait for the exit for at most this long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def close_lifeline(self) -> None:
        """Close its stdin, which makes it close by itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def terminate(self) -> None:
        """Ask it by signal to close."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it at once."""
        self._process.kill()

    def dump_stacks(self) -> None:
        """Make it write the stacks of all its threads into its log."""
        if sys.platform != "win32":
            self._process.send_signal(signal.SIGUSR1)

    def usage(self) -> tuple[float, float] | None:
        """CPU seconds used so far and resident memory in MB (10^6 bytes); None when it is gone."""
        return self._meter.read()

    def last_lines(self, count: int = 5) -> list[str]:
        """The newest lines of its log."""
        return last_lines_of(self.log, count)

    def bound_log(self) -> None:
        """Empty a log that has grown too long."""
        bound_log(self.log)


class UsageMeter:
    """Reads a process's use of CPU and memory.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.Error, OSError):
            self._process = psutil.Process(pid)

    def read(self) -> tuple[float, float] | None:
        """CPU seconds used so far and resident memory in MB (10^6 bytes); None when it cannot be told."""
        if self._process is None:
            return None
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                return times.user + times.system, self._process.memory_info().rss / 1e6
        except (psutil.Error, OSError):
            return None


def open_log(log: Path) -> IO[bytes]:
    """Open a log for appending; its folder is made again if it was removed.

    A log that cannot be written is no reason to do without a stage: its lines are then lost.

    Raises:
        OSError: when there is no descriptor left.
    """
    for _ in range(2):
        try:
            return open(log, "ab", opener=private_opener)
        except OSError:
            with contextlib.suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
    return open(os.devnull, "ab")


def last_lines_of(log: Path, count: int) -> list[str]:
    """The newest lines of a log; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8_192))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def bound_log(log: Path) -> None:
    """Empty a log that has grown too long."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > MAX_LOG_BYTES:
            os.truncate(log, 0)


def log_folder(record: str, run_dir: Path) -> Path:
    """The folder for the stages' logs: `<record>/logs`, or the run folder when nothing is recorded."""
    if record:
        folder = Path(record) / "logs"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return run_dir
