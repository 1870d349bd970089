"""What tests of cameras share: an invented clock to run them on, and what they said."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from streaming.devices.cameras.frames import CameraSource, Frame
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock

MS = 1_000_000


def a_context() -> Context:
    """A stage's context at one second of an invented clock."""
    return Context(Show(), Metrics(), now_ns=1_000 * MS)


def play(source: CameraSource, origin_ns: int, until_ns: int) -> Iterator[Frame]:
    """Run a started source on an invented clock: asked exactly when it wants to be."""
    now_ns = origin_ns
    give_up_ns = clock.now_ns() + 20_000 * MS
    while now_ns <= until_ns and not source.finished and clock.now_ns() < give_up_ns:
        frame = source.poll(now_ns)
        if frame is not None:
            yield frame
        wake_ns = source.wake_ns()
        if wake_ns is not None:
            now_ns = max(now_ns, wake_ns)
        elif not source.finished:
            threading.Event().wait(0.001)  # the decoding thread is at work


def started(source: CameraSource, context: Context, start_ns: int = 2_000 * MS) -> CameraSource:
    source.open(context)
    source.start(start_ns, start_ns)
    return source


def notes(context: Context) -> list[str]:
    return context.metrics.take().notes


def counters(context: Context) -> dict[str, int]:
    return context.metrics.take().counters
