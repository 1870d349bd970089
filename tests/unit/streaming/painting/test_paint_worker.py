"""A painter in a thread of its own: waited for as long as it is worth, never asked twice at once."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineError, EngineSpec
from streaming.painting.paint_worker import NEVER, PaintWorker

DEADLINE_S = 10.0
MS = 1_000_000


class SlowPainter:
    """Paints what it is told when it may, and says in which thread and with which priority."""

    def __init__(self) -> None:
        self.spec = EngineSpec("painter", "fake")
        self.may, self.begun = threading.Event(), threading.Event()
        self.may.set()
        self.thread, self.opened_in = 0, threading.get_ident()
        self.scheduled: tuple[int, int] | None = None
        self.clock_ns, self.takes_ns = 0, 0

    def step(self, **told: Any) -> dict[str, np.ndarray]:
        self.begun.set()
        assert self.may.wait(DEADLINE_S)
        self.thread = threading.get_ident()
        if sys.platform == "linux":
            self.scheduled = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
        if told.get("fails"):
            raise EngineError("the painter is broken")
        self.clock_ns += self.takes_ns
        return {"change": np.full((2, 2, 3), told["value"], np.float64)}

    def reset(self) -> None:
        pass


def worker_of(painter: SlowPainter) -> PaintWorker:
    return PaintWorker(lambda: painter, lambda: painter.clock_ns)


def test_it_is_painted_in_another_thread_and_taken_once() -> None:
    painter = SlowPainter()
    worker = worker_of(painter)
    assert worker.idle
    assert worker.take() is None
    painter.takes_ns = 5 * MS
    worker.start(value=3.0)
    assert not worker.idle
    found = worker.take()
    assert found is not None
    assert found.change.dtype == np.float32
    assert (found.change == 3.0).all()
    assert (found.took_ns, found.done_ns) == (5 * MS, 5 * MS)
    assert worker.idle
    assert worker.take() is None
    assert painter.thread != threading.get_ident()
    worker.close()


def test_what_is_not_done_in_time_is_not_waited_for_and_is_there_later() -> None:
    painter = SlowPainter()
    worker = worker_of(painter)
    painter.may.clear()
    worker.start(value=1.0)
    assert painter.begun.wait(DEADLINE_S)
    assert worker.take(NEVER) is None
    assert worker.take(painter.clock_ns + 2 * MS) is None, "2 ms are waited"
    assert not worker.idle
    painter.may.set()
    found = worker.take()
    assert found is not None
    assert (found.change == 1.0).all()
    worker.close()


def test_what_usually_takes_too_long_is_not_waited_for_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    painter = SlowPainter()
    worker = worker_of(painter)
    painter.takes_ns = 50 * MS
    for _ in range(40):
        worker.start(value=1.0)
        assert worker.take() is not None
    waited: list[float | None] = []
    monkeypatch.setattr("streaming.painting.paint_worker.wait", lambda futures, timeout=None: waited.append(timeout))
    painter.may.clear()
    worker.start(value=2.0)
    begun_ns = painter.clock_ns
    assert worker.take(begun_ns + 45 * MS) is None
    assert waited == []
    assert worker.take(begun_ns + 55 * MS) is None
    assert waited == [0.055]
    painter.may.set()
    worker.close()


def test_what_goes_wrong_is_told_to_who_takes_it_and_then_it_may_be_asked_again() -> None:
    worker = worker_of(SlowPainter())
    worker.start(fails=True)
    with pytest.raises(EngineError, match="broken"):
        worker.take()
    assert worker.idle
    worker.start(value=1.0)
    assert worker.take() is not None
    worker.close()


def test_a_painter_that_cannot_be_opened_is_told_and_leaves_no_thread() -> None:
    def fails() -> Any:
        raise EngineError("no painter")

    before = threading.active_count()
    with pytest.raises(EngineError, match="no painter"):
        PaintWorker(fails)
    for thread in threading.enumerate():
        if thread.name.startswith("painter"):
            thread.join(DEADLINE_S)
    assert threading.active_count() <= before


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_FIFO is Linux's")
def test_of_what_is_real_time_it_comes_last() -> None:
    found: list[tuple[int, int] | None] = []

    def work() -> None:
        for priority in (0, 3):
            if priority:
                try:
                    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))  # noqa: TID251
                except PermissionError:
                    return
            painter = SlowPainter()
            worker = worker_of(painter)
            worker.start(value=1.0)
            worker.take()
            found.append(painter.scheduled)
            worker.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(DEADLINE_S)
    assert found[0] == (os.SCHED_OTHER, 0), "who had no priority gets none"
    assert found[1:] in ([], [(os.SCHED_FIFO, 1)])
