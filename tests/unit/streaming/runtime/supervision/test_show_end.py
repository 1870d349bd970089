"""The end of a show, in virtual time: what plans it, what makes it come, and what makes processes close."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from streaming.runtime.children.child_process import ChildProcess
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.supervision.show_end import DUMP_NS, OVERTIME_NS, STOP_NS, TERMINATE_NS, ShowEnd, stop_politely
from streaming.schema.processes import PROCESSES, processes_of
from streaming.settings.config import Show
from streaming.telemetry.report import Ending, StageRecord

S = 1_000_000_000


def end_of(direction: str = "both", duration_s: float | None = None) -> ShowEnd:
    return ShowEnd(Show(direction=direction, duration_s=duration_s), processes_of(direction))


@pytest.mark.parametrize(
    ("stage", "direction", "duration_s", "after_s"),
    [
        ("speaker", "both", 5.0, 0.0),
        ("screen", "both", None, 0.0),
        ("camera", "both", None, 0.4),
        ("camera", "both", 5.0, None),
        ("microphone", "music-to-video", 5.0, 0.4),
        ("microphone", "both", None, None),
        ("motion", "both", None, None),
    ],
)
def test_what_a_finished_stage_means_stands_in_its_row(
    stage: str, direction: str, duration_s: float | None, after_s: float | None
) -> None:
    end = end_of(direction, duration_s)
    end.stage_finished(PROCESSES[stage], 10 * S)
    assert end.planned == (after_s is not None)
    if after_s is None:
        assert end.ending(11 * S, 8 * S) is None
        return
    at_ns = round((10 + after_s) * S)
    assert end.ending(at_ns - 1, 8 * S) is None
    assert end.ending(at_ns, 8 * S) == Ending(0)


def test_the_earliest_end_counts() -> None:
    end = end_of()
    end.stage_finished(PROCESSES["camera"], 10 * S)
    end.stage_finished(PROCESSES["speaker"], 10 * S + 1)
    assert end.ending(10 * S + 1, 0) == Ending(0)


@pytest.mark.parametrize(("direction", "stage"), [("both", "speaker"), ("music-to-video", "microphone")])
def test_a_show_that_nobody_ends_is_ended_and_says_who_should_have(direction: str, stage: str) -> None:
    end = end_of(direction, 5.0)
    assert end.ending(5 * S + OVERTIME_NS, 0) is None
    ending = end.ending(5 * S + OVERTIME_NS + 1, 0)
    assert ending == Ending(1, f"the {stage} did not end the show, 10 s after its duration")
    elsewhere = ShowEnd(Show(direction=direction, duration_s=5.0), [PROCESSES["motion"]])
    ending = elsewhere.ending(5 * S + OVERTIME_NS + 1, 0)
    assert ending is not None
    assert ending.line.startswith("no stage on this machine ended")


def test_a_signal_is_an_interrupt_and_a_second_one_is_in_a_hurry() -> None:
    end = end_of()
    with end.on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        assert (end.ending(1, 0), end.hurried) == (Ending(0), False)
        os.kill(os.getpid(), signal.SIGINT)
        assert end.hurried
    assert end.ending(1, None) == Ending(1, "ended before the performance began")


class StubbornChild:
    """A process that closes at one of the three requests, or at none."""

    def __init__(self, closes_at: str, calls: list[tuple[str, int]], now: list[int]) -> None:
        self.closes_at, self.calls, self.now = closes_at, calls, now
        self.status: int | None = None

    def take(self, request: str) -> None:
        self.calls.append((request, self.now[0]))
        if request == self.closes_at:
            self.status = 0

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.take("terminate")

    def dump_stacks(self) -> None:
        self.take("dump")


@pytest.mark.parametrize(
    ("closes_at", "calls"),
    [
        ("ask", [("ask", 0)]),
        ("terminate", [("ask", 0), ("terminate", STOP_NS)]),
        ("never", [("ask", 0), ("terminate", STOP_NS), ("dump", STOP_NS + TERMINATE_NS)]),
    ],
)
@pytest.mark.parametrize("hurried", [False, True])
def test_a_process_is_asked_then_terminated_then_dumped(
    closes_at: str, calls: list[tuple[str, int]], hurried: bool, tmp_path: Path
) -> None:
    found: list[tuple[str, int]] = []
    now = [0]
    child = StubbornChild(closes_at, found, now)
    row = replace(PROCESSES["sound"], module="x")
    slot = ProcessSlot(row, StageRecord(row, state="running"), child=cast(ChildProcess, child), identity=b"sound:1")

    def listen() -> None:
        now[0] += 20_000_000

    stuck = stop_politely(
        [slot], ask=lambda identity: child.take("ask"), listen=listen, now_ns=lambda: now[0], hurried=lambda: hurried
    )
    assert stuck == ([slot] if closes_at == "never" else [])
    assert [request for request, _ in found] == [request for request, _ in calls]
    for (_, at_ns), (_, least_ns) in zip(found, calls, strict=True):
        assert 0 <= at_ns - max(0, least_ns - (STOP_NS if hurried else 0)) <= 40_000_000
    assert now[0] <= STOP_NS + TERMINATE_NS + DUMP_NS + 40_000_000
