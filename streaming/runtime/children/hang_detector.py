"""Tells a stage that hangs from one that waits for a core: from what the kernel says of its threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MS = 1_000_000
STARVED_NS = 3_000 * MS
"""A stage that gives no sign of life but waits for a core, or for the disk, is given this long."""
BUSY_SHARE = 0.5
"""A silent process that uses more of a core than this is not short of one: it loops."""
WAITED_SHARE = 0.25
"""A silent process whose threads waited for a core for more of the time than this is short of one."""
WAITING = b"RD"
"""States of a thread that would go on if it could: runnable, and waiting for the disk."""
_TICK_NS = 1_000 * MS // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


@dataclass(frozen=True)
class ThreadSample:
    """A process's threads at one moment.

    Attributes:
        at_ns: when.
        cpu_ns: CPU time that all its threads have used.
        states: the kernel's letter for each thread.
        loop_ns: CPU time that its first thread has used, which runs the stage's loop; None where that is not told.
        waited_ns: for how long its threads were runnable and had no core, summed over all.
    """

    at_ns: int
    cpu_ns: int
    states: bytes
    loop_ns: int | None = None
    waited_ns: int = 0


def sample_threads(pid: int, now_ns: int) -> ThreadSample | None:
    """The threads of a process; None where the system does not tell (not Linux), or it is gone."""
    states, cpu_ticks, waited_ns = bytearray(), 0, 0
    loop_ns: int | None = None
    try:
        for entry in os.scandir(f"/proc/{pid}/task"):
            fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            states += fields[0]
            cpu_ticks += int(fields[11]) + int(fields[12])
            ran_ns, waits_ns = _schedule(entry.path)
            waited_ns += waits_ns
            if entry.name == str(pid):
                loop_ns = ran_ns
    except (OSError, ValueError, IndexError):
        return None
    return ThreadSample(now_ns, cpu_ticks * _TICK_NS, bytes(states), loop_ns, waited_ns) if states else None


def _schedule(thread: str) -> tuple[int | None, int]:
    """How long a thread has run, None where a kernel does not tell, and how long it has waited for a core, in ns."""
    try:
        ran, waited = Path(thread, "schedstat").read_bytes().split()[:2]
        return int(ran), int(waited)
    except (OSError, ValueError):
        return None, 0


@dataclass
class HangDetector:
    """Decides whether one process hangs; it is asked in every turn of the supervisor.

    A process is silent when it has missed several signs of life, which its loop gives between two steps. If it is
    stopped, blocked, or busy without an end, it hangs. If its threads wait for a core, or have waited since, the cores
    are overloaded: to kill it then would make the load worse. What they do at the moment does not tell: the supervisor,
    which has a lower priority than they, runs where none of them wants to. If its loop goes on waking, it lives and is
    only not heard: on overloaded cores the supervisor reads late.

    Attributes:
        sample: takes a sample of a process's threads; None where the system does not tell.
        first: the sample from the middle of the silence.
    """

    sample: Callable[[int, int], ThreadSample | None] = sample_threads
    first: ThreadSample | None = None

    def hangs(self, pid: int, silent_ns: int, limit_ns: int, now_ns: int) -> bool:
        """Whether a process that has been silent for `silent_ns` hangs.

        Args:
            pid: the process.
            silent_ns: time since its last sign of life.
            limit_ns: how long its row permits it to be silent.
            now_ns: the time.
        """
        if silent_ns <= limit_ns // 2:
            self.first = None
            return False
        if self.first is None:
            self.first = self.sample(pid, now_ns)
        if silent_ns <= limit_ns:
            return False
        if silent_ns > max(limit_ns, STARVED_NS):
            return True
        first, now = self.first, self.sample(pid, now_ns)
        if first is None or now is None:
            return False
        watched_ns = now.at_ns - first.at_ns
        if watched_ns < limit_ns // 2:
            # The supervisor itself was kept from a core, and saw nothing of the silence yet.
            return False
        if any(state in WAITING for state in now.states):
            return now.cpu_ns - first.cpu_ns >= BUSY_SHARE * watched_ns
        if first.loop_ns is None or now.loop_ns is None:
            return True
        used_ns, waited_ns = now.loop_ns - first.loop_ns, now.waited_ns - first.waited_ns
        wakes = used_ns > 0 or waited_ns > WAITED_SHARE * watched_ns
        lives = wakes and used_ns < BUSY_SHARE * watched_ns
        if lives:
            self.first = now
        return not lives
