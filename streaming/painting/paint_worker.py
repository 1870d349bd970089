"""A painter in a thread of its own: it paints one picture at a time, and nobody waits for it longer than it is worth.

What moves the still and shows it must be in time at every tick; what is painted may be a tick late. So of all that has
real-time priority this thread has the least.
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
"""A time that has been: nothing is waited for."""
SHARE = 0.1
"""Of how long it usually takes to paint, so much is how long the last took."""


class PaintResult(NamedTuple):
    """What was painted: what is to be added, float32 [S, S, 3]; how long it took, and when it was done."""

    change: NDArray[np.float32]
    took_ns: int
    done_ns: int


class PaintWorker:
    """Where a painter paints.

    Args:
        opener: opens it, in its thread: what it computes with more threads has their priority.
        now_ns: reads the clock.

    Attributes:
        engine: the painter's.

    Raises:
        EngineError: when it cannot be opened.
    """

    def __init__(self, opener: Callable[[], Engine], now_ns: Callable[[], int] = clock.now_ns) -> None:
        self._now_ns = now_ns
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="painter", initializer=take_lowest_realtime)
        self._coming: Future[PaintResult] | None = None
        self._begun_ns, self._usual_ns = 0, 0.0
        try:
            self.engine = self._pool.submit(opener).result()
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> bool:
        """Whether it can be asked: nothing is being painted, and what was has been taken away."""
        return self._coming is None

    def ask(self, **told: Any) -> None:
        """Have it paint, only when it is free: the painter's inputs, which must not be changed any more."""
        self._begun_ns = self._now_ns()
        self._coming = self._pool.submit(self._paint, told)

    def take(self, until_ns: int | None = None) -> PaintResult | None:
        """Take what was painted, once; None while there is nothing.

        Args:
            until_ns: so long it is waited for if it can be done by then, going by how long it usually takes; None for
                as long as it takes.

        Raises:
            EngineError: when it could not be painted.
        """
        if self._coming is None:
            return None
        if not self._coming.done():
            now_ns = self._now_ns()
            if until_ns is None:
                wait([self._coming])
            elif now_ns < until_ns and self._begun_ns + self._usual_ns <= until_ns:
                wait([self._coming], (until_ns - now_ns) / 1e9)
        if not self._coming.done():
            return None
        coming, self._coming = self._coming, None
        painting = coming.result()
        self._usual_ns += SHARE * (painting.took_ns - self._usual_ns)
        return painting

    def close(self) -> None:
        """Wait for nothing that is still being painted."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _paint(self, told: dict[str, Any]) -> PaintResult:
        begun_ns = self._now_ns()
        change = np.asarray(self.engine.step(**told)["change"], np.float32)
        done_ns = self._now_ns()
        return PaintResult(change, done_ns - begun_ns, done_ns)
