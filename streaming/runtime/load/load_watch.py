"""Reads from the heartbeats which ticks were late, follows the plan, and tells every stage the level.

A tick was late where a stage's step took longer than its row's `budget_ms`, where one of the row's `late_counters`
counted it, or where such a stage gave no sign of life for `SILENT_NS`: it gets no time at all. What a stage has late
while another is started again, has no device, or has just begun is not load.

There is one plan, in the supervisor: a stage alone sees its own delay, but what is missed least may be another's. The
level travels as `Load` on the control link; a stage reads it as `Context.load_level`. Stages that were started by hand
on another machine have no such link and give up nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.load.load_plan import SLICE_NS, LoadPlan
from streaming.schema.load_levels import WORDS, LoadLevel
from streaming.schema.messages import Control, Health, Load
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.telemetry.metrics import value_of
from streaming.telemetry.report import ShowRecord

BEGINNING_NS = 2_000_000_000
"""What is late so soon after the start, or after a stage was started again, is no load."""
MAX_SLICES = 4
"""Slices that are made up for at most, where the supervisor itself was late; what was late is spread over them."""
OF_THE_EYES = (LoadLevel.EYES_RATE, LoadLevel.HANDS)
"""What a show without the published eyes cannot give up."""
SILENT_NS = 250_000_000
"""A stage gives a sign of life every 83 ms, between two steps."""


def levels_of(show: Show, stages: Mapping[str, ProcessSlot]) -> list[LoadLevel]:
    """The levels that give up anything in a show with these stages, in rising order."""
    without = OF_THE_EYES if show.eyes == "bundle" else ()
    levels = {level for slot in stages.values() for level in slot.process.gives_up}
    return sorted(levels.difference(without))


def late_ticks(process: Process, health: Health) -> int:
    """How many ticks of a heartbeat were late."""
    late = sum(health.counters.get(name, 0) for name in process.late_counters)
    if process.budget_ms:
        steps = health.histograms.get("step_ms", {})
        late += sum(count for index, count in steps.items() if value_of(index) > process.budget_ms)
    return late


class LoadWatch:
    """Follows the load of one show.

    Args:
        record: the show's; its `load` and notes are written.
        slots: the processes by the stage's name.
        send: sends a control to an identity on the control link.
    """

    def __init__(
        self, record: ShowRecord, slots: Mapping[str, ProcessSlot], *, send: Callable[[bytes, Control], None]
    ) -> None:
        self._record, self._slots, self._send = record, slots, send
        self._plan = LoadPlan(levels_of(record.show, slots))
        self._late = 0
        self._noted = LoadLevel.FULL
        self._next_ns: int | None = None
        self._quiet_until_ns = 0

    def take(self, process: Process, health: Health) -> None:
        """Take in a heartbeat."""
        self._late += late_ticks(process, health)

    def update(self, now_ns: int) -> None:
        """Follow the plan once a slice, while the show performs."""
        start_ns = self._record.start_ns
        if start_ns is None or self._record.end_ns is not None:
            return
        if self._next_ns is None:
            self._next_ns, self._quiet_until_ns = now_ns + SLICE_NS, start_ns + BEGINNING_NS
        if now_ns < self._next_ns:
            return
        slices = min(MAX_SLICES, 1 + (now_ns - self._next_ns) // SLICE_NS)
        self._next_ns = now_ns + SLICE_NS
        late, self._late = self._late + self._silent_stages(now_ns), 0
        if self._is_disturbed():
            self._quiet_until_ns = max(self._quiet_until_ns, now_ns + BEGINNING_NS)
        if now_ns < self._quiet_until_ns:
            # A quiet time counts neither as pressure nor as calm.
            self._plan.forget()
            return
        for number in range(slices):
            before = self._plan.level
            level = self._plan.update((late + slices - 1 - number) // slices)
            if level != before:
                self._change(level, (now_ns - start_ns) / 1e9)

    def greet(self, identity: bytes) -> None:
        """Tell a stage that was started again the present level."""
        if self._plan.level:
            self._send(identity, Load(level=self._plan.level))

    def _silent_stages(self, now_ns: int) -> int:
        """How many stages with a budget get no time at all."""
        return sum(
            now_ns - slot.last_report_ns > SILENT_NS
            for slot in self._slots.values()
            if slot.process.budget_ms and slot.record.state == "running"
        )

    def _is_disturbed(self) -> bool:
        """Whether a stage is not there, or has no device: what is late then has that reason."""
        return any(
            slot.record.state in ("setup", "ready", "restarting") or slot.record.away for slot in self._slots.values()
        )

    def _change(self, level: LoadLevel, at_s: float) -> None:
        """Record a new level, say it once on the way up, and tell every stage."""
        self._record.load.change(level, at_s)
        if level > self._noted:
            self._noted = level
            self._record.notes.append(f"the cores have no time for everything: the show gives up {WORDS[level]}")
        elif level == LoadLevel.FULL:
            self._noted = level
            self._record.notes.append("the cores have time again: nothing is given up")
        for slot in self._slots.values():
            if slot.identity is not None and slot.record.state == "running":
                self._send(slot.identity, Load(level=level))
