"""The life of a stage process: setup, readiness, steps, controls, heartbeats, the end."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from engines.contract import EngineSpec
from streaming.errors import UserError
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import (
    TOPICS,
    Confirmation,
    Failed,
    Finished,
    Flow,
    Health,
    Hello,
    Load,
    Message,
    Motion,
    Ready,
    Scene,
    Set,
    Speaker,
    Start,
    Tokens,
)
from streaming.schema.processes import ANY, Process
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport.bus import Publisher, Subscriber
from streaming.transport.links import address_of
from streaming.transport.sockets import Poller
from tests.unit.streaming.runtime.stage_supervisor import (
    PATIENCE_NS,
    Fake,
    motion,
    speaker,
)


def test_a_whole_life(supervise: Any, tmp_path: Path) -> None:
    steps: list[Inputs] = []

    def setup(context: Context) -> None:
        context.info["device"] = "fake"
        context.memo["count"] = context.memo.get("count", 0) + 1
        context.note("hello")
        assert context.now_ns > 0

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        steps.append(inputs)
        for control in inputs.controls:
            if control.name == "end":
                stage.context.finish("all played")
        return [
            Tokens(tick=m.tick, frames=np.zeros((4, 2), np.int16), capture_ns=m.capture_ns, stamps=dict(m.stamps))
            for m in inputs.all(Speaker)
        ]

    stage = Fake(step, setup)
    supervisor = supervise(stage, memo={"count": 4})
    supervisor.until(lambda: supervisor.said(Ready))
    assert isinstance(supervisor.reports[0], Hello)
    assert supervisor.reports[0].pid == os.getpid()
    assert supervisor.identity == f"tokens:{os.getpid()}".encode()
    assert supervisor.said(Ready)[0].info == {"device": "fake"}

    supervisor.tell(Set(name="temperature", value=0.5))
    supervisor.until(lambda: steps)
    assert not steps[0].started
    assert [(c.name, c.value) for c in steps[0].controls] == [("temperature", 0.5)]
    supervisor.tell(Start())
    supervisor.until(lambda: steps[-1].started)

    source = Publisher("speaker", address_of(supervisor.show.links, "speaker", bind=True))
    reader = Subscriber({"tokens": address_of(supervisor.show.links, "tokens")}, Metrics())
    heard: list[Message] = []
    deadline, tick = clock.now_ns() + PATIENCE_NS, 0
    while len(heard) < 5:
        assert clock.now_ns() < deadline
        source.send(speaker(tick))
        tick += 1
        Poller(reader).wait(clock.now_ns() + 20_000_000)
        heard += reader.drain().get("tokens", [])
    assert [m.seq for m in heard] == list(range(heard[0].seq, heard[0].seq + len(heard)))
    assert all(m.capture_ns == 77 and m.stamps["speaker"] == 5 and m.stamps["tokens"] > 0 for m in heard)
    source.close()
    reader.close()

    supervisor.tell(Set(name="end"))
    supervisor.until(lambda: supervisor.said(Finished))
    assert supervisor.said(Finished) == [Finished(stage="tokens", reason="all played")]
    assert supervisor.end() == 0
    assert stage.closed == 1
    assert supervisor.totals.counter("published") == sum(len(inputs.all(Speaker)) for inputs in steps)
    assert supervisor.totals.histograms["step_ms"].n == len(steps)
    assert list(supervisor.totals.notes) == ["hello"]
    assert supervisor.said(Health)[-1].memo == {"count": 5}
    assert not (tmp_path / "tokens.sock").exists()


def test_a_stage_is_ready_when_it_has_had_the_state_that_it_awaits(supervise: Any) -> None:
    steps: list[Inputs] = []

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        steps.append(inputs)
        if inputs.all(Scene):
            stage.context.info["scene"] = "taken"
        return []

    stage = Fake(step)
    row = Process("flow", "no_such_module", ("scene",), ("scene",), "flow", ANY, awaits=("scene",))
    supervisor = supervise(stage, row=row)
    supervisor.until(lambda: len(supervisor.said(Health)) >= 2)
    assert supervisor.said(Ready) == [], "it waits, and lives"
    source = Publisher("scene", address_of(supervisor.show.links, "scene", bind=True))
    still = np.zeros((128, 128, 3), np.uint8)
    source.send(Scene(identity="one", image=np.zeros((512, 512, 3), np.uint8), still=still))
    supervisor.until(lambda: source.welcome() or supervisor.said(Ready))
    supervisor.until(lambda: supervisor.said(Ready))
    assert supervisor.said(Ready) == [Ready(stage="flow", info={"scene": "taken"})]
    source.close()
    assert supervisor.end() == 0


def test_a_step_that_fails_with_the_awaited_state_makes_nothing_ready(supervise: Any) -> None:
    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        raise UserError("cannot be shown", "the screen", "choose another")

    row = Process("flow", "no_such_module", ("scene",), ("scene",), "flow", ANY, awaits=("scene",))
    supervisor = supervise(Fake(step), row=row)
    source = Publisher("scene", address_of(supervisor.show.links, "scene", bind=True))
    image, still = np.zeros((512, 512, 3), np.uint8), np.zeros((128, 128, 3), np.uint8)
    source.send(Scene(identity="one", image=image, still=still))
    supervisor.until(lambda: source.welcome() or supervisor.said(Failed))
    supervisor.until(lambda: supervisor.said(Failed))
    assert supervisor.said(Failed)[0].line == "the screen: cannot be shown; choose another"
    assert supervisor.said(Ready) == []
    source.close()
    assert supervisor.end() == 2


def test_a_stage_confirms_controls(supervise: Any) -> None:
    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        for control in inputs.controls:
            bad = UserError("is no picture", str(control.value), "give another") if control.value == "bad" else None
            stage.context.confirm(control, bad)
        return []

    stage = Fake(step)
    supervisor = supervise(stage)
    supervisor.begin()
    for value in ("good", "bad"):
        supervisor.tell(Set(name="prior", value=value))
    supervisor.until(lambda: len(supervisor.said(Confirmation)) == 2)
    assert supervisor.said(Confirmation) == [
        Confirmation(stage="tokens", name="prior", value="good"),
        Confirmation(stage="tokens", name="prior", value="bad", refusal=["is no picture", "bad", "give another"]),
    ]
    assert supervisor.end() == 0


def test_heartbeats_come_without_any_input(supervise: Any) -> None:
    supervisor = supervise(Fake())
    supervisor.begin()
    supervisor.until(lambda: len(supervisor.said(Health)) >= 3)
    assert supervisor.end() == 0


def test_an_engine_that_took_anothers_place_is_said_with_the_next_heartbeat(supervise: Any) -> None:
    engine = SimpleNamespace(spec=EngineSpec("translator", "torch"))
    supervisor = supervise(Fake(setup=lambda context: context.add_engines(engine)))
    supervisor.begin()
    supervisor.until(lambda: supervisor.said(Health))
    assert supervisor.said(Ready)[0].info["engines"]["translator"].startswith("torch")
    assert not any(health.info for health in supervisor.said(Health)), "nothing is otherwise"
    engine.spec = EngineSpec("translator", "onnxruntime")
    supervisor.until(lambda: any(health.info for health in supervisor.said(Health)))
    supervisor.until(lambda: not supervisor.said(Health)[-1].info)
    assert supervisor.end() == 0
    (info,) = (health.info for health in supervisor.said(Health) if health.info)
    assert info["backend"] == "onnxruntime"
    assert info["engines"]["translator"].startswith("onnxruntime")


def test_a_step_by_the_clock_reads_the_newest_of_what_does_not_wake(supervise: Any) -> None:
    seen: list[tuple[int, int | None]] = []
    due: list[int] = []

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        newest = inputs.latest(Motion)
        assert len(inputs.all(Motion)) <= 1
        seen.append((now_ns - due[0] if due else 0, newest.capture_ns if newest else None))
        due[:] = [now_ns + 60_000_000]
        return []

    supervisor = supervise(Fake(step, wake=lambda: due[0] if due else None))
    supervisor.begin()
    source = Publisher("motion", address_of(supervisor.show.links, "motion", bind=True))
    sent = [0]
    heard = [0]

    def publish() -> bool:
        sent[0] += 1
        source.send(motion(sent[0]))
        heard[0] = sum(1 for _, capture in seen if capture is not None)
        return heard[0] >= 5

    supervisor.until(publish)
    assert supervisor.end() == 0
    source.close()
    assert all(late >= 0 for late, _ in seen)
    captures = [capture for _, capture in seen if capture is not None]
    assert captures == sorted(set(captures))
    # Some were superseded: the clock asked for fewer than were sent, and the rest is counted.
    assert supervisor.totals.counter("drops.motion") > 0
    assert len(seen) < sent[0]


def test_of_a_topic_whose_newest_come_together_as_many_are_held(supervise: Any) -> None:
    held: list[list[int]] = []
    due: list[int] = []

    def step(inputs: Inputs, now_ns: int) -> list[Message]:
        held.append([flow.tick for flow in inputs.all(Flow)])
        due[:] = [now_ns + 300_000_000]
        return []

    row = Process("tokens", "no_such_module", ("flow",), (), "tokens")
    supervisor = supervise(Fake(step, wake=lambda: due[0] if due else None), row=row)
    supervisor.begin()
    source = Publisher("flow", address_of(supervisor.show.links, "flow", bind=True))
    sent = [0]

    def publish() -> bool:
        sent[0] += 1
        source.send(Flow(tick=sent[0], flow=np.zeros((2, 16, 16), np.float32)))
        return sum(map(bool, held)) >= 5

    supervisor.until(publish)
    assert supervisor.end() == 0
    source.close()
    ticks = [tick for some in held for tick in some]
    assert ticks == sorted(set(ticks))
    assert max(map(len, held)) == TOPICS["flow"].together > 1
    # Every tick that came after the first one heard was held, superseded and counted, or came after the last step.
    assert supervisor.totals.counter("drops.flow") >= ticks[-1] - ticks[0] + 1 - len(ticks) > 0


def test_wake_makes_it_step_from_any_thread(supervise: Any) -> None:
    steps: list[int] = []

    def count(inputs: Inputs, now_ns: int) -> list[Message]:
        steps.append(now_ns)
        return []

    stage = Fake(count)
    supervisor = supervise(stage)
    supervisor.begin()
    supervisor.until(lambda: steps)
    before = len(steps)
    stage.context.wake()
    supervisor.until(lambda: len(steps) > before)
    assert supervisor.end() == 0


def test_a_stage_reads_how_much_the_show_gives_up_and_a_strange_level_is_bounded(supervise: Any) -> None:
    stage = Fake()
    supervisor = supervise(stage)
    supervisor.begin()
    assert stage.context.load_level is LoadLevel.FULL
    for level, read in ((2, LoadLevel.PICTURE_RATE), (99, max(LoadLevel)), (-3, LoadLevel.FULL)):
        supervisor.tell(Load(level=level))
        supervisor.until(lambda read=read: stage.context.load_level is read)
    assert supervisor.end() == 0
