"""Makes the running processes match the process table: spawns, starts, watches, restarts and stops them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from streaming.errors import StageError
from streaming.runtime.children.death_causes import cause_of
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.children.spawner import Spawner, settings_of
from streaming.runtime.children.warm_spare import Child
from streaming.runtime.load.load_watch import LoadWatch
from streaming.runtime.supervision.bundle_swap import BundleSwap
from streaming.runtime.supervision.endurance import SYSTEM_ERRORS, Endurance
from streaming.runtime.supervision.live_controls import LiveControls
from streaming.runtime.supervision.restart_policy import RestartPolicy
from streaming.runtime.supervision.show_end import DUMP_NS, ShowEnd, stop_politely
from streaming.runtime.supervision.silence import Silence
from streaming.schema.messages import (
    Alive,
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
    StatusReply,
    StatusRequest,
    Stop,
)
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.system.descriptors import keep_room
from streaming.system.files import reason
from streaming.telemetry.notes import with_stage_name
from streaming.telemetry.report import Ending, ShowRecord, StageRecord
from streaming.telemetry.snapshot import Rates
from streaming.telemetry.status import status_of
from streaming.telemetry.views import ShowView

MS = 1_000_000
POLL_MS = 20
"""A death is noticed within this time."""
FINAL_REPORT_NS = 500 * MS
"""On busy cores a stage's last report may be read this long after its exit is noticed."""
REFUSED_NS, MAX_REFUSED = 250 * MS, 20
"""A process that the system refuses to spawn is tried again after this time; before the start so many times at most."""


class Hub(Protocol):
    """The supervisor's end of the control links; see `streaming/transport/bus.py`."""

    def poll(self, timeout_ms: int) -> list[tuple[bytes, Report]]:
        """Every report that has arrived, with its sender's identity, after waiting for at most this long."""

    def send(self, identity: bytes, control: Control) -> None:
        """Send a control to one process."""


class Supervisor:
    """Runs one show.

    Args:
        record: the record of the show, with its settings; `record.show.links.run_dir` is set.
        hub: the control links.
        processes: the rows of the table that take part.
        spawner: makes the processes.
        view: the display of the show's state.
        now_ns: reads the clock.
        with_control: returns the settings with one live control changed; raises `UserError` for a bad value.
        mend: makes the run folder and the control link's socket again if they were removed; lines for the user.
        closes: whether the show's opening hours are over.
    """

    def __init__(
        self,
        record: ShowRecord,
        hub: Hub,
        processes: Sequence[Process],
        *,
        spawner: Spawner,
        now_ns: Callable[[], int],
        with_control: Callable[[Show, str, str], Show],
        view: ShowView | None = None,
        mend: Callable[[], Sequence[str]] = lambda: (),
        closes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._hub, self._view, self._now = hub, view, now_ns
        self._spawner, self._mend = spawner, mend
        self.record, show = record, record.show
        self._slots: dict[str, ProcessSlot] = {}
        for process in processes:
            stage = self.record.stages[process.name] = StageRecord(process)
            self._slots[process.name] = ProcessSlot(process, stage)
        self._controls = LiveControls(
            show,
            self._slots,
            send=self._send,
            note=self._note,
            with_control=with_control,
            swap=lambda changed, at_ns: self._swap.begin(changed, at_ns),
        )
        self._swap = BundleSwap(
            self._slots,
            spawner=spawner,
            send=self._send,
            take_over=self._controls.take_bundle,
            done=self._controls.swapped,
        )
        self._silence = Silence(self._slots, now_ns())
        self._load = LoadWatch(self.record, self._slots, send=self._send)
        self._endurance = Endurance(self._note)
        self._ending: Ending | None = None
        self._end = ShowEnd(show, processes, closes)
        self._policy = RestartPolicy(self.record, self._slots, self._end)
        self._measured_ns = 0
        self._rates = Rates()

    def run(self) -> Ending:
        """Perform until the show ends; afterwards no process is left. No error of the system ends it."""
        self._spawner.forget_logs(list(self._slots))
        self._silence.begin(self._now())
        try:
            with self._end.on_signals():
                while self._ending is None:
                    self._run_once()
                self._stop()
        except Exception as error:
            # A defect; the report is written all the same.
            traceback.print_exc()
            self._ending = Ending(1, f"the show's supervisor failed ({type(error).__name__}: {reason(error)})")
            self.record.end_ns = self.record.end_ns or self._now()
        finally:
            self._kill_all()
        # Who asks for the end while it closes does not want it to open again.
        asked = self._end.interrupted
        return replace(self._ending, closed=self._ending.closed and not asked, asked=asked)

    def interrupt(self) -> None:
        """Ask for a polite end; a second call asks for a quick one. Safe in a signal handler."""
        self._end.interrupt()

    # One turn of the loop: take reports, compare the processes with the table, act.

    def _run_once(self) -> None:
        guard = self._endurance.guard
        keep_room()
        with guard("a stage's report was lost"):
            for identity, report in self._hub.poll(POLL_MS):
                self._take_report(identity, report)
        now_ns = self._now()
        self._silence.forgive(now_ns)
        for slot in self._slots.values():
            with guard(f"{slot.process.name}: cannot be watched"):
                self._reconcile(slot, now_ns)
        with guard("no spare process can be started"):
            self._spawner.maintain(now_ns, performing=self.record.start_ns is not None)
        self._controls.expire(now_ns)
        self._load.update(now_ns)
        with guard("the bundle cannot be changed"):
            self._swap.step(now_ns)
        with guard("the start of the performance was not said to every stage"):
            self._maybe_start(now_ns)
        if now_ns - self._measured_ns >= 1_000 * MS:
            self._measured_ns = now_ns
            with guard("the stages cannot be measured"):
                self._measure(now_ns)
            self._mend_links()
        if self._view is not None:
            with guard("the state cannot be shown"):
                self._view.update(self.record, now_ns)
        self._ending = self._ending or self._end.ending(now_ns, self.record.start_ns)

    def _mend_links(self) -> None:
        """Make the run folder and the control link's socket again if they were removed."""
        with self._endurance.guard("the run folder cannot be made again"):
            for line in self._mend():
                self._note(line)

    def _reconcile(self, slot: ProcessSlot, now_ns: int) -> None:
        if slot.retry_at_ns is not None and now_ns >= slot.retry_at_ns:
            slot.begin_retry(now_ns)
        if slot.done() or self._ending is not None:
            return
        child = slot.child
        if child is None:
            if now_ns >= slot.spawn_at_ns and not self._spawner.must_wait(slot):
                self._spawn(slot, now_ns)
            return
        status = child.poll()
        silent_ns = self._silence.of(slot, now_ns)
        if status is not None:
            slot.exited_ns = now_ns if slot.exited_ns is None else slot.exited_ns
            if status <= 0 or slot.cause or now_ns - slot.exited_ns >= FINAL_REPORT_NS:
                self._on_death(slot, child, status, now_ns)
        elif slot.kill_at_ns is not None:
            if now_ns >= slot.kill_at_ns:
                child.kill()
        elif slot.record.state == "setup" and (lost := self._policy.lost_state_of(slot)):
            child.kill()
            cause = f"needs what the {lost} stage publishes, which was given up"
            self._ending = self._policy.give_up(slot, child, cause, now_ns)
        elif slot.record.state == "setup" and now_ns - slot.since_ns > slot.process.setup_timeout_s * 1e9:
            self._schedule_kill(slot, child, f"was not ready within {slot.process.setup_timeout_s:g} s", now_ns)
        elif slot.record.state in ("ready", "running") and slot.detector.hangs(
            child.pid, silent_ns, slot.process.silence_ms * MS, now_ns
        ):
            self._schedule_kill(slot, child, f"gave no sign of life for {silent_ns / 1e9:.1f} s", now_ns)

    def _schedule_kill(self, slot: ProcessSlot, child: Child, cause: str, now_ns: int) -> None:
        slot.cause = cause
        slot.kill_at_ns = now_ns + DUMP_NS
        child.dump_stacks()

    def _spawn(self, slot: ProcessSlot, now_ns: int) -> None:
        """Fill an empty slot; where the system refuses a process it is tried again."""
        show, name = self._controls.show, slot.process.name
        if slot.incarnation:
            self._mend_links()
        settings, line = settings_of(slot, show, now_ns)
        try:
            self._spawner.fill(slot, settings, now_ns)
        except SYSTEM_ERRORS as error:
            slot.spawn_failures += 1
            slot.spawn_at_ns = now_ns + REFUSED_NS
            what = f"{name}: the system refuses a process for it ({reason(error)})"
            if slot.spawn_failures == 1:
                self._note(f"{what}; it is tried again")
            if self.record.start_ns is None and slot.spawn_failures >= MAX_REFUSED:
                self._ending = Ending(1, f"{what}; end other programs, or raise its limits (ulimit)")
            return
        if line:
            self._policy.degrade(slot, line, now_ns)
        slot.sent = show

    def _on_death(self, slot: ProcessSlot, child: Child, status: int, now_ns: int) -> None:
        cause = slot.cause or cause_of(status, self._controls.files_of(slot.process))
        slot.clear()
        self._controls.end_of(slot.process.name)
        if self._swap.adopt(slot, now_ns):
            self._controls.greet(slot)
            return
        self._ending = self._policy.take_death(slot, child, cause, now_ns)
        self._reconcile(slot, now_ns)

    # What the stages report.

    def _take_report(self, identity: bytes, report: Report) -> None:
        now_ns = self._now()
        if isinstance(report, ControlRequest):
            self._controls.answer(identity, report, now_ns)
            return
        if isinstance(report, StatusRequest):
            status = status_of(self.record, now_ns, self._rates, report.notes)
            self._send(identity, StatusReply(status=status))
            return
        slot = self._slots.get(report.stage)
        if self._swap.take(identity, report, now_ns) or slot is None:
            return
        if isinstance(report, Hello) and slot.child is not None and report.pid == slot.child.pid:
            slot.identity = identity
            self._controls.greet(slot)
        # A dead process's last report still counts in the sums, but is no heartbeat of its successor.
        current = slot.child is not None and slot.identity == identity
        if current:
            patience_ms = report.patience_ms if isinstance(report, Alive) else 0
            self._silence.note_report(slot, patience_ms, now_ns)
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
        for line in health.notes:
            self._note(with_stage_name(slot.process.name, line))
        if missing := health.counters.get("notes_lost", 0):
            self._note(f"{slot.process.name}: {missing} notes came too fast to be passed on")
        if current:
            self._load.take(slot.process, health)
        # Once the end is planned, an idle stage's rate is not measured.
        is_rated = self.record.start_ns is not None and self.record.end_ns is None and not self._end.planned
        slot.take_health(health, now_ns, current=current, start_ns=self.record.start_ns if is_rated else None)

    def _on_ready(self, slot: ProcessSlot, ready: Ready, now_ns: int) -> None:
        slot.record.info.update(ready.info)
        slot.record.state, slot.ready_ns = "ready", now_ns
        if self.record.start_ns is None:
            return
        if slot.retry_at_ns is not None:
            slot.retry_at_ns = None
            self._policy.degrade(slot, "is back", now_ns)
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
        if self.record.start_ns is not None or not self._spawner.settled:
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
        self._load.greet(slot.identity)
        slot.record.state = "running"
        slot.mark_start()

    def _stop(self) -> None:
        """Make every process close, politely first."""
        now_ns = self._now()
        if self.record.start_ns is not None:
            with self._endurance.guard("the stages cannot be measured"):
                self._measure(now_ns)
            self.record.end_ns = now_ns
        self._swap.close()
        self._controls.close()
        with self._endurance.guard("the spare process cannot be ended"):
            self._spawner.close()
        stuck = stop_politely(
            self._slots.values(),
            ask=lambda identity: self._send(identity, Stop()),
            listen=self._take_final_reports,
            now_ns=self._now,
            hurried=lambda: self._end.hurried,
        )
        if stuck and self._ending is not None and self._ending.code == 0:
            names = ", ".join(slot.process.name for slot in stuck)
            self._ending = Ending(
                1, f"{names}: did not close when asked and was killed; see the logs in {self._spawner.logs}"
            )
        for slot in self._slots.values():
            if slot.record.state in ("ready", "running", "setup", "restarting"):
                slot.record.state = "closed"

    def _take_final_reports(self) -> None:
        """Take the sums and notes of the last reports; while the show stops nothing else counts."""
        with self._endurance.guard("a stage's last report was lost"):
            for identity, report in self._hub.poll(POLL_MS):
                if isinstance(report, Health):
                    self._take_report(identity, report)

    def _kill_all(self) -> None:
        with self._endurance.guard("the next bundle's stages cannot be ended"):
            self._swap.close()
        with self._endurance.guard("the spare process cannot be ended"):
            self._spawner.close()
        for slot in self._slots.values():
            with self._endurance.guard(f"{slot.process.name}: cannot be ended"):
                if slot.child is not None:
                    if slot.child.poll() is None:
                        slot.child.kill()
                    slot.child.wait(2.0)
                    slot.child.close_lifeline()

    # Helpers.

    def _send(self, identity: bytes, control: Control) -> None:
        try:
            self._hub.send(identity, control)
        except (StageError, OSError) as error:
            # Its process has just died or has stopped reading: both are noticed elsewhere.
            self._note(str(error))

    def _measure(self, now_ns: int) -> None:
        for slot in self._slots.values():
            if slot.child is not None:
                slot.child.bound_log()
                if self.record.start_ns is not None:
                    slot.measure((now_ns - self.record.start_ns) / 1e9)

    def _note(self, line: str) -> None:
        self.record.notes.append(line)
