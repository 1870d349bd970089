"""Stages that fail: in their setup, in a step, in what they send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineError
from streaming.errors import DeviceLostError, UserError
from streaming.schema.messages import (
    Failed,
    Health,
    Message,
    Ready,
    Set,
    Tokens,
)
from streaming.settings.config import Links
from streaming.stage import Context, Inputs
from streaming.transport.bus import Publisher
from streaming.transport.links import address_of
from tests.unit.streaming.runtime.stage_supervisor import (
    Fake,
)


def test_failing_steps_are_counted_told_once_and_end_it(supervise: Any) -> None:
    calls = [0]

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        calls[0] += 1
        if calls[0] == 10:
            return []
        raise ZeroDivisionError("no beat")

    supervisor = supervise(Fake(step, wake=lambda: 0))
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 1
    assert calls[0] == 10 + 20
    assert supervisor.totals.counter("errors") == 29
    assert [note for note in supervisor.totals.notes if "no beat" in note] == [
        "tokens: ZeroDivisionError: no beat; it goes on"
    ]
    failed = supervisor.said(Failed)
    assert len(failed) == 1
    assert failed[0].exit_code == 1
    assert "no beat" in failed[0].line
    assert isinstance(supervisor.reports[-1], Failed)


def test_a_stage_whose_device_has_gone_asks_for_a_new_process_at_once(supervise: Any) -> None:
    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        raise DeviceLostError("the device has gone")

    supervisor = supervise(Fake(step, wake=lambda: 0))
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 1
    line = "tokens: the device has gone"
    assert supervisor.said(Failed) == [Failed(stage="tokens", line=line, renew=True)]
    assert supervisor.totals.counter("errors") == 0


def test_output_that_cannot_travel_is_an_error_of_the_step(supervise: Any) -> None:
    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        return [Tokens(tick=1, frames=np.zeros((4, 2), np.complex64))] if inputs.controls else []

    supervisor = supervise(Fake(step))
    supervisor.begin()
    supervisor.tell(Set(name="go"))
    supervisor.until(lambda: supervisor.totals.counter("errors"))
    assert supervisor.end() == 0
    assert supervisor.totals.counter("bad.tokens.dtype") == 1
    assert supervisor.totals.counter("published") == 0


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("is not there", "camera 7", "plug it in"), 2, "camera 7: is not there; plug it in"),
        (EngineError("no runtime; install it"), 2, "no runtime; install it"),
        (RuntimeError("boom"), 1, "tokens: RuntimeError: boom"),
    ],
)
def test_a_failed_setup_says_why_and_closes(supervise: Any, error: Exception, code: int, line: str) -> None:
    def setup(context: Context) -> None:
        raise error

    stage = Fake(setup=setup)
    supervisor = supervise(stage)
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == code
    assert supervisor.said(Failed) == [Failed(stage="tokens", line=line, exit_code=code)]
    assert supervisor.said(Ready) == []
    assert stage.closed == 1


def test_a_module_that_cannot_be_imported_is_a_failed_setup(supervise: Any) -> None:
    supervisor = supervise(None)
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 1
    assert "no_such_module" in supervisor.said(Failed)[0].line


def test_a_second_instance_is_refused(supervise: Any, tmp_path: Path) -> None:
    taken = Publisher("tokens", address_of(Links(run_dir=str(tmp_path)), "tokens", bind=True))
    supervisor = supervise(Fake())
    supervisor.until(lambda: not supervisor.thread.is_alive())
    assert supervisor.end() == 2
    assert "in use" in supervisor.said(Failed)[0].line
    taken.close()


def test_a_memo_that_cannot_travel_is_dropped(supervise: Any) -> None:
    supervisor = supervise(Fake(setup=lambda context: context.memo.update(bad=object())))
    supervisor.begin()
    supervisor.until(lambda: supervisor.totals.counter("errors"))
    assert supervisor.end() == 0
    assert supervisor.said(Health)[0].memo == {}
