"""A row of the process table, its present process, and that process's use of CPU and memory."""

from __future__ import annotations

import contextlib
import signal
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from streaming.runtime.child_process import ChildProcess
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.telemetry.report import StageRecord


@dataclass
class ProcessSlot:
    """A row of the process table and its present process. Times are monotonic, in ns.

    Attributes:
        process: the row.
        record: the stage's record over all its processes.
        child: the process, None between two of them.
        identity: the process's name on the control link, None until its Hello.
        incarnation: how many processes have filled the row so far.
        since_ns: when the process was spawned.
        last_report_ns: when it reported last.
        spawn_at_ns: when the next one is spawned.
        kill_at_ns: when it is killed, None if it is not to be killed.
        exited_ns: when its exit was first noticed.
        cause: why it failed or is to be killed, "" while unknown.
        renewing: it ends because its device has gone.
        renewed_ns: when that happened last, None for never.
        memo: its data for its successor.
        sent: the settings that it has, with the live controls' values that it got last.
        deaths: when the processes before it died.
        recovering_since_ns: when its predecessor's death was noticed, until it is ready.
        output_lost_ns: the same, until it has published something.
        cpu_before_s: CPU seconds of its predecessors during the performance.
        cpu_base_s: CPU seconds that it had used when the performance began for it.
        cpu_now_s: CPU seconds that it has used.
    """

    process: Process
    record: StageRecord
    child: ChildProcess | None = None
    identity: bytes | None = None
    incarnation: int = 0
    since_ns: int = 0
    last_report_ns: int = 0
    spawn_at_ns: int = 0
    kill_at_ns: int | None = None
    exited_ns: int | None = None
    cause: str = ""
    renewing: bool = False
    renewed_ns: int | None = None
    memo: dict[str, Any] = field(default_factory=dict)
    sent: Show | None = None
    deaths: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    recovering_since_ns: int | None = None
    output_lost_ns: int | None = None
    cpu_before_s: float = 0.0
    cpu_base_s: float = 0.0
    cpu_now_s: float = 0.0

    def done(self) -> bool:
        """Whether the row gets no further process."""
        return self.record.state in ("finished", "lost")

    def mark_start(self) -> None:
        """Mark the start of the performance for this process: its CPU time before that does not count."""
        usage = self.child.usage() if self.child is not None else None
        if usage is not None:
            self.cpu_base_s = self.cpu_now_s = usage[0]

    def clear(self) -> None:
        """Remove a process that has ended; its CPU time is kept."""
        if self.child is not None:
            self.child.close_lifeline()
        self.child, self.identity = None, None
        self.cpu_before_s += max(0.0, self.cpu_now_s - self.cpu_base_s)
        self.cpu_base_s = self.cpu_now_s = 0.0

    def measure(self, elapsed_s: float) -> None:
        """Measure the process's CPU and memory, `elapsed_s` after the start of the performance."""
        usage = self.child.usage() if self.child is not None else None
        if usage is None:
            return
        self.cpu_now_s, megabytes = usage
        if self.record.first is not None:
            if self.record.rss_mb_start is None:
                self.record.rss_mb_start = megabytes
            self.record.sample_rss(elapsed_s, megabytes)
        if elapsed_s > 0.5:
            used_s = self.cpu_before_s + self.cpu_now_s - self.cpu_base_s
            self.record.cpu_percent = 100.0 * used_s / elapsed_s


def cause_of(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
