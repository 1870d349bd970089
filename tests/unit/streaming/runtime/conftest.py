"""The supervisor of one stage process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.streaming.runtime.stage_supervisor import StageSupervisor


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., StageSupervisor]]:
    made: list[StageSupervisor] = []

    def make(stage: Any, **options: Any) -> StageSupervisor:
        made.append(StageSupervisor(tmp_path, stage, **options))
        return made[-1]

    yield make
    for supervisor in made:
        if supervisor.thread.is_alive():
            supervisor.end()
