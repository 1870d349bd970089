"""A row of the process table, its present process, and that process's use of CPU and memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from streaming.runtime.children.hang_detector import HangDetector
from streaming.runtime.children.warm_spare import Child
from streaming.schema.messages import Health
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.telemetry.report import StageRecord

MS = 1_000_000
PUBLISHED = "published"
"""The stage process's counter of messages sent."""
WORKED_NS = 1_000 * MS
"""A process that was ready for this long has worked."""
FIRST_RETRY_NS, WORKED_AGAIN_NS = 1_000 * MS, 60_000 * MS
"""The first wait of a row that was given up in an installation, and how long it must work until that counts again."""
WORKED_BRIEFLY_DELAY_NS, FIRST_DELAY_NS, MAX_DELAY_NS = 250 * MS, 125 * MS, 2_000 * MS
"""Delays of a restart; see `ProcessSlot.restart_delay_ns`."""


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
        last_report_ns: when it reported last, or later by the time in which the supervisor did not run since.
        heard_ns: when it reported last.
        patience_ns: how much later than usual its next report may come, as it said then.
        ready_ns: when it was ready, None until then.
        spawn_at_ns: when the next one is spawned.
        kill_at_ns: when it is killed, None if it is not to be killed.
        exited_ns: when its exit was first noticed.
        cause: why it failed or is to be killed, "" while unknown.
        renewing: it ends because its device has gone.
        renewed_ns: when that happened last, None for never.
        memo: its data for its successor.
        sent: the settings that it has, with the live controls' values that it got last.
        deaths: when the processes before it died.
        retry_at_ns: when a row that was given up is tried again; kept until it works, None for never.
        retries: how often it was given up and tried again, in a row.
        spawn_failures: attempts in a row to spawn one that the system refused.
        detector: tells whether it hangs.
        recovering_since_ns: when its predecessor's death was noticed, until it is ready.
        output_lost_ns: the same, until it has published something.
        cpu_before_s: CPU seconds of its predecessors during the performance.
        cpu_base_s: CPU seconds that it had used when the performance began for it.
        cpu_now_s: CPU seconds that it has used.
    """

    process: Process
    record: StageRecord
    child: Child | None = None
    identity: bytes | None = None
    incarnation: int = 0
    since_ns: int = 0
    last_report_ns: int = 0
    heard_ns: int = 0
    patience_ns: int = 0
    ready_ns: int | None = None
    spawn_at_ns: int = 0
    kill_at_ns: int | None = None
    exited_ns: int | None = None
    cause: str = ""
    renewing: bool = False
    renewed_ns: int | None = None
    memo: dict[str, Any] = field(default_factory=dict)
    sent: Show | None = None
    deaths: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    retry_at_ns: int | None = None
    spawn_failures: int = 0
    retries: int = 0
    detector: HangDetector = field(default_factory=HangDetector)
    recovering_since_ns: int | None = None
    output_lost_ns: int | None = None
    cpu_before_s: float = 0.0
    cpu_base_s: float = 0.0
    cpu_now_s: float = 0.0

    def recent_deaths(self, now_ns: int) -> int:
        """How many of its processes have died within the row's window."""
        return sum(1 for death in self.deaths if now_ns - death <= self.process.restart_window_s * 1e9)

    def restart_delay_ns(self, now_ns: int) -> int:
        """How long the next process waits after a death, which is in `deaths` already.

        One that worked is replaced at once. One that dies as soon as it works gets a moment; one that dies before it
        works gets more time with each death, for its device or file may come back.
        """
        recent = self.recent_deaths(now_ns)
        if recent <= 1:
            return 0
        if self.ready_ns is None:
            return min(MAX_DELAY_NS, FIRST_DELAY_NS << min(recent, 8))
        return 0 if now_ns - self.ready_ns >= WORKED_NS else WORKED_BRIEFLY_DELAY_NS

    def next_retry_ns(self, longest_ns: int) -> int:
        """How long a row of an installation that is given up waits: twice as long each time, until it has worked."""
        worked_ns = 0 if self.ready_ns is None or not self.deaths else self.deaths[-1] - self.ready_ns
        self.retries = 1 if worked_ns >= WORKED_AGAIN_NS else self.retries + 1
        return min(longest_ns, FIRST_RETRY_NS << min(self.retries - 1, 16))

    def done(self) -> bool:
        """Whether the row gets no further process."""
        return self.record.state in ("finished", "lost")

    def take_health(self, health: Health, now_ns: int, *, current: bool, start_ns: int | None) -> None:
        """Take in a heartbeat.

        Args:
            health: the heartbeat.
            now_ns: the time.
            current: whether it is the present process's, not its predecessor's last one.
            start_ns: when the performance began, where the stage's rate is measured; else None.
        """
        record = self.record
        record.reported = True
        record.totals.add(health)
        if not current:
            return
        record.info.update(health.info)
        if health.memo:
            self.memo = health.memo
        if self.output_lost_ns is not None and health.counters.get(PUBLISHED):
            record.output_ms.append((now_ns - self.output_lost_ns) / MS)
            self.output_lost_ns = None
        if start_ns is not None:
            record.last = (record.totals.counter(PUBLISHED), now_ns)
            record.first = record.first or record.last
            if record.rss_mb_start is None:
                self.measure((now_ns - start_ns) / 1e9)

    def mark_start(self) -> None:
        """Mark the start of the performance for this process: its CPU time before that does not count."""
        usage = self.child.usage() if self.child is not None else None
        if usage is not None:
            self.cpu_base_s = self.cpu_now_s = usage[0]

    def begin_retry(self, now_ns: int) -> None:
        """Try a row that was given up once more: a single death within its window gives it up again."""
        if self.record.state == "lost":
            self.deaths.clear()
            self.deaths.extend([now_ns] * self.process.restarts)
            self.record.state, self.spawn_at_ns = "restarting", now_ns

    def occupy(self, child: Child, now_ns: int) -> None:
        """Take in a new process, which sets up."""
        self.child, self.identity, self.kill_at_ns, self.exited_ns, self.cause = child, None, None, None, ""
        self.since_ns = self.last_report_ns = self.heard_ns = now_ns
        self.ready_ns, self.spawn_failures, self.renewing, self.patience_ns = None, 0, False, 0
        self.record.state = "setup"

    def clear(self) -> None:
        """Remove a process that has ended; its CPU time is kept."""
        if self.child is not None:
            self.child.close_lifeline()
        self.child, self.identity = None, None
        self.detector = HangDetector(self.detector.sample)
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
