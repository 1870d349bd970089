"""The pages for programs that watch over a show: `/metrics` for Prometheus, and `/health`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streaming.remote.installation.health_page import health_of
from streaming.remote.installation.metrics_page import CONTENT_TYPE, Status, metrics_text
from streaming.timing import clock

FRESH_NS = 1_000_000_000
"""A status that is no older than this is given again: many who ask cost no more than one."""
WAIT_S = 3.0
"""For so long the supervisor's answer is awaited."""


class StatusPages:
    """Answers with the supervisor's newest status; used in one event loop.

    Args:
        status: gives the newest status.
        wanted: called when the supervisor is to be asked.
        headers: of every answer.
        now_ns: reads the clock.

    Attributes:
        waiting: how many wait for the supervisor's answer.
    """

    def __init__(
        self,
        status: Callable[[], Status],
        wanted: Callable[[], object],
        headers: Mapping[str, str],
        now_ns: Callable[[], int] = clock.now_ns,
    ) -> None:
        self._status, self._wanted, self._headers, self._now_ns = status, wanted, dict(headers), now_ns
        self.waiting = 0
        self._came = asyncio.Event()
        self._came_ns: int | None = None

    def status_came(self) -> None:
        """There is a newer status."""
        self._came_ns = self._now_ns()
        self._came.set()

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def metrics(self, _: Request) -> Response:
        """The figures, for Prometheus."""
        return Response(metrics_text(await self._fresh()), 200, self._headers, CONTENT_TYPE)

    async def health(self, _: Request) -> Response:
        """Whether the show is well."""
        code, answer = health_of(await self._fresh())
        return JSONResponse(answer, code, self._headers)

    async def _fresh(self) -> Status | None:
        """A status that is new enough; None where the supervisor does not answer."""
        if self._came_ns is None or self._now_ns() - self._came_ns > FRESH_NS:
            self._came.clear()
            self.waiting += 1
            self._wanted()
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._came.wait()
            except TimeoutError:
                return None
            finally:
                self.waiting -= 1
        return self._status()
