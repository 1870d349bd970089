"""The motion benchmark: a figure for each part, and one line for a film that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.motion import main


def test_each_part_has_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["steady camera", "hand-held camera"]
    assert all("motion features" in line for line in lines)


def test_a_film_that_is_not_there_is_said_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(tmp_path / "none.mp4")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
