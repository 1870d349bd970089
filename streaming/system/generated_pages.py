"""Writes pages that are made from tables, or only compares them: what every program that makes one does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def in_table(text: str) -> str:
    """A text for one cell of a table: its own bars end no cell."""
    return text.replace("|", "\\|")


def write_or_check(
    program: str,
    pages: Mapping[Path, Callable[[], str]],
    arguments: Sequence[str] | None = None,
    *,
    content: Callable[[str], object] = str,
) -> int:
    """Write generated pages, or with `--check` only compare them.

    Args:
        program: the module that is run, as `python -m` takes it.
        pages: for each file what makes its text.
        arguments: those of the command line; by default this process's own.
        content: what of a text is compared.

    Returns:
        0 when the pages are right, 1 when `--check` found one out of date.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("--check", action="store_true", help="only say whether what is generated is up to date")
    only_check = parser.parse_args(arguments).check
    status = 0
    for path, make in pages.items():
        text = make()
        if not only_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or content(path.read_text(encoding="utf-8")) != content(text):
            sys.stderr.write(f"{path}: out of date; type: python -m {program}\n")
            status = 1
    return status
