"""The place of every show with a fault; nothing of it may be left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.place import ShowFolder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShowFolder:
    # Known in the environment of every process of this show, so that strays are found.
    monkeypatch.setenv("ANTIPHON_TEST", str(tmp_path))
    return ShowFolder(tmp_path)
