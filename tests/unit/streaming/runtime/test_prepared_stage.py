"""A stage that is prepared beside another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streaming.schema.messages import (
    Alive,
    Enter,
    Failed,
    Message,
    Prepared,
    Ready,
    Scene,
    Set,
    Stop,
)
from streaming.schema.processes import Process
from streaming.stage import Inputs
from streaming.transport.bus import Publisher
from streaming.transport.links import address_of
from tests.unit.streaming.runtime.stage_supervisor import (
    Fake,
    StageSupervisor,
)


def test_a_stage_that_is_prepared_beside_another_takes_its_place_when_told_to(tmp_path: Path) -> None:
    """It binds nothing before, keeps what was set meanwhile, and awaits its states as any stage does."""
    heard: list[Set] = []
    row = Process("flow", "no_such_module", ("scene",), ("scene",), "flow", awaits=("scene",))

    def step(inputs: Inputs, now_ns: int) -> Sequence[Message]:
        heard.extend(inputs.controls)
        return []

    stage = Fake(step)
    supervisor = StageSupervisor(tmp_path, stage, row, standby=True)
    links = supervisor.show.links
    old = Publisher("flow", address_of(links, "flow", bind=True))
    scenes = Publisher("scene", address_of(links, "scene", bind=True))
    supervisor.until(lambda: supervisor.said(Prepared))
    supervisor.tell(Set(name="motion", value=2.0))
    supervisor.until(lambda: len(supervisor.said(Alive)) >= 3)
    assert supervisor.said(Ready) == supervisor.said(Failed) == heard == []
    old.close()
    supervisor.tell(Enter())
    scenes.send(Scene(identity="one", image=np.zeros((4, 4, 3), np.uint8), still=np.zeros((128, 128, 3), np.uint8)))

    def is_ready() -> bool:
        scenes.welcome()
        return bool(supervisor.said(Ready))

    supervisor.until(is_ready)
    assert [(one.name, one.value) for one in heard] == [("motion", 2.0)]
    supervisor.tell(Stop())
    supervisor.thread.join(20.0)
    supervisor.hub.close()
    scenes.close()
    assert (supervisor.code, stage.closed) == (0, 1)


def test_a_stage_that_is_prepared_in_vain_ends_when_told_to(tmp_path: Path) -> None:
    stage = Fake()
    supervisor = StageSupervisor(tmp_path, stage, standby=True)
    supervisor.until(lambda: supervisor.said(Prepared))
    supervisor.tell(Stop())
    supervisor.thread.join(20.0)
    supervisor.hub.close()
    assert (supervisor.code, stage.closed, supervisor.said(Ready)) == (0, 1, [])
