"""The program that every stage runs in: it runs the stage named on its stdin, and ends with its supervisor.

`python -m streaming.runtime.stage_process [--preload BACKEND]` waits on stdin for one line of JSON (`Assignment`) that
names its stage. With `--preload` it imports that neural runtime first and serves as a warm spare; with `--forks` it
then forks such processes on request. Its stdin stays open as a lifeline: when stdin ends, the supervisor is gone, and
the stage closes within a second or is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engines.contract import EngineError
from streaming.errors import UserError
from streaming.runtime.children.fork_server import end_fork, serve_forks
from streaming.runtime.run_folder import make_private
from streaming.runtime.stage_host import ReportPort, StageHost
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.schema.messages import Failed, Finished, Health, Ready, Report
from streaming.schema.processes import PROCESSES, Process, rows_of_replay
from streaming.settings.config import Links, Show
from streaming.stage import Stage
from streaming.system.realtime import leave_realtime, lock_memory, request_niceness, request_realtime
from streaming.telemetry.metrics import Metrics, Totals
from streaming.timing import clock
from streaming.transport.bus import ControlLink
from streaming.transport.links import CONTROL, RUN_DIR, address_of, default_run_dir

LIFELINE_S = 1.0
"""How long a stage may take to close once its supervisor is gone."""
STATUS_NS = 2_000_000_000
"""Time between two status lines of a stage that is run by hand."""


class Assignment(msgspec.Struct, kw_only=True):
    """The line on stdin: the stage that this process runs.

    Attributes:
        process: the row's name.
        show: the settings.
        memo: the memo of the stage's last incarnation.
        run_dir: folder of the sockets.
        incarnation: how many processes the row had before.
        environment: variables that are set for it.
        standby: it is set up beside the one that runs, and waits until that has ended.
    """

    process: str
    show: Show
    memo: dict[str, Any] = msgspec.field(default_factory=dict)
    run_dir: str = ""
    incarnation: int = 0
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    standby: bool = False


def run_stage(
    process: Process,
    stage: Stage | None,
    show: Show,
    memo: dict[str, Any],
    *,
    lifeline: Callable[[StageHost], None] | None = None,
    standby: bool = False,
) -> int:
    """Run a stage for a supervisor, until a Stop, SIGTERM, or the end of the lifeline.

    Args:
        process: its row.
        stage: the stage; None to build it from the row's module.
        show: the settings, with the run folder.
        memo: the memo of its last incarnation.
        lifeline: called with the host before it runs; stops it when the supervisor is gone.
        standby: it is set up beside the one that runs, and waits until that has ended.

    Returns:
        The exit status.
    """
    metrics = Metrics()
    identity = f"{process.name}:{os.getpid()}".encode()
    link = ControlLink(address_of(show.links, CONTROL), identity, metrics)
    enter = (lambda: request_realtime(process.realtime)) if standby else None
    host = StageHost(process, stage, show, memo, port=link, metrics=metrics, enter=enter)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: host.interrupt())
    if lifeline is not None:
        lifeline(host)
    return host.run()


def run_alone(name: str, show: Show, status: Callable[[str], None]) -> int:
    """Run one stage by hand, without a supervisor; it starts at once and ends with Ctrl-C.

    Args:
        name: the stage's name.
        show: the settings.
        status: takes a line every two seconds, and the stage's notes; may fail, for example if the terminal is closed.

    Returns:
        The exit status.

    Raises:
        UserError: for a name that is no stage, and a run folder that is not this user's alone.
    """
    process = _row(name, show)
    links = show.links
    run_dir = Path(links.run_dir) if links.run_dir else default_run_dir()
    make_private(run_dir)
    show = msgspec.structs.replace(show, links=msgspec.structs.replace(links, run_dir=str(run_dir)))
    os.environ[RUN_DIR] = str(run_dir)
    host = StageHost(process, None, show, {}, port=_StatusPort(process, status), started=True)
    names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.signal(number, lambda *_: host.interrupt()) for number in names if number is not None}
    try:
        return host.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _StatusPort(ReportPort):
    """Turns heartbeats into status lines."""

    def __init__(self, process: Process, status: Callable[[str], None]) -> None:
        self._process, self._write = process, status
        self._totals = Totals()
        self._since_ns = clock.now_ns()

    def send(self, report: Report) -> None:
        """Print a report as a status line."""
        name = self._process.name
        if isinstance(report, Ready):
            info = describe_info(report.info)
            self._status(f"{name}: ready" + (f" ({info})" if info else ""))
        elif isinstance(report, Failed):
            self._status(report.line)
        elif isinstance(report, Finished):
            self._status(f"{name}: finished" + (f" ({report.reason})" if report.reason else ""))
        elif isinstance(report, Health):
            self._totals.add(report)
            for line in report.notes:
                self._status(f"{name}: {line}")
            now_ns = clock.now_ns()
            if now_ns - self._since_ns >= STATUS_NS:
                self._status(self._line((now_ns - self._since_ns) / 1e9))
                self._since_ns, self._totals = now_ns, Totals()

    def _status(self, line: str) -> None:
        # A terminal that fails is no reason to end a stage.
        with contextlib.suppress(OSError, ValueError):
            self._write(line)

    def _line(self, seconds: float) -> str:
        totals = self._totals
        parts = [f"{self._process.name}: {totals.counter('published') / seconds:.1f}/s"]
        p50, p99 = totals.percentile("step_ms", 50), totals.percentile("step_ms", 99)
        if p50 is not None and p99 is not None:
            parts.append(f"step {p50:.1f} ms (p99 {p99:.1f})")
        for text, prefix in (("dropped", "drops."), ("refused", "bad."), ("errors", "errors")):
            count = totals.sum_of(prefix)
            if count:
                parts.append(f"{text} {count}")
        return ", ".join(parts)


def describe_info(info: dict[str, Any]) -> str:
    """A stage's device in words: "device JACK, samplerate 48000", or the runtimes of its networks."""
    engines = info.get("engines", {})
    if engines:
        return "; ".join(f"{network}: {place}" for network, place in engines.items())
    return ", ".join(f"{key} {value}" for key, value in info.items() if not isinstance(value, dict | list))


def _row(name: str, show: Show) -> Process:
    rows = {row.name: row for row in rows_of_replay()} if show.take else PROCESSES
    if name not in rows:
        raise UserError("there is no such stage", name, f"choose one of {', '.join(rows)}")
    return rows[name]


def _watch_lifeline(host: StageHost) -> None:
    """Stop the host when stdin ends, and end the process if it does not stop in time."""

    def watch() -> None:
        # Unbuffered: the lock of Python's buffered stdin would keep the interpreter from ending.
        with contextlib.suppress(OSError):
            while os.read(0, 4_096):
                pass
        host.stop()
        threading.Event().wait(LIFELINE_S)
        host.unlink()
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _take_priority(realtime: int) -> None:
    """Have a real-time priority, or none."""
    if realtime == 0:
        leave_realtime()  # which a fork has from its server
    request_realtime(realtime)


def _read_line() -> bytes:
    """The first line of stdin; empty when it ended before."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return bytes(line)


def main(arguments: list[str] | None = None) -> int:
    """Run the stage that stdin names.

    Returns:
        The exit status.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where native code crashes, the log has the stacks of all threads.
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    parser = argparse.ArgumentParser(
        prog="python -m streaming.runtime.stage_process", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--preload", metavar="BACKEND", help="import this runtime and the stages first")
    parser.add_argument("--bundle", default="default", help="whose runtime `--preload auto` means")
    parser.add_argument("--forks", type=int, metavar="FD", help="after that serve as a fork server on this channel")
    options = parser.parse_args(arguments)
    if options.preload:
        from engines.registry import preload

        # The stage that needs a missing runtime reports it.
        with contextlib.suppress(EngineError, ImportError):
            preload(options.preload, options.bundle)
        for row in PROCESSES.values():
            with contextlib.suppress(ImportError, UserError):
                importlib.import_module(row.module)
        for option in DEVICE_OPTIONS.values():
            option.preload()
    if options.forks is not None and not serve_forks(options.forks):
        return 0
    line = _read_line()
    if not line and options.forks is not None:
        end_fork(0)
    if not line:
        return 0
    try:
        assignment = msgspec.json.decode(line, type=Assignment)
        process = _row(assignment.process, assignment.show)
    except (msgspec.MsgspecError, UserError) as error:
        sys.stderr.write(f"stage process: not an assignment: {error}\n")
        return 1
    os.environ.update(assignment.environment)
    links: Links = assignment.show.links
    if assignment.run_dir:
        links = msgspec.structs.replace(links, run_dir=assignment.run_dir)
    show = msgspec.structs.replace(assignment.show, links=links)
    os.environ[RUN_DIR] = links.run_dir
    lock_memory()
    request_niceness(process.nice)
    # One that is prepared beside others is behind all that a tick needs, and before all that is no show.
    _take_priority(min(process.realtime, 1) if assignment.standby else process.realtime)
    status = run_stage(process, None, show, assignment.memo, lifeline=_watch_lifeline, standby=assignment.standby)
    if options.forks is not None:
        end_fork(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
