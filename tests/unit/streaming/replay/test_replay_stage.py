"""A take is sent again, tick for tick, just ahead of the speaker, and ends the show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streaming.replay.replay_stage import LEAD_TICKS, READY_TICKS, ReplayStage
from streaming.schema.messages import Speaker, Tokens
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.devices.films.test_take_file import ticks, write


def started(path: Path, memo: dict[str, int] | None = None) -> tuple[ReplayStage, Context, list[str]]:
    ends: list[str] = []
    context = Context(Show(take=str(path)), Metrics(), finish=ends.append, memo=memo if memo is not None else {})
    stage = ReplayStage()
    stage.setup(context)
    return stage, context, ends


def sent(stage: ReplayStage, positions: range) -> list[Tokens]:
    out = []
    for tick in positions:
        out += list(stage.step(Inputs({"speaker": [Speaker(tick=tick, dac_ns=0)]}, started=True), 0))
    return [one for one in out if isinstance(one, Tokens)]


def test_every_tick_is_sent_once_and_on_time(tmp_path: Path) -> None:
    rows = ticks("int16")
    stage, context, ends = started(write(tmp_path / "a.take", rows))
    out = sent(stage, range(5, 100))
    assert [one.tick - out[0].tick for one in out] == [row.tick for row in rows]
    assert out[0].tick == 5 + READY_TICKS + LEAD_TICKS
    for one, row in zip(out, rows, strict=True):
        np.testing.assert_array_equal(one.frames, row.frames)
    assert ends == ["the take is over"]
    assert context.info["device"] == "take of 2.4 s"


def test_a_restarted_stage_goes_on_where_the_sound_is(tmp_path: Path) -> None:
    rows = ticks("int16")
    path = write(tmp_path / "a.take", rows)
    memo: dict[str, int] = {}
    first, _, _ = started(path, memo)
    before = sent(first, range(0, 20))
    second, _, _ = started(path, memo)
    after = sent(second, range(25, 80))
    assert before[-1].tick == 19 + LEAD_TICKS
    assert after[0].tick == 26
    np.testing.assert_array_equal(after[0].frames, rows[26 - before[0].tick].frames)
