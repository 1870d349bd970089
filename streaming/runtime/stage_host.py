"""The loop that runs one stage: inputs in, outputs published, a heartbeat four times a second, a polite close."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from engines.contract import EngineError
from streaming.errors import DeviceLostError, StageError, UserError, WireError
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import (
    TOPICS,
    Alive,
    Confirmation,
    Control,
    Enter,
    Failed,
    Finished,
    Health,
    Hello,
    Load,
    Message,
    Prepared,
    Ready,
    Report,
    Set,
    Start,
    Stop,
)
from streaming.schema.processes import Process, inputs_of
from streaming.settings.config import Show
from streaming.stage import Context, Inputs, Stage
from streaming.system.descriptors import keep_room
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from streaming.transport.bus import ControlLink, Publisher, Subscriber
from streaming.transport.links import Security, address_of, security_of
from streaming.transport.sockets import Poller, Waker

HEARTBEAT_NS = 250_000_000
PULSE_NS = 83_000_000
"""Time between two signs of life: a stage that hangs is noticed by the lack of several."""
MAX_FAILURES = 20
"""After this many failed steps in a row the stage gives up."""

USER_ERRORS = (UserError, EngineError)
"""Errors that the user can fix: shown unchanged, exit status 2."""


class ReportPort:
    """A host's link to its supervisor; this base class discards reports, for a stage without a supervisor."""

    def send(self, report: Report) -> None:
        """Send a report."""

    def receive(self) -> list[Control]:
        """Take every control that has arrived."""
        return []

    def sockets(self) -> tuple[Any, ...]:
        """The sockets that become readable when a control arrives."""
        return ()

    def close(self) -> None:
        """Close the link."""


class StageHost:
    """Runs one stage until it gets a Stop.

    Args:
        process: the row of the table.
        stage: the stage; None to build it from the row's module at setup, so that a failure there is reported.
        show: the settings.
        memo: the memo of the stage's last incarnation.
        port: the link to the supervisor.
        metrics: shared with the port, which counts malformed controls.
        started: the performance has begun already; else it begins when the supervisor says so.
        enter: the stage is set up beside another one of its row, and this is called when it takes that one's place;
            None for a stage that is alone.
    """

    def __init__(
        self,
        process: Process,
        stage: Stage | None,
        show: Show,
        memo: dict[str, Any],
        *,
        port: ControlLink | ReportPort | None = None,
        metrics: Metrics | None = None,
        started: bool = False,
        enter: Callable[[], object] | None = None,
    ) -> None:
        self._enter = enter
        self._process, self._stage, self._show = process, stage, show
        self._port = port or ReportPort()
        self._started = started
        self._metrics = metrics or Metrics()
        self._waker = Waker()
        self._stopping = threading.Event()
        self._finish: list[str] = []
        self._confirmations: list[Confirmation] = []
        self._context = Context(
            show=show,
            metrics=self._metrics,
            wake=self._waker.wake,
            memo=memo,
            note=self._metrics.note,
            finish=self._on_finish,
            confirm=self._on_confirm,
            expect_pause=self._on_pause,
        )
        self._awaited = set(process.awaits)
        self._inbox: dict[str, list[Message]] = {}
        self._controls: list[Set] = []
        self._publisher: Publisher | None = None
        self._subscriber: Subscriber | None = None
        self._info: dict[str, Any] = {}
        self._setting_up = False
        self._failures = 0
        self._noted_errors: set[str] = set()
        self._beat_ns = self._pulse_ns = 0

    def stop(self) -> None:
        """Ask for a polite end; safe in a signal handler and from any thread."""
        self._stopping.set()
        self._waker.wake()

    def interrupt(self) -> None:
        """`stop` for a signal handler; it also interrupts a setup.

        Raises:
            SystemExit: while the stage sets up.
        """
        self.stop()
        if self._setting_up:
            self._setting_up = False
            raise SystemExit(0)

    def unlink(self) -> None:
        """Remove the socket's file, for a process that ends without closing."""
        if self._publisher is not None:
            self._publisher.unlink()

    def run(self) -> int:
        """Set up, loop, close.

        Returns:
            The exit status: 0 closed when asked, 2 a user's error, 1 anything else.
        """
        try:
            failure = self._guarded_run()
            closing_failure = self._close_stage()
            failure = failure or closing_failure
            self._beat()
            if failure is not None:
                self._report(failure)
            return failure.exit_code if failure else 0
        finally:
            for part in (self._subscriber, self._publisher, self._port, self._waker):
                if part is not None:
                    part.close()

    def _guarded_run(self) -> Failed | None:
        name = self._process.name
        try:
            stage = self._setup()
            if not self._stopping.is_set():
                self._loop(stage)
        except SystemExit:
            return None
        except USER_ERRORS as error:
            return Failed(stage=name, line=_line(error), exit_code=2)
        except DeviceLostError as error:
            return Failed(stage=name, line=f"{name}: {_line(error)}", renew=True)
        except Exception as error:
            traceback.print_exc()
            return Failed(stage=name, line=f"{name}: {_line(error)}", exit_code=1)
        return None

    def _setup(self) -> Stage:
        process, links = self._process, self._show.links
        self._report(Hello(stage=process.name, pid=os.getpid()))
        security = security_of(links) if links.addresses else None
        if self._enter is None:
            # Bound before the stage opens anything, so that a second instance is refused at once.
            self._bind(security)
        inputs = {
            topic: address_of(links, topic) for topic in inputs_of(process, self._show.direction, self._show.camera)
        }
        self._context.now_ns = clock.now_ns()
        self._setting_up = True
        try:
            if self._stage is None:
                self._stage = importlib.import_module(process.module).build()
            stage: Stage = self._stage
            stage.setup(self._context)
        finally:
            self._setting_up = False
        if self._enter is not None:
            self._stand_by(self._enter)
            if self._stopping.is_set():
                return stage
            self._bind(security)
        # Connected after setup: messages published during a long setup are stale. States are sent again.
        self._subscriber = Subscriber(inputs, self._metrics, security)
        self._subscriber.leave_out(self._context.unwanted)
        publishers = (self._publisher,) if self._publisher is not None else ()
        self._poller = Poller(self._subscriber, self._port, self._waker, *publishers)
        self._beat_ns = self._pulse_ns = clock.now_ns()
        # States that no stage of this show publishes are not awaited.
        self._awaited &= set(inputs)
        if not self._awaited:
            self._report_ready()
        return stage

    def _bind(self, security: Security | None) -> None:
        """Publish from now on."""
        if (topic := self._process.output) is not None:
            self._publisher = Publisher(topic, address_of(self._show.links, topic, bind=True), security)

    def _stand_by(self, enter: Callable[[], object]) -> None:
        """Wait for the end of the stage whose place this one takes."""
        gc.collect()
        self._report(Prepared(stage=self._process.name))
        poller = Poller(self._port, self._waker)
        while self._enter is not None and not self._stopping.is_set():
            poller.wait(clock.now_ns() + PULSE_NS, precise=False)
            self._waker.clear()
            self._take_controls()
            self._report(Alive(stage=self._process.name))
        enter()

    def _report_ready(self) -> None:
        """Tell the supervisor that setup is done."""
        # The objects made in setup live until the end. Without the freeze the collector would traverse a runtime's 10^5
        # objects again and again, in the middle of a tick.
        gc.collect()
        gc.freeze()
        self._info = dict(self._context.info)
        self._report(Ready(stage=self._process.name, info=self._info))

    def _loop(self, stage: Stage) -> None:
        wake_ns = stage.wake_ns()
        if self._started:
            self._waker.wake()
        while not self._stopping.is_set():
            if wake_ns is not None and wake_ns <= self._pulse_ns:
                self._poller.wait(wake_ns)
            else:
                self._poller.wait(self._pulse_ns, precise=False)
            woken = self._waker.clear()
            changed = self._take_controls()
            # Drained after the wait, so that a step that is due by the clock gets the newest messages (late latching).
            arrived = self._take_messages()
            now_ns = clock.now_ns()
            if not self._stopping.is_set() and (
                woken or changed or arrived or (wake_ns is not None and now_ns >= wake_ns)
            ):
                self._step(stage, now_ns)
                wake_ns = stage.wake_ns()
                if self._subscriber is not None:
                    self._subscriber.leave_out(self._context.unwanted)
            if self._publisher is not None:
                self._publisher.welcome()
            while self._confirmations:
                self._report(self._confirmations.pop(0))
            while self._finish:
                self._report(Finished(stage=self._process.name, reason=self._finish.pop(0)))
            if (now_ns := clock.now_ns()) >= self._pulse_ns:
                self._pulse(now_ns)

    def _take_controls(self) -> bool:
        """Take the supervisor's controls; True when the stage must step because of them."""
        changed = False
        for control in self._port.receive():
            if isinstance(control, Stop):
                self._stopping.set()
            elif isinstance(control, Start):
                changed, self._started = changed or not self._started, True
            elif isinstance(control, Load):
                self._context.load_level = LoadLevel(min(max(control.level, 0), max(LoadLevel)))
            elif isinstance(control, Enter):
                self._enter = None
            elif isinstance(control, Set):
                self._controls.append(control)
                changed = True
        return changed

    def _take_messages(self) -> bool:
        """Move what arrived into the inbox, which is bounded; True when the stage wakes on any of it."""
        arrived = False
        if self._subscriber is None:
            return arrived
        for name, messages in self._subscriber.drain().items():
            queued = self._inbox.setdefault(name, [])
            queued.extend(messages)
            room = TOPICS[name].room
            if len(queued) > room:
                self._metrics.count(f"drops.{name}", len(queued) - room)
                del queued[:-room]
            arrived = arrived or name in self._process.wakes_on
        return arrived

    def _step(self, stage: Stage, now_ns: int) -> None:
        new_states = self._awaited & self._inbox.keys()
        inputs = Inputs(messages=self._inbox, started=self._started, controls=self._controls)
        self._inbox, self._controls = {}, []
        try:
            outputs = stage.step(inputs, now_ns)
            self._metrics.observe("step_ms", (clock.now_ns() - now_ns) / 1e6)
            for message in outputs:
                self._publish(message)
        except (*USER_ERRORS, DeviceLostError):
            raise
        except Exception as error:
            self._on_error(error)
        else:
            self._failures = 0
            if new_states:
                self._awaited -= new_states
                if not self._awaited:
                    self._report_ready()

    def _publish(self, message: Message) -> None:
        if self._publisher is None:
            raise StageError(f"{self._process.name} publishes nothing, yet made a {type(message).__name__}")
        message.stamps[self._process.name] = clock.now_ns()
        try:
            self._publisher.send(message)
        except WireError as error:
            self._metrics.count(f"bad.{self._process.output}.{error.reason}")
            raise
        self._metrics.count("published")

    def _on_error(self, error: Exception) -> None:
        """Count a failed step, note each kind once, and give up after too many in a row."""
        self._failures += 1
        self._metrics.count("errors")
        kind = f"{type(error).__name__} at {_place(error)}"
        if kind not in self._noted_errors and len(self._noted_errors) < 100:
            self._noted_errors.add(kind)
            self._metrics.note(f"{self._process.name}: {_line(error)}; it goes on")
            traceback.print_exception(error)
        if self._failures >= MAX_FAILURES:
            raise StageError(f"{self._failures} steps in a row failed, the last with: {_line(error)}") from error

    def _on_confirm(self, control: Set, refusal: UserError | None) -> None:
        lines = [] if refusal is None else [refusal.what, refusal.where, refusal.fix]
        self._confirmations.append(
            Confirmation(stage=self._process.name, name=control.name, value=control.value, refusal=lines)
        )
        self._waker.wake()

    def _on_finish(self, reason: str) -> None:
        self._finish.append(reason)
        self._waker.wake()

    def _on_pause(self, seconds: float) -> None:
        """Say that the present step may take long."""
        self._report(Alive(stage=self._process.name, patience_ms=round(1e3 * seconds)))

    def _pulse(self, now_ns: int) -> None:
        """Give a sign of life; every third one is a whole heartbeat."""
        self._pulse_ns = now_ns + PULSE_NS
        keep_room()
        if now_ns + PULSE_NS // 2 >= self._beat_ns:
            self._beat()
            if self._publisher is not None and self._publisher.mend():
                self._metrics.count("socket_mended")
        else:
            self._report(Alive(stage=self._process.name))

    def _beat(self) -> None:
        self._beat_ns = clock.now_ns() + HEARTBEAT_NS
        health = self._metrics.take(self._process.name, self._context.memo)
        self._context.refresh_engines()
        if self._context.info != self._info:
            health.info = self._info = dict(self._context.info)
        self._report(health)

    def _report(self, report: Report) -> None:
        """Report to the supervisor; a report that cannot be encoded is an error, and goes without memo and info."""
        try:
            self._port.send(report)
        except WireError as error:
            self._metrics.count("errors")
            sys.stderr.write(f"{self._process.name}: a {type(report).__name__} cannot travel ({error})\n")
            if isinstance(report, Health):
                self._context.memo.clear()
                self._port.send(msgspec.structs.replace(report, memo={}, info={}))
            elif isinstance(report, Ready):
                self._port.send(Ready(stage=report.stage))

    def _close_stage(self) -> Failed | None:
        if self._stage is None:
            return None
        try:
            self._stage.close()
        except Exception as error:
            traceback.print_exc()
            code = 2 if isinstance(error, USER_ERRORS) else 1
            return Failed(
                stage=self._process.name, line=f"{self._process.name}: closing: {_line(error)}", exit_code=code
            )
        return None


def _line(error: BaseException) -> str:
    """An error as one line, with its type if the text was not written for the user."""
    text = " ".join(str(error).split())
    if isinstance(error, (*USER_ERRORS, StageError)):
        return text
    return f"{type(error).__name__}: {text}"[:500]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
