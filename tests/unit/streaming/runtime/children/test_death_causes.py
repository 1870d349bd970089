"""A crash of native code names the user's files that the stage read; any other death names none."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from streaming.runtime.children.death_causes import CRASHES, cause_of, user_files
from streaming.schema.processes import PROCESSES, rows_of_replay
from streaming.settings.config import Show


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_names_the_files(crash: signal.Signals) -> None:
    line = cause_of(-crash, ["clip.mp4"])
    assert f"({crash.name}) while it read clip.mp4; convert this file" in line
    assert cause_of(-crash) == f"was killed by {crash.name}"


def test_another_death_does_not_blame_a_file() -> None:
    assert cause_of(-signal.SIGKILL, ["clip.mp4"]) == "was killed by SIGKILL"
    assert cause_of(3, ["clip.mp4"]) == "ended with status 3"
    assert cause_of(-200, ["clip.mp4"]) == "was killed by 200"


def test_the_files_are_those_that_the_settings_name(tmp_path: Path) -> None:
    clip, sound, prior = (str(tmp_path / name) for name in ("a.mp4", "a.wav", "a.png"))
    show = Show(camera=f"file:{clip}", microphone=f"file:{sound}", controls={"prior": prior}, take="one.take")
    found = {name: list(user_files(row, show)) for name, row in PROCESSES.items()}
    assert {name: files for name, files in found.items() if files} == {
        "camera": [clip],
        "microphone": [sound],
        "scene": [prior],
    }
    replay = {row.name: list(user_files(row, show)) for row in rows_of_replay()}
    assert replay["tokens"] == ["one.take"]


@pytest.mark.parametrize("device", ["performer:drums@1", "0", "rtsp://camera/1", "auto"])
def test_a_device_is_no_file(device: str) -> None:
    show = Show(camera=device, microphone="self")
    assert [*user_files(PROCESSES["camera"], show), *user_files(PROCESSES["microphone"], show)] == []
