"""Who has a real-time priority, and who does not get it from whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from streaming.system.realtime import prompt_thread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SCHED_FIFO is asked for on Linux alone")


def test_a_prompt_thread_starts_what_has_normal_priority() -> None:
    seen: dict[str, int] = {}

    def work() -> None:
        with prompt_thread():
            seen["within"] = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
            other = threading.Thread(target=lambda: seen.update(thread=os.sched_getscheduler(0)))
            other.start()
            other.join()
            words = [sys.executable, "-I", "-S", "-c", "import os; print(os.sched_getscheduler(0))"]
            seen["process"] = int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        seen["after"] = os.sched_getscheduler(0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    permitted = os.SCHED_FIFO if os.geteuid() == 0 else os.SCHED_OTHER
    assert seen.pop("within") == permitted
    assert set(seen.values()) == {os.SCHED_OTHER}
