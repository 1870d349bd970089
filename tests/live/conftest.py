"""The place that every performance of these tests has, and that nothing is left in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.place import ShowFolder


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShowFolder]:
    # Known in the environment of every process of this show, so that strays are found.
    monkeypatch.setenv("ANTIPHON_TEST", str(tmp_path))
    place = ShowFolder(tmp_path)
    yield place
    assert place.left_over() == []
