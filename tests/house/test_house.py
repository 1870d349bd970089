"""The house rules that no linter knows: sizes of rooms and functions, one name one thing, where tests lie."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("performers", "models", "engines", "streaming", "export", "training", "benchmarks")
MOST_FILES = 12
LONGEST_FUNCTION = 60


@cache
def sources() -> dict[str, ast.Module]:
    """Path from the root -> its syntax tree, for every Python file that is tracked or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = sorted(set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))
    return {name: ast.parse((ROOT / name).read_text("utf-8")) for name in names if (ROOT / name).exists()}


def of_the_program() -> dict[str, ast.Module]:
    return {name: tree for name, tree in sources().items() if name.partition("/")[0] in PACKAGES}


def test_no_room_holds_more_files_than_a_newcomer_can_take_in() -> None:
    rooms = Counter(str(Path(name).parent) for name in sources() if Path(name).name != "__init__.py")
    assert {room: count for room, count in rooms.items() if count > MOST_FILES} == {}


def test_functions_can_be_read_at_once() -> None:
    long = {
        f"{name}:{node.name}": node.end_lineno - node.lineno + 1
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}


def test_a_class_name_is_one_thing() -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for name, tree in of_the_program().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                where[node.name.lstrip("_")].append(name)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_tests_lie_where_what_they_test_lies() -> None:
    rooms = {str(Path(name).parent) for name in of_the_program()}
    tested = {str(Path(name).parent) for name in sources() if name.startswith("tests/unit/")}
    astray = sorted(room for room in tested if room.removeprefix("tests/unit/") not in rooms | {"docs"})
    assert astray == []


def test_every_file_begins_with_one_sentence() -> None:
    silent = [name for name, tree in sources().items() if not name.startswith("tests/") and not ast.get_docstring(tree)]
    assert silent == []


NOT_PRIVATE = {"_replace", "_asdict", "_fields", "_make", "_exit", "_attn_implementation"}
"""Public in spite of their names: named tuples', the interpreter's, Transformers'."""
PRIVATE_TEXT = re.compile(r"(?:^|\.)_[a-z]\w*$")


def private_accesses(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and name of each private attribute that is read, set or patched through something else than `self`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own and node.attr not in NOT_PRIVATE:
                found.append((node.lineno, node.attr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            found += [(node.lineno, text) for text in texts if PRIVATE_TEXT.search(text)]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.startswith("_")]
    return found


@pytest.mark.parametrize("name", sorted(name for name in sources() if name.startswith("tests/")))
def test_no_test_reaches_into_what_is_private(name: str) -> None:
    assert private_accesses(sources()[name]) == []
