"""Who has a real-time priority, and who does not get it from whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zmq

from streaming.system.realtime import prompt_thread
from streaming.transport.sockets import IO_THREADS, make_socket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SCHED_FIFO is asked for on Linux alone")


def test_a_prompt_thread_starts_what_has_normal_priority() -> None:
    seen: dict[str, int] = {}

    def work() -> None:
        with prompt_thread(1):
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


def test_the_threads_that_carry_its_messages_are_prompt_with_it() -> None:
    """Beside stages a message to the supervisor waited for up to 30 ms for ZeroMQ's thread, which had no priority."""
    link = make_socket(zmq.Context.instance(), zmq.PUB, 1, 100)
    seen: dict[str, set[int]] = {}
    permitted = os.SCHED_FIFO if os.geteuid() == 0 else os.SCHED_OTHER

    def policies() -> set[int]:
        names = {folder: (folder / "comm").read_text() for folder in Path("/proc/self/task").glob("*")}
        carriers = [int(folder.name) for folder, name in names.items() if name.startswith(IO_THREADS)]
        return {os.sched_getscheduler(carrier) & ~os.SCHED_RESET_ON_FORK for carrier in carriers}

    def work() -> None:
        with prompt_thread(1, IO_THREADS):
            seen["within"] = policies()
        seen["after"] = policies()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    link.close()
    assert seen == {"within": {permitted}, "after": {os.SCHED_OTHER}}
