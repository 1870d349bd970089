"""What a show has given up to keep its sound on time, and for how long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from streaming.schema.load_levels import WORDS, LoadLevel

MAX_CHANGES = 200


@dataclass
class LoadRecord:
    """The levels of one show.

    Attributes:
        level: at present.
        highest: so far.
        changes: seconds since the start and the level from then on, the newest `MAX_CHANGES`.
        seconds: how long each level lasted, without the present one.
    """

    level: LoadLevel = LoadLevel.FULL
    highest: LoadLevel = LoadLevel.FULL
    changes: deque[tuple[float, LoadLevel]] = field(default_factory=lambda: deque(maxlen=MAX_CHANGES))
    seconds: dict[LoadLevel, float] = field(default_factory=dict)
    _since_s: float = 0.0

    def change(self, level: LoadLevel, at_s: float) -> None:
        """Take in a new level, `at_s` after the start."""
        self.seconds = self._seconds_until(at_s)
        self.level, self.highest, self._since_s = level, max(self.highest, level), at_s
        self.changes.append((at_s, level))

    def report(self, duration_s: float | None) -> dict[str, Any]:
        """For the report: the level at the end, the highest, the changes, and for how long each thing was given up.

        Args:
            duration_s: of the performance; None where there was none, and then all values are None.
        """
        if duration_s is None:
            return dict.fromkeys(("level", "highest", "changes", "given_up_s"))
        seconds = self._seconds_until(duration_s)
        return {
            "level": int(self.level),
            "highest": int(self.highest),
            "changes": [[round(at_s, 2), int(level)] for at_s, level in self.changes],
            "given_up_s": {
                WORDS[level]: round(sum(spent for there, spent in seconds.items() if there >= level), 2)
                for level in LoadLevel
                if LoadLevel.FULL < level <= self.highest
            },
        }

    def _seconds_until(self, at_s: float) -> dict[LoadLevel, float]:
        before = self.seconds.get(self.level, 0.0)
        return {**self.seconds, self.level: before + max(0.0, at_s - self._since_s)}
