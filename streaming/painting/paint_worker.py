"""Runs a painter in a thread of its own: one picture at a time, and no tick waits for it longer than it is worth.

Warping and showing a picture must be in time at every tick; the painter's change may come a tick late. So this thread
has the lowest real-time priority of all that have one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.system.realtime import take_lowest_realtime
from streaming.timing import clock

NEVER = 0
"""A time that has passed: do not wait."""
NEWEST_SHARE = 0.1
"""Weight of the newest painting in the running mean of how long one takes."""


class PaintResult(NamedTuple):
    """A finished painting.

    change: float32 [S, S, 3], grey levels to be added. took_ns: how long it took. done_ns: when it was finished.
    """

    change: NDArray[np.float32]
    took_ns: int
    done_ns: int


class PaintWorker:
    """A painter and its thread.

    Args:
        opener: opens the painter, in its thread: threads that it starts itself inherit the priority.
        now_ns: reads the clock.

    Attributes:
        engine: the painter's.

    Raises:
        EngineError: when it cannot be opened.
    """

    def __init__(self, opener: Callable[[], Engine], now_ns: Callable[[], int] = clock.now_ns) -> None:
        self._now_ns = now_ns
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="painter", initializer=take_lowest_realtime)
        self._running: Future[PaintResult] | None = None
        self._started_ns, self._usual_ns = 0, 0.0
        try:
            self.engine = self._pool.submit(opener).result()
        except BaseException:
            self.close()
            raise

    @property
    def idle(self) -> bool:
        """Whether `start` may be called: nothing is being painted, and the last result has been taken."""
        return self._running is None

    def start(self, **inputs: Any) -> None:
        """Start to paint; only when it is idle.

        Args:
            inputs: the painter's inputs, see `engines.contract.NETWORKS`; they must not be changed any more.
        """
        self._started_ns = self._now_ns()
        self._running = self._pool.submit(self._paint, inputs)

    def take(self, until_ns: int | None = None) -> PaintResult | None:
        """Take the result, once; None while there is none.

        Args:
            until_ns: wait until then, if the painter can be done by then, going by how long it usually takes; None to
                wait for as long as it takes.

        Raises:
            EngineError: when it could not be painted.
        """
        if self._running is None:
            return None
        if not self._running.done():
            now_ns = self._now_ns()
            if until_ns is None:
                wait([self._running])
            elif now_ns < until_ns and self._started_ns + self._usual_ns <= until_ns:
                wait([self._running], (until_ns - now_ns) / 1e9)
        if not self._running.done():
            return None
        finished, self._running = self._running, None
        result = finished.result()
        self._usual_ns += NEWEST_SHARE * (result.took_ns - self._usual_ns)
        return result

    def close(self) -> None:
        """End, without waiting for what is still being painted."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _paint(self, inputs: dict[str, Any]) -> PaintResult:
        started_ns = self._now_ns()
        change = np.asarray(self.engine.step(**inputs)["change"], np.float32)
        done_ns = self._now_ns()
        return PaintResult(change, done_ns - started_ns, done_ns)
