"""A supervisor of one stage process that runs in a thread of the test, and a stage for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streaming.runtime import stage_process
from streaming.schema.messages import (
    Control,
    Health,
    Message,
    Motion,
    Ready,
    Report,
    Speaker,
    Start,
    Stop,
)
from streaming.schema.processes import Process
from streaming.settings.config import Links, Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Totals
from streaming.timing import clock
from streaming.transport.bus import ControlHub
from streaming.transport.links import CONTROL, address_of

PATIENCE_NS = 20_000_000_000


CHECKOUT = Path(stage_process.__file__).parents[2]


ROW = Process("tokens", "no_such_module", ("motion", "speaker"), ("speaker",), "tokens")


class Fake:
    """A stage made of functions."""

    def __init__(
        self,
        step: Callable[[Inputs, int], Sequence[Message]] = lambda inputs, now_ns: [],
        setup: Callable[[Context], None] = lambda context: None,
        wake: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._step, self._setup, self._wake = step, setup, wake
        self.closed = 0

    def setup(self, context: Context) -> None:
        self.context = context
        self._setup(context)

    def wake_ns(self) -> int | None:
        return self._wake()

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        return self._step(inputs, now_ns)

    def close(self) -> None:
        self.closed += 1


class StageSupervisor:
    """The other end: runs a stage in a thread and remembers what it said."""

    def __init__(
        self,
        run_dir: Path,
        stage: Any,
        row: Process = ROW,
        memo: dict[str, Any] | None = None,
        *,
        standby: bool = False,
    ) -> None:
        self.show = Show(links=Links(run_dir=str(run_dir)))
        self.hub = ControlHub(address_of(self.show.links, CONTROL, bind=True))
        self.reports: list[Report] = []
        self.totals = Totals()
        self.identity = b""
        self.code: int | None = None

        def run() -> None:
            self.code = stage_process.run_stage(row, stage, self.show, memo or {}, standby=standby)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = clock.now_ns() + PATIENCE_NS
        while not condition():
            assert clock.now_ns() < deadline, self.reports[-5:]
            for identity, report in self.hub.poll(20):
                self.identity = identity
                self.reports.append(report)
                if isinstance(report, Health):
                    self.totals.add(report)

    def said(self, kind: type[Any]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def tell(self, control: Control) -> None:
        self.hub.send(self.identity, control)

    def begin(self) -> None:
        self.until(lambda: self.said(Ready))
        self.tell(Start())

    def end(self) -> int | None:
        """Stop the stage and hear its last words."""
        if self.thread.is_alive() and self.identity:
            self.tell(Stop())
        self.until(lambda: not self.thread.is_alive())
        self.until(lambda: True)
        for _ in range(3):
            for _, report in self.hub.poll(20):
                self.reports.append(report)
                if isinstance(report, Health):
                    self.totals.add(report)
        self.hub.close()
        return self.code


def speaker(tick: int) -> Speaker:
    return Speaker(tick=tick, dac_ns=tick, capture_ns=77, stamps={"speaker": 5})


def motion(tick: int) -> Motion:
    flow = np.full((2, 16, 16), tick, np.float32)
    return Motion(flow=flow, speed=flow[0], embedding=np.zeros(128, np.float32), capture_ns=tick)
