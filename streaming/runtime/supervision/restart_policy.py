"""Decides what becomes of a stage whose process has died: it is started again, or given up, or the show ends."""

from __future__ import annotations

from collections.abc import Mapping

from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.children.warm_spare import Child
from streaming.runtime.supervision.show_end import ShowEnd
from streaming.telemetry.notes import with_stage_name
from streaming.telemetry.report import Ending, ShowRecord

MS = 1_000_000
FLAPPING_NS = 900 * MS
"""A device that has gone again within this time is looked for a second later."""
SETUP_RESTARTS = 1
"""Restarts of a stage that dies in its first setup: it most likely dies again."""
RETRY_NS = 60_000 * MS
"""A stage that was given up, in a show that goes on without it, is tried again after this time."""


class RestartPolicy:
    """What the deaths of one show's stages mean to it.

    Args:
        record: of the show; its notes, what it goes on without, and the states of its stages are written.
        slots: the processes by the stage's name.
        end: is told of the stages that are given up.
    """

    def __init__(self, record: ShowRecord, slots: Mapping[str, ProcessSlot], end: ShowEnd) -> None:
        self._record, self._slots, self._end = record, slots, end

    def take_death(self, slot: ProcessSlot, child: Child, cause: str, now_ns: int) -> Ending | None:
        """Plan the next process of a slot that is empty now, or give it up.

        Args:
            slot: the slot.
            child: the process that has died.
            cause: why, in words.
            now_ns: the time.

        Returns:
            The end of the show, where it cannot go on.
        """
        process, record = slot.process, slot.record
        if slot.renewing:
            slot.recovering_since_ns = slot.recovering_since_ns or now_ns
            # Its device has gone, which says nothing about the stage: it does not count against its restarts.
            record.state = "restarting"
            record.restarts += 1
            # One that comes and goes several times a second must not keep the cores busy.
            flapping = slot.renewed_ns is not None and now_ns - slot.renewed_ns < FLAPPING_NS
            slot.spawn_at_ns, slot.renewed_ns = now_ns + (1_000 * MS if flapping else 0), now_ns
            return None
        slot.deaths.append(now_ns)
        recent = slot.recent_deaths(now_ns)
        budget = process.restarts if self._record.start_ns is not None else min(SETUP_RESTARTS, process.restarts)
        if recent > budget:
            return self.give_up(slot, child, cause, now_ns)
        if self._record.start_ns is not None:
            slot.recovering_since_ns = slot.recovering_since_ns or now_ns
        record.state = "restarting"
        record.restarts += 1
        slot.spawn_at_ns = now_ns + slot.restart_delay_ns(now_ns)
        self._record.notes.append(f"{with_stage_name(process.name, cause)}; it is started again ({recent} of {budget})")
        return None

    def give_up(self, slot: ProcessSlot, child: Child, cause: str, now_ns: int) -> Ending | None:
        """Go on without a stage, and try it again later; gives the end of a show that cannot."""
        slot.record.state = "lost"
        if self._ends_show(slot):
            tail = "".join(f"\n  {line}" for line in child.last_lines())
            what = with_stage_name(slot.process.name, cause)
            return Ending(1, f"{what}; it was started again too often, see its log {child.log}{tail}")
        is_standing = self._record.show.installation
        wait_ns = slot.next_retry_ns(RETRY_NS) if is_standing else RETRY_NS
        slot.retry_at_ns = now_ns + wait_ns if self._record.start_ns is not None else None
        self._end.stage_lost(slot.process)
        until = f" for {wait_ns / 1e9:g} s" if is_standing else ""
        what = f"{cause}; it is given up{until}, the performance goes on without it (log: {child.log})"
        self.degrade(slot, what, now_ns)
        return None

    def degrade(self, slot: ProcessSlot, line: str, now_ns: int) -> None:
        """Note what the show goes on without, also for the end of the show."""
        line = with_stage_name(slot.process.name, line)
        self._record.notes.append(line)
        start_ns = self._record.start_ns
        self._record.degrade(line if start_ns is None else f"{(now_ns - start_ns) / 1e9:.0f} s: {line}")

    def lost_state_of(self, slot: ProcessSlot) -> str:
        """The stage that was given up and whose state a process awaits; "" for none."""
        lost_topics = {other.process.output for other in self._slots.values() if other.record.state == "lost"}
        return next((topic for topic in slot.process.awaits if topic in lost_topics), "")

    def _ends_show(self, slot: ProcessSlot) -> bool:
        """Whether the loss of a stage ends the show: if it is essential, no sense, and no other direction goes on."""
        essential_to, show = slot.process.essential_to, self._record.show
        if show.direction not in essential_to:
            return False
        if self._record.start_ns is None:
            return True
        if slot.process.senses or show.installation:
            return False
        if show.direction != "both":
            return True
        others = (other for other in self._slots.values() if other.process.output_of not in ("", *essential_to))
        return all(other.done() for other in others)
