"""The takes in a record folder: what they are, how large, and the removal of the oldest beyond a limit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streaming.devices.films.take_file import SUFFIX
from streaming.settings.values.take_limit import TakeLimit
from streaming.system.files import reason

NAME = re.compile(r"(antiphon-\d{8}-\d{6})(?:-(\d+))?")
"""Names that a show gives its takes; files of other names are never touched."""
SUFFIXES = (".mp4", SUFFIX)
MOST_FILES = 100_000
MB, GB = 1e6, 1e9


@dataclass
class StoredTake:
    """The files of one take.

    Attributes:
        name: that they share, without a suffix.
        paths: of the files.
        size: of all of them, bytes.
    """

    name: str
    paths: list[Path] = field(default_factory=list)
    size: int = 0


class TakeShelf:
    """The takes of a folder.

    Args:
        folder: where they are.
        limit: how many, and how large together.
        note: says one line to the user.
    """

    def __init__(self, folder: Path, limit: TakeLimit, note: Callable[[str], None]) -> None:
        self.folder, self._limit, self._note = folder, limit, note

    def takes(self) -> list[StoredTake]:
        """Every take, the oldest first; links and folders are none."""
        found: dict[str, StoredTake] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry, _ in zip(entries, range(MOST_FILES), strict=False):
                    stem, suffix = os.path.splitext(entry.name)
                    if suffix in SUFFIXES and NAME.fullmatch(stem) and entry.is_file(follow_symlinks=False):
                        take = found.setdefault(stem, StoredTake(stem))
                        take.paths.append(Path(entry.path))
                        take.size += entry.stat(follow_symlinks=False).st_size
        except OSError:
            return []
        return sorted(found.values(), key=_age)

    def make_room(self, present: str = "", coming: int = 0) -> None:
        """Remove the oldest takes beyond the limit.

        Args:
            present: the name of the take that is being recorded, which stays.
            coming: how many are about to begin.
        """
        if not (self._limit.takes or self._limit.bytes):
            return
        takes = self.takes()
        old = [take for take in takes if take.name != present]
        count, size = len(takes) + coming, sum(take.size for take in takes)
        removed: list[str] = []
        while old and (count > (self._limit.takes or count) or size > (self._limit.bytes or size)):
            take = old.pop(0)
            if not self._remove(take):
                break
            removed.append(take.name)
            count, size = count - 1, size - take.size
        if removed:
            more = f" and {len(removed) - 1} more" if len(removed) > 1 else ""
            self._note(f"{removed[0]}{more}: removed, for --keep-takes {self._limit.text}")

    def line_of(self, name: str, seconds: float) -> str:
        """How large a take is, and all of them: a line for the user."""
        takes = self.takes()
        size = sum(take.size for take in takes if take.name == name)
        rate = f", {size / seconds * 3600 / GB:.2f} GB an hour" if seconds > 0 else ""
        total = sum(take.size for take in takes)
        count = f"{len(takes)} take{'s' * (len(takes) != 1)}"
        line = f"{name}: {seconds:.1f} s, {size / MB:.1f} MB{rate}"
        return f"{line}; {count} of {total / MB:.1f} MB in {self.folder}"

    def _remove(self, take: StoredTake) -> bool:
        for path in take.paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._note(f"{path}: cannot be removed ({reason(error)}); remove it by hand")
                return False
        return True


def _age(take: StoredTake) -> tuple[str, int]:
    match = NAME.fullmatch(take.name)
    assert match is not None
    return match[1], int(match[2] or 1)
