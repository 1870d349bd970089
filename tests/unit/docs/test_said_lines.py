"""The lines that the pages quote are lines that the program says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs.scripts import ROOT

PAGES = ("troubleshooting.md", "several-machines.md")
HEADING = "the program says"


@cache
def texts() -> tuple[str, ...]:
    """Every text of the program, with an ellipsis for what is put in."""
    found = []
    for folder in ("streaming", "engines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += _texts_of(path)
    return tuple(found)


def _texts_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            found.append("".join(map(str, parts)))
    return found


def quoted(page: str) -> list[str]:
    """The code spans of the columns that have the program's lines."""
    spans: list[str] = []
    column = None
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            column = None
        elif HEADING in cells:
            column = cells.index(HEADING)
        elif column is not None:
            spans += re.findall(r"`([^`]+)`", cells[column])
    return spans


def is_said(line: str) -> bool:
    """Whether one of the program's texts has the parts of a line, one after another."""
    pattern = re.compile(".*".join(re.escape(part.strip()) for part in line.split("…")), re.DOTALL)
    return any(pattern.search(text) for text in texts())


@pytest.mark.parametrize("page", PAGES)
def test_every_line_is_said_by_the_program(page: str) -> None:
    lines = quoted(page)
    assert len(lines) >= 6
    assert [line for line in lines if not is_said(line)] == []


def test_a_line_that_nobody_says_is_found() -> None:
    assert is_said("another performance uses these sockets")
    assert not is_said("the moon is too bright for … shows")
