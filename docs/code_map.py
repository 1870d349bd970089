"""Writes docs/code-map.md from the first line of each docstring: `python -m docs.code_map [--check]`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.system.generated_pages import write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "code-map.md"
PACKAGES = ("streaming", "engines", "models", "performers", "export", "training", "benchmarks")
HEAD = """# Code map

<!-- Made by `python -m docs.code_map` from the first line of each docstring; change those, not this page. -->

A room is a folder with one purpose. Find the room for your change in the first table, then the file below it. Who may
import whom is drawn in [architecture](architecture.md#rooms-and-imports). `tests/unit` has the same rooms;
`tests/contract` proves the streaming law for every network, `tests/parity` compares runtimes, `tests/replay` runs both
loops without devices, `tests/live` runs whole performances.

## Rooms

| room | what it is |
|---|---|
"""


def first_line(path: Path) -> str:
    """The first line of a module's docstring, without its full stop; empty if there is none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def source_files(root: Path) -> list[Path]:
    """The Python files of the packages below `root`, tracked or about to be, relative to it and sorted."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    paths = {Path(name) for name in names if name.partition("/")[0] in PACKAGES or name == "run_live.py"}
    return sorted(path for path in paths if (root / path).exists())


def rooms(paths: list[Path]) -> list[Path]:
    """The folders that hold an `__init__.py`, the packages in the order of `PACKAGES`, each followed by its rooms."""
    folders = {path.parent for path in paths if path.name == "__init__.py"}
    return sorted(folders, key=lambda folder: (PACKAGES.index(folder.parts[0]), folder.parts))


def page(root: Path = ROOT) -> str:
    """The whole page of the tree below `root`."""
    paths = source_files(root)
    lines = [f"| `{room}/` | {_cell(first_line(root / room / '__init__.py'))} |" for room in rooms(paths)]
    sections = [
        "## Files",
        "### The program",
        "| file | what it is |\n|---|---|",
        f"| `run_live.py` | {_cell(first_line(root / 'run_live.py'))} |",
    ]
    for room in rooms(paths):
        files = [path for path in paths if path.parent == room and path.name != "__init__.py"]
        if files:
            sections += [f"### `{room}/`", "| file | what it is |\n|---|---|"]
            sections += [f"| `{path.name}` | {_cell(first_line(root / path))} |" for path in files]
    text = HEAD + "\n".join(lines) + "\n"
    for section in sections:
        row = section.startswith("| `")
        text += ("" if row else "\n") + section + "\n"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("docs.code_map", {PAGE: page}, arguments)


if __name__ == "__main__":
    sys.exit(main())
