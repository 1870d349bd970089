"""Reads docs/extending.md: what each of its sections changes in which file, and makes it in a copy of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "extending.md"
ARTIFACTS = Path("models/bundles/default/artifacts")
_EDIT = re.compile(
    r"(?:New file\s+`(?P<new>[^`]+)`|"
    r"In\s+`(?P<path>[^`]+)`,\s+"
    r"(?P<how>as the last row of|as the first row of|before|in\s+place\s+of)\s+`(?P<place>[^`]+)`)"
    r":\s*```python\n(?P<text>.*?)```",
    re.DOTALL,
)


@dataclass(frozen=True)
class Edit:
    """One block of the page.

    Attributes:
        path: the file, relative to the checkout.
        how: "new", "as the last row of", "as the first row of", "before" or "in place of".
        place: the table's name, or the text in the file; "" for a new file.
        text: the block.
    """

    path: str
    how: str
    place: str
    text: str

    def apply(self, tree: Path) -> None:
        """Make it in a copy of the checkout.

        Raises:
            ValueError: when the page's place is not in the file, or a new file is there already.
        """
        path = tree / self.path
        if self.how == "new":
            if path.exists():
                raise ValueError(f"{self.path} is there already")
            path.write_text(self.text, encoding="utf-8")
            return
        source = path.read_text(encoding="utf-8")
        start, end = self._span(source)
        text = self.text if self.how == "before" else self.text.rstrip("\n")
        if self.how.endswith("row of"):
            indent = " " * (4 if source[:start].endswith(" = (\n") else 8)
            text = "".join(f"{indent}{line}\n" for line in text.splitlines())
        path.write_text(
            source[:start] + text + ("\n\n" if self.how == "before" else "") + source[end:], encoding="utf-8"
        )

    def _span(self, source: str) -> tuple[int, int]:
        """What is replaced, [start, end): empty where something is put in."""
        table = re.search(rf"^{re.escape(self.place)}\b[^\n]* = [^\n]*\n", source, re.MULTILINE)
        if self.how == "as the last row of" and table:
            end = source.index("\n    )\n", table.end()) + 1
            return end, end
        if self.how == "as the first row of" and table:
            option = table[0].endswith("DeviceOption(\n")
            start = source.index("    (\n", table.end()) + len("    (\n") if option else table.end()
            return start, start
        if not self.how.endswith("row of") and source.count(self.place) == 1:
            start = source.index(self.place)
            return start, start if self.how == "before" else start + len(self.place)
        raise ValueError(f"docs/extending.md: {self.path} has no place {self.place!r}, or several")


def sections() -> dict[str, str]:
    """The page's sections by their headings."""
    _, *parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def edits(section: str) -> list[Edit]:
    """What a section changes: first the files that are copied from `docs/examples/`, then the blocks in order."""
    copies = re.findall(r"New file `([^`]+)`[^(]*\]\((examples/[^)]+)\)", sections()[section])
    changes = [Edit(path, "new", "", (PAGE.parent / source).read_text(encoding="utf-8")) for path, source in copies]
    for match in _EDIT.finditer(sections()[section]):
        how = "new" if match["new"] else " ".join(match["how"].split())
        changes.append(Edit(match["new"] or match["path"], how, match["place"] or "", match["text"]))
    return changes


def copy_of_checkout(tree: Path) -> None:
    """Copy what git knows, and the engines that were built here."""
    command = ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        source, target = CHECKOUT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    if (CHECKOUT / ARTIFACTS).is_dir():
        shutil.copytree(CHECKOUT / ARTIFACTS, tree / ARTIFACTS, dirs_exist_ok=True)
