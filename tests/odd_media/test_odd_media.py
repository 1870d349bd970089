"""A user's odd files: played as far as FFmpeg plays them, what is lost is said, and no process crashes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.odd_media.images import IMAGES
from tests.odd_media.odd_file import OddFile
from tests.odd_media.sounds import SOUNDS
from tests.odd_media.videos import VIDEOS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
EVERYTHING = (*SOUNDS, *IMAGES, *VIDEOS)
HANDFUL = (
    *("channels-8.wav", "channels-65.wav", "hole.mp3", "six-joined.aac", "absurd.wav", "list.m3u8"),
    *("x-resolution-byte.jpg", "text-huge.png", "bomb.png", "cut.png", "picture.jpg", "hole.ts"),
)
"""Kinds that are opened in every run of the tests."""


def open_all(files: Sequence[OddFile], folder: Path) -> dict[str, dict[str, Any]]:
    """What came of each file, by its name; {"crashed": status} for one that ended the process."""
    for file in files:
        (folder / file.name).write_bytes(file.make())
    results: dict[str, dict[str, Any]] = {}
    waiting = list(files)
    while waiting:
        lines = "".join(f"{file.use} {folder / file.name}\n" for file in waiting)
        command = [sys.executable, "-W", "error", "-m", "tests.odd_media.opening"]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=240, check=False)
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        results |= {Path(report["path"]).name: report for report in reports if "path" in report}
        if done.returncode != 0 or not reports:
            assert reports, done.stderr
            results.setdefault(Path(reports[-1]["begins"]).name, {"crashed": f"{done.returncode} {done.stderr[-400:]}"})
        waiting = [file for file in waiting if file.name not in results]
    return results


def why_wrong(file: OddFile, result: dict[str, Any]) -> str:
    """What is not as the table says, in words; "" where all is well."""
    if "crashed" in result:
        return f"crashed: {result['crashed']}"
    if "refused" in result:
        line = result["refused"]
        if file.low is not None:
            return f"was refused: {line}"
        return "" if file.name in line and "\n" not in line else f"no line that names it: {line}"
    if file.low is None or file.most is None:
        return f"was not refused: {result}"
    if not file.low - 1e-3 <= result["amount"] <= file.most + 1e-3:
        return f"{result['amount']}, expected {file.low} to {file.most}"
    # Whether a cut video counts as damaged depends on what its container says about its length.
    if file.damaged and not result["loss"]:
        return "nobody says that something is lost"
    if file.use == "sound" and result["loss"] and not file.damaged:
        return f"is sound, but: {result['loss']}"
    return ""


def check(files: Sequence[OddFile], folder: Path) -> None:
    """All files, with a list of those that are not as the table says."""
    results = open_all(files, folder)
    wrong = {file.name: why for file in files if (why := why_wrong(file, results[file.name]))}
    assert wrong == {}


def test_there_are_enough_kinds_and_each_has_a_name() -> None:
    assert len({file.name for file in EVERYTHING}) == len(EVERYTHING) >= 200
    assert {file.use for file in EVERYTHING} == {"sound", "image", "video"}


@pytest.mark.parametrize("use", ["sound", "image", "video"])
def test_the_page_of_faults_has_the_counts(use: str) -> None:
    files = [file for file in EVERYTHING if file.use == use]
    counts = [0, 0, 0]
    for file in files:
        counts[2 if file.low is None else int(file.damaged)] += 1
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {use} |"))
    assert [int(cell.strip() or 0) for cell in row.strip("| ").split("|")[1:]] == counts


def test_a_handful_of_odd_files(tmp_path: Path) -> None:
    files = [file for file in EVERYTHING if file.name in HANDFUL]
    assert len(files) == len(HANDFUL)
    check(files, tmp_path)


@pytest.mark.media
@pytest.mark.parametrize("files", [SOUNDS, IMAGES, VIDEOS], ids=["sounds", "images", "videos"])
def test_every_odd_file(files: tuple[OddFile, ...], tmp_path: Path) -> None:
    check(files, tmp_path)
