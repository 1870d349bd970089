"""Writes the code map, a line for every file from the first sentence in it: `python docs/code_map.py [--check]`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("streaming", "engines", "models", "export", "training")
BEGIN, END = "<!-- tree: begin -->", "<!-- tree: end -->"


def first_line(path: Path) -> str:
    """The first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def files() -> list[Path]:
    """The Python files of the packages, tracked or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    found = {ROOT / name for name in names if name.partition("/")[0] in PACKAGES or name == "run_live.py"}
    return sorted(path for path in found if path.exists())


def tree() -> str:
    """The section's text."""
    lines = ["```", f"{'run_live.py':<34}{first_line(ROOT / 'run_live.py')}"]
    for package in PACKAGES:
        inside = [path for path in files() if path.relative_to(ROOT).parts[0] == package]
        for path in sorted(
            inside, key=lambda p: (p.parent != ROOT / package, str(p.parent), p.name != "__init__.py", p.name)
        ):
            relative = path.relative_to(ROOT)
            name = (
                str(relative.parent) + "/"
                if path.name == "__init__.py"
                else "  " * (len(relative.parts) - 1) + path.name
            )
            lines.append(f"{name:<34}{first_line(path)}")
    return "\n".join([*lines, "```"])


def main() -> int:
    """Write, or with `--check` only compare; returns the exit status."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{BEGIN}\n{tree()}\n{END}{tail}"
    if "--check" in sys.argv[1:]:
        return 0 if wanted == text else 1
    readme.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
