"""How long a stage has been silent, without the time in which the supervisor itself could not hear it."""

from __future__ import annotations

from collections.abc import Mapping

from streaming.runtime.children.hang_detector import STARVED_NS
from streaming.runtime.children.process_slot import ProcessSlot

MS = 1_000_000
LATE_NS = 100 * MS
"""If a turn of the supervisor itself took this long, that time does not count against the stages."""


class Silence:
    """Keeps when each stage was heard.

    Args:
        slots: the processes by the stage's name.
        now_ns: the time.
    """

    def __init__(self, slots: Mapping[str, ProcessSlot], now_ns: int) -> None:
        self._slots = slots
        self._last_turn_ns = now_ns

    def begin(self, now_ns: int) -> None:
        """The supervisor's turns begin."""
        self._last_turn_ns = now_ns

    def note_report(self, slot: ProcessSlot, patience_ms: int, now_ns: int) -> None:
        """A stage has reported; its next report may come so much later than usual."""
        slot.heard_ns, slot.patience_ns = now_ns, patience_ms * MS
        slot.last_report_ns = now_ns + slot.patience_ns

    def forgive(self, now_ns: int) -> None:
        """Time in which the supervisor itself did not run does not count against the stages."""
        gap_ns, self._last_turn_ns = now_ns - self._last_turn_ns, now_ns
        if gap_ns > LATE_NS:
            for slot in self._slots.values():
                slot.last_report_ns = min(now_ns, slot.last_report_ns + gap_ns)
                slot.since_ns += gap_ns

    def of(self, slot: ProcessSlot, now_ns: int) -> int:
        """How long a stage has been silent, in ns, as far as the others tell that reports get through.

        On cores so busy that every turn of the supervisor is late, all of that time would be forgiven: there a stage
        is silent that was not heard for twice as long as it may, while another was. Where nobody was heard since, it is
        the supervisor that hears nothing, and a stage is silent after `STARVED_NS` only.
        """
        limit_ns = slot.process.silence_ms * MS
        newest_ns = max(other.heard_ns for other in self._slots.values())
        behind_ns = newest_ns - slot.heard_ns - slot.patience_ns
        silent_ns = max(now_ns - slot.last_report_ns, behind_ns - limit_ns)
        return silent_ns if 2 * behind_ns >= limit_ns or silent_ns > STARVED_NS else min(silent_ns, limit_ns)
