"""docs/code-map.md says what the docstrings say."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.docs.scripts import load


def test_the_page_in_the_repository_is_up_to_date() -> None:
    code_map = load("code_map")
    assert code_map.PAGE.read_text(encoding="utf-8") == code_map.page(), "type: make docs"


def test_every_room_and_file_has_a_sentence() -> None:
    lines = [line for line in load("code_map").page().splitlines() if line.startswith("| `")]
    assert len(lines) > 150
    assert [line for line in lines if line.endswith("|  |")] == []


def test_rooms_come_first_and_pipes_are_escaped(tmp_path: Path) -> None:
    room = tmp_path / "models" / "colours"
    room.mkdir(parents=True)
    (tmp_path / "run_live.py").write_text('"""The program."""\n')
    (tmp_path / "models" / "__init__.py").write_text('"""Networks."""\n')
    (room / "__init__.py").write_text('"""Colours.\n\nAnd more that is not shown.\n"""\n')
    (room / "red.py").write_text('"""Red | crimson."""\n')
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    text = load("code_map").page(tmp_path)
    assert text.index("| `models/colours/` | Colours |") < text.index("### `models/colours/`")
    assert "| `red.py` | Red \\| crimson |" in text
    assert "not shown" not in text
