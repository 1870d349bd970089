"""Makes the running processes match the process table: spawns, starts, watches, restarts and stops them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from streaming.errors import StageError
from streaming.runtime.child_process import STAGE_COMMAND, ChildProcess, log_folder
from streaming.runtime.live_controls import LiveControls
from streaming.runtime.process_slot import ProcessSlot, cause_of
from streaming.runtime.show_end import DUMP_NS, ShowEnd, stop_politely
from streaming.runtime.warm_spare import WarmSpare
from streaming.schema.messages import (
    Confirmation,
    Control,
    ControlRequest,
    Failed,
    Finished,
    Health,
    Hello,
    Ready,
    Report,
    Start,
    Stop,
)
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.telemetry.report import Ending, ShowRecord, StageRecord

MS = 1_000_000
POLL_MS = 20
"""A death is noticed within this time."""
SILENT_NS = 3_000 * MS
"""Heartbeats come every 250 ms; a stage without one for this long hangs."""
FINAL_REPORT_NS = 500 * MS
"""On busy cores a stage's last report may be read this long after its exit is noticed."""
LATE_NS = 1_000 * MS
"""If the supervisor itself was suspended for this long, missing heartbeats do not count against the stages."""
FLAPPING_NS = 900 * MS
"""A device that has gone again within this time is looked for a second later."""
SETUP_RESTARTS = 1
"""Restarts of a stage that dies in its first setup: it most likely dies again."""
SPARE = "warm-spare"
"""The spare process's name in place of a stage's name."""
PUBLISHED = "published"
"""The stage process's counter of messages sent."""


class Hub(Protocol):
    """The supervisor's end of the control links; see `streaming/transport/bus.py`."""

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        """Every report that has arrived, with its sender's identity, after waiting for at most this long."""

    def send(self, identity: bytes, control: Control) -> None:
        """Send a control to one process."""


class StatusView(Protocol):
    """The display of the show's state; see `streaming/telemetry/console.py`."""

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Take in the newest state; must not block."""


class Supervisor:
    """Runs one show.

    Args:
        show: its settings; `show.links.run_dir` is set.
        hub: the control links.
        processes: the rows of the table that take part.
        view: the display of the show's state.
        now_ns: reads the clock.
        with_control: returns the settings with one live control changed; raises `UserError` for a bad value.
        spawn: makes a process: arguments, log file -> child.
        watch: takes the name and id of each process, none of which must outlive this one.
        command: the program that becomes a stage, and its arguments.
        awake: whether the cores are kept awake, for the record.
    """

    def __init__(
        self,
        show: Show,
        hub: Hub,
        processes: Sequence[Process],
        *,
        now_ns: Callable[[], int],
        with_control: Callable[[Show, str, str], Show],
        view: StatusView | None = None,
        spawn: Callable[[Sequence[str], Path], ChildProcess] = ChildProcess,
        watch: Callable[[str, int], None] = lambda name, pid: None,
        command: Sequence[str] = STAGE_COMMAND,
        awake: bool = False,
    ) -> None:
        self._hub, self._view, self._now = hub, view, now_ns
        self._spawn_child, self._watch, self._command = spawn, watch, tuple(command)
        self._logs = log_folder(show.record, Path(show.links.run_dir))
        self.record = ShowRecord(show=show, awake=awake)
        self._slots: dict[str, ProcessSlot] = {}
        for process in processes:
            stage = self.record.stages[process.name] = StageRecord(process)
            self._slots[process.name] = ProcessSlot(process, stage)
        self._controls = LiveControls(show, self._slots, send=self._send, note=self._note, with_control=with_control)
        self._spare = WarmSpare(self._spawn_spare, enabled=any(process.warm_spare for process in processes))
        self._ending: Ending | None = None
        self._end = ShowEnd(show, processes)
        self._last_loop_ns = now_ns()
        self._measured_ns = 0

    def run(self) -> Ending:
        """Perform until the show ends; afterwards no process is left."""
        for slot in self._slots.values():
            self._log_of(slot.process.name).unlink(missing_ok=True)
        self._last_loop_ns = self._now()
        try:
            with self._end.on_signals():
                while self._ending is None:
                    self._run_once()
                self._stop()
        finally:
            self._kill_all()
        return self._ending

    def interrupt(self) -> None:
        """Ask for a polite end; a second call asks for a quick one. Safe in a signal handler."""
        self._end.interrupt()

    # One turn of the loop: take reports, compare the processes with the table, act.

    def _run_once(self) -> None:
        for identity, report in self._hub.poll(POLL_MS):
            self._take_report(identity, report)
        now_ns = self._now()
        if now_ns - self._last_loop_ns > LATE_NS:
            for slot in self._slots.values():
                slot.last_report_ns = now_ns
                slot.since_ns += now_ns - self._last_loop_ns
        self._last_loop_ns = now_ns
        for slot in self._slots.values():
            self._reconcile(slot, now_ns)
        spare = self._spare.maintain(now_ns, performing=self.record.start_ns is not None)
        if spare is not None:
            self._watch(SPARE, spare)
        self._controls.expire(now_ns)
        self._maybe_start(now_ns)
        if now_ns - self._measured_ns >= 1_000 * MS:
            self._measured_ns = now_ns
            self._measure(now_ns)
        if self._view is not None:
            self._view.update(self.record, now_ns)
        self._ending = self._ending or self._end.ending(now_ns, self.record.start_ns)

    def _reconcile(self, slot: ProcessSlot, now_ns: int) -> None:
        if slot.done() or self._ending is not None:
            return
        child = slot.child
        if child is None:
            if now_ns >= slot.spawn_at_ns:
                self._spawn(slot, now_ns)
            return
        status = child.poll()
        if status is not None:
            slot.exited_ns = now_ns if slot.exited_ns is None else slot.exited_ns
            if status <= 0 or slot.cause or now_ns - slot.exited_ns >= FINAL_REPORT_NS:
                self._on_death(slot, child, status, now_ns)
        elif slot.kill_at_ns is not None:
            if now_ns >= slot.kill_at_ns:
                child.kill()
        elif slot.record.state == "setup" and (lost := self._lost_state_of(slot)):
            child.kill()
            self._on_lost(slot, child, f"needs what the {lost} stage publishes, which was given up")
        elif slot.record.state == "setup" and now_ns - slot.since_ns > slot.process.setup_timeout_s * 1e9:
            self._schedule_kill(slot, child, f"was not ready within {slot.process.setup_timeout_s:g} s", now_ns)
        elif slot.record.state in ("ready", "running") and now_ns - slot.last_report_ns > SILENT_NS:
            self._schedule_kill(slot, child, f"gave no sign of life for {SILENT_NS / 1e9:g} s", now_ns)

    def _schedule_kill(self, slot: ProcessSlot, child: ChildProcess, cause: str, now_ns: int) -> None:
        slot.cause = cause
        slot.kill_at_ns = now_ns + DUMP_NS
        child.dump_stacks()

    def _spawn(self, slot: ProcessSlot, now_ns: int) -> None:
        """Fill an empty slot: with the warm spare if one is ready and the row uses it, else with a new process."""
        process, show = slot.process, self._controls.show
        child = self._spare.take(now_ns) if process.warm_spare and slot.incarnation else None
        if child is None:
            child = self._spawn_child(self._command, self._log_of(process.name))
        self._watch(process.name, child.pid)
        slot.child, slot.identity, slot.kill_at_ns, slot.exited_ns, slot.cause = child, None, None, None, ""
        slot.renewing = False
        slot.since_ns = slot.last_report_ns = now_ns
        slot.record.state = "setup"
        child.assign(
            {
                "process": process.name,
                "show": msgspec.to_builtins(show),
                "memo": slot.memo,
                "run_dir": show.links.run_dir,
                "incarnation": slot.incarnation,
            }
        )
        slot.incarnation += 1
        slot.sent = show

    def _lost_state_of(self, slot: ProcessSlot) -> str:
        """The stage that was given up and whose state a process awaits; "" for none."""
        lost_topics = {other.process.output for other in self._slots.values() if other.record.state == "lost"}
        return next((topic for topic in slot.process.awaits if topic in lost_topics), "")

    def _on_death(self, slot: ProcessSlot, child: ChildProcess, status: int, now_ns: int) -> None:
        process, record = slot.process, slot.record
        cause = slot.cause or cause_of(status)
        slot.clear()
        self._controls.end_of(process.name)
        if slot.renewing:
            slot.recovering_since_ns = slot.recovering_since_ns or now_ns
            # Its device has gone, which says nothing about the stage: it does not count against its restarts.
            record.state = "restarting"
            record.restarts += 1
            # One that comes and goes several times a second must not keep the cores busy.
            flapping = slot.renewed_ns is not None and now_ns - slot.renewed_ns < FLAPPING_NS
            slot.spawn_at_ns, slot.renewed_ns = now_ns + (1_000 * MS if flapping else 0), now_ns
            self._reconcile(slot, now_ns)
            return
        slot.deaths.append(now_ns)
        recent = sum(1 for death in slot.deaths if now_ns - death <= process.restart_window_s * 1e9)
        budget = process.restarts if self.record.start_ns is not None else min(SETUP_RESTARTS, process.restarts)
        if recent > budget:
            self._on_lost(slot, child, cause)
            return
        if self.record.start_ns is not None:
            slot.recovering_since_ns = slot.recovering_since_ns or now_ns
        record.state = "restarting"
        record.restarts += 1
        # The first restart is immediate; the delay grows with each further death.
        slot.spawn_at_ns = now_ns + (0 if recent == 1 else min(2_000, 125 * 2**recent) * MS)
        self._note(f"{with_stage_name(process.name, cause)}; it is started again ({recent} of {budget})")
        self._reconcile(slot, now_ns)

    def _on_lost(self, slot: ProcessSlot, child: ChildProcess, cause: str) -> None:
        slot.record.state = "lost"
        name = slot.process.name
        if self.record.show.direction not in slot.process.essential_to:
            self._note(
                f"{with_stage_name(name, cause)}; it is given up, the performance goes on without it (log: {child.log})"
            )
            return
        tail = "".join(f"\n  {line}" for line in child.last_lines())
        self._ending = Ending(
            1, f"{with_stage_name(name, cause)}; it was started again too often, see its log {child.log}{tail}"
        )

    # What the stages report.

    def _take_report(self, identity: bytes, report: Report) -> None:
        now_ns = self._now()
        if isinstance(report, ControlRequest):
            self._controls.answer(identity, report, now_ns)
            return
        slot = self._slots.get(report.stage)
        if slot is None:
            return
        if isinstance(report, Hello) and slot.child is not None and report.pid == slot.child.pid:
            slot.identity = identity
            self._controls.greet(slot)
        # A dead process's last report still counts in the sums, but is no heartbeat of its successor.
        current = slot.child is not None and slot.identity == identity
        if current:
            slot.last_report_ns = now_ns
        if isinstance(report, Health):
            self._on_health(slot, report, now_ns, current=current)
        elif not current:
            return
        elif isinstance(report, Ready):
            self._on_ready(slot, report, now_ns)
        elif isinstance(report, Confirmation):
            self._controls.confirm(report)
        elif isinstance(report, Failed):
            self._on_failed(slot, report, now_ns)
        elif isinstance(report, Finished):
            self._on_finished(slot, report, now_ns)

    def _on_health(self, slot: ProcessSlot, health: Health, now_ns: int, *, current: bool) -> None:
        record = slot.record
        record.reported = True
        record.totals.add(health)
        for line in health.notes:
            self._note(with_stage_name(record.name, line))
        if missing := health.counters.get("notes_lost", 0):
            self._note(f"{record.name}: {missing} notes came too fast to be passed on")
        if not current:
            return
        record.info.update(health.info)
        if health.memo:
            slot.memo = health.memo
        if slot.output_lost_ns is not None and health.counters.get(PUBLISHED):
            record.output_ms.append((now_ns - slot.output_lost_ns) / MS)
            slot.output_lost_ns = None
        # Once the end is planned, an idle stage's rate is not measured.
        if self.record.start_ns is not None and self.record.end_ns is None and not self._end.planned:
            record.last = (record.totals.counter(PUBLISHED), now_ns)
            record.first = record.first or record.last
            if record.rss_mb_start is None:
                slot.measure((now_ns - self.record.start_ns) / 1e9)

    def _on_ready(self, slot: ProcessSlot, ready: Ready, now_ns: int) -> None:
        slot.record.info.update(ready.info)
        slot.record.state = "ready"
        if self.record.start_ns is None:
            return
        if slot.recovering_since_ns is not None:
            slot.record.recovery_ms.append((now_ns - slot.recovering_since_ns) / MS)
            slot.output_lost_ns, slot.recovering_since_ns = slot.recovering_since_ns, None
        self._start_slot(slot)

    def _on_failed(self, slot: ProcessSlot, failure: Failed, now_ns: int) -> None:
        slot.cause, slot.renewing = failure.line, failure.renew
        if failure.exit_code == 2 and self.record.start_ns is None:
            self._ending = self._ending or Ending(2, failure.line)
        elif slot.kill_at_ns is None:
            slot.kill_at_ns = now_ns + (100 if failure.renew else 1_000) * MS

    def _on_finished(self, slot: ProcessSlot, finished: Finished, now_ns: int) -> None:
        if slot.record.state == "finished":
            return
        slot.record.state = "finished"
        name = slot.process.name
        if finished.reason:
            self._note(with_stage_name(name, finished.reason))
        self._end.stage_finished(slot.process, now_ns)

    # The beginning and the end.

    def _maybe_start(self, now_ns: int) -> None:
        if self.record.start_ns is not None or not self._spare.settled:
            return
        waiting = [slot for slot in self._slots.values() if slot.record.state != "ready" and not slot.done()]
        if waiting or self._ending is not None:
            return
        self.record.start_ns = now_ns
        for slot in self._slots.values():
            if not slot.done():
                slot.deaths.clear()
                self._start_slot(slot)
        self._measure(now_ns)

    def _start_slot(self, slot: ProcessSlot) -> None:
        if slot.identity is None or self.record.start_ns is None:
            return
        self._send(slot.identity, Start(now_ns=self.record.start_ns))
        slot.record.state = "running"
        slot.mark_start()

    def _stop(self) -> None:
        """Make every process close, politely first."""
        now_ns = self._now()
        if self.record.start_ns is not None:
            self._measure(now_ns)
            self.record.end_ns = now_ns
        self._controls.close()
        self._spare.close()
        stuck = stop_politely(
            self._slots.values(),
            ask=lambda identity: self._send(identity, Stop()),
            listen=self._take_final_reports,
            now_ns=self._now,
            hurried=lambda: self._end.hurried,
        )
        if stuck and self._ending is not None and self._ending.code == 0:
            names = ", ".join(slot.process.name for slot in stuck)
            self._ending = Ending(1, f"{names}: did not close when asked and was killed; see the logs in {self._logs}")
        for slot in self._slots.values():
            if slot.record.state in ("ready", "running", "setup", "restarting"):
                slot.record.state = "closed"

    def _take_final_reports(self) -> None:
        """Take the sums and notes of the last reports; while the show stops nothing else counts."""
        for identity, report in self._hub.poll(POLL_MS):
            if isinstance(report, Health):
                self._take_report(identity, report)

    def _kill_all(self) -> None:
        self._spare.close()
        for slot in self._slots.values():
            if slot.child is not None:
                if slot.child.poll() is None:
                    slot.child.kill()
                slot.child.wait(2.0)
                slot.child.close_lifeline()

    # Helpers.

    def _send(self, identity: bytes, control: Control) -> None:
        try:
            self._hub.send(identity, control)
        except StageError as error:
            # Its process has just died or has stopped reading: both are noticed elsewhere.
            self._note(str(error))

    def _measure(self, now_ns: int) -> None:
        for slot in self._slots.values():
            if slot.child is not None:
                slot.child.bound_log()
                if self.record.start_ns is not None:
                    slot.measure((now_ns - self.record.start_ns) / 1e9)

    def _spawn_spare(self) -> ChildProcess:
        return self._spawn_child(
            (*self._command, "--preload", self.record.show.backend, "--bundle", self.record.show.bundle),
            self._log_of("warm-spare"),
        )

    def _log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _note(self, line: str) -> None:
        self.record.notes.append(line)


def with_stage_name(stage: str, line: str) -> str:
    """A line with its stage's name before it, once."""
    return line if line.startswith(f"{stage}: ") else f"{stage}: {line}"
