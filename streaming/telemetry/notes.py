"""The lines that a show has for its user: numbered, so that each is shown once and none is lost unsaid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

MAX_NOTES_KEPT = 1_000


class NoteLog:
    """Notes in the order in which they came; the newest `MAX_NOTES_KEPT` are kept.

    The same text may come twice: two events are two notes.

    Attributes:
        count: how many notes came so far.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_NOTES_KEPT)
        self.count = 0

    def append(self, line: str) -> None:
        """Add one note."""
        self._lines.append(line)
        self.count += 1

    def extend(self, lines: Iterable[str]) -> None:
        """Add several notes."""
        for line in lines:
            self.append(line)

    def since(self, number: int) -> list[str]:
        """The notes after the first `number`; one line says how many of them are not kept any more."""
        fresh = self.count - number
        if fresh <= 0:
            return []
        lines = list(self._lines)[-fresh:]
        missing = fresh - len(lines)
        return [f"{missing} notes came too fast to be shown", *lines] if missing else lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


def with_stage_name(stage: str, line: str) -> str:
    """A line with its stage's name before it, once."""
    return line if line.startswith(f"{stage}: ") else f"{stage}: {line}"
