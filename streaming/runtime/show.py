"""One performance from its settings to its report: the lock, the links, the supervisor, the view, the exit status."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import psutil

from streaming.runtime.children.child_process import STAGE_COMMAND
from streaming.runtime.children.fork_server import adopt_orphans, can_fork
from streaming.runtime.children.spawner import Spawner
from streaming.runtime.held_files import HeldFiles
from streaming.runtime.run_folder import RunFolder
from streaming.runtime.supervision.endurance import DescriptorReserve
from streaming.runtime.supervision.supervisor import Supervisor
from streaming.schema.processes import DESK_PRIORITY, Process, processes_of, rows_of_replay
from streaming.settings.config import Show
from streaming.settings.device_checks import check_files
from streaming.settings.network_place import is_loopback
from streaming.settings.validation import with_control
from streaming.system.files import reason
from streaming.system.host_info import StolenTime, describe_host
from streaming.system.realtime import prompt_thread
from streaming.telemetry.console import open_view
from streaming.telemetry.report import Ending, ShowRecord, build_report, write_report
from streaming.telemetry.views import ShowView, Views
from streaming.timing import clock
from streaming.transport.bus import ControlHub
from streaming.transport.links import CONTROL, address_of, host_of
from streaming.transport.sockets import IO_THREADS


@dataclass(frozen=True)
class Performance:
    """What is left of a performance: how it ended, and its report."""

    ending: Ending
    report: dict[str, Any]


def rows_for(show: Show) -> list[Process]:
    """The rows of the process table that this machine fills.

    A stage that needs a setting is left out without it (a recorder without a folder to record into). A stage whose
    address is another machine's runs there (`run_live.py stage NAME`).
    """
    rows = rows_of_replay() if show.take else processes_of(show.direction)
    rows = [row for row in rows if not row.needs or getattr(show, row.needs)]
    return [row for row in rows if row.name not in show.links.addresses or is_here(show.links.addresses[row.name])]


def is_here(address: str) -> bool:
    """Whether an address is one of this machine's, and nobody listens there yet."""
    host = host_of(address)
    if not address.startswith("tcp://"):
        return True
    if host == "*" or is_loopback(host):
        return not _answers(address)
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(own & addresses) and not _answers(address)


def _answers(address: str) -> bool:
    """Whether somebody listens at an address of this machine: a stage that was started by hand."""
    host, port = host_of(address), int(address.rpartition(":")[2])
    try:
        socket.create_connection(("127.0.0.1" if host == "*" else host, port), 0.5).close()
    except (OSError, OverflowError):
        return False
    return True


def place_notes(show: Show, rows: Sequence[Process]) -> list[str]:
    """A line for each stage with an address of this machine: whether the show starts it or it runs already."""
    here, lines = {row.name for row in rows}, []
    for name in sorted(set(show.links.addresses) & {row.name for row in processes_of(show.direction)}):
        address = show.links.addresses[name]
        if not address.startswith("tcp://"):
            continue
        if name in here:
            lines.append(f"{name} runs here: {address} is an address of this machine")
        else:
            lines.append(f"{name} is expected at {address}: it is not started here")
    return lines


def perform(
    show: Show,
    *,
    awake: bool = False,
    notes: Sequence[str] = (),
    processes: Sequence[Process] | None = None,
    command: Sequence[str] = STAGE_COMMAND,
    closes: Callable[[], bool] = lambda: False,
    views: Sequence[ShowView] = (),
) -> Performance:
    """Perform a show until it ends, and write its report.

    Args:
        show: the settings.
        awake: keep the machine's cores from halting meanwhile.
        notes: lines for the user from before the start.
        processes: rows of the process table; None for those of the show's direction.
        command: the command that becomes a stage.
        closes: whether the show's opening hours are over.
        views: of the show, beside the terminal's.

    Raises:
        UserError: when it cannot begin; nothing is left running.
    """
    check_files(show)
    with contextlib.ExitStack() as stack:
        run_dir = stack.enter_context(RunFolder(show.links.run_dir))
        links = msgspec.structs.replace(show.links, run_dir=str(run_dir.path))
        show = msgspec.structs.replace(show, links=links)
        hub = stack.enter_context(contextlib.closing(ControlHub(address_of(links, CONTROL))))
        if awake:
            stack.enter_context(clock.keep_awake())
        view = Views(stack.enter_context(open_view(quiet=show.quiet)), *views)
        rows = rows_for(show) if processes is None else processes
        record = ShowRecord(show=show, awake=awake)
        record.notes.extend([*notes, *place_notes(show, rows)])
        held = stack.enter_context(contextlib.closing(HeldFiles(show, record.notes.append)))
        supervisor = Supervisor(
            record,
            hub,
            rows,
            spawner=_spawner(show, rows, run_dir, held, command),
            now_ns=clock.now_ns,
            with_control=with_control,
            view=view,
            mend=_mender(run_dir, hub, held),
            closes=closes,
        )
        stolen, host, reserve = StolenTime(), describe_host(), DescriptorReserve()
        held.start()
        # What a desk sets goes through the supervisor, which every stage could keep from its core.
        with prompt_thread(DESK_PRIORITY, IO_THREADS):
            ending = supervisor.run()
        reserve.release()
        record.stolen_percent = stolen.percent()
        # Written before the view says how it went: a view that fails costs nothing but what it would have shown.
        ending = _write(record, report := build_report(record, host), ending)
        view.finish(record, ending)
    return Performance(ending, report)


def _spawner(
    show: Show, rows: Sequence[Process], run_dir: RunFolder, held: HeldFiles, command: Sequence[str]
) -> Spawner:
    """What makes the show's processes."""
    return Spawner(
        show,
        enabled=any(row.warm_spare for row in rows),
        watch=run_dir.watch,
        command=command,
        forks=tuple(command) == STAGE_COMMAND and can_fork() and adopt_orphans(),
        restart_show=held.show_for_restart,
    )


def _mender(run_dir: RunFolder, hub: ControlHub, held: HeldFiles) -> Callable[[], list[str]]:
    """What makes the run folder, the control link's socket and the held files again if they were removed."""

    def mend() -> list[str]:
        lines = run_dir.mend()
        hub.mend()
        if lines:
            held.start()
        return lines

    return mend


def _write(record: ShowRecord, report: dict[str, Any], ending: Ending) -> Ending:
    """Write the report where one was asked for; gives the ending, with a line where it cannot be written."""
    path = record.show.report
    if not path or record.start_ns is None:
        return ending
    try:
        record.notes.extend(filter(None, [write_report(path, report)]))
        record.report_written = True
    except OSError as error:
        text = f"{path}: the report cannot be written ({reason(error)}); make room, or name another file"
        return replace(ending, code=max(ending.code, 1), line="\n".join(filter(None, (ending.line, text))))
    return ending
