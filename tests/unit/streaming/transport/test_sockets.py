"""Waking from any thread, and waiting until a deadline."""

from __future__ import annotations

import threading
from typing import Any

from streaming.timing import clock
from streaming.transport.sockets import Poller, Waker
from tests.unit.streaming.transport.bus_messages import PATIENCE_NS


def test_waker_wakes_from_a_thread_and_never_blocks(closing: Any) -> None:
    waker = closing(Waker())
    poller = Poller(waker)
    assert not waker.clear()
    thread = threading.Thread(target=lambda: [waker.wake() for _ in range(200_000)])
    thread.start()
    assert poller.wait(clock.now_ns() + PATIENCE_NS)
    thread.join()
    assert waker.clear()
    while waker.clear():
        pass
    assert not poller.wait(clock.now_ns() + 2_000_000)
    waker.wake()
    assert poller.wait()


def test_poller_never_returns_before_the_deadline(closing: Any) -> None:
    poller = Poller(closing(Waker()))
    for ms in (0.0, 0.4, 1.7, 3.3):
        deadline = clock.now_ns() + int(ms * 1e6)
        assert not poller.wait(deadline)
        assert clock.now_ns() >= deadline
