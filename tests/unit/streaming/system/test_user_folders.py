"""Where a user's files lie: where the user says, else where the system keeps such files."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.system.user_folders import config_folder, data_folder


def test_the_users_word_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTIPHON_CONFIG", "ANTIPHON_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    assert (config_folder(), data_folder()) == (Path("/c/antiphon"), Path("/d/antiphon"))
    monkeypatch.setenv("ANTIPHON_CONFIG", "/mine")
    monkeypatch.setenv("ANTIPHON_DATA", "/images")
    assert (config_folder(), data_folder()) == (Path("/mine"), Path("/images"))
