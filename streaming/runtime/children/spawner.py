"""Fills the slots of a show with processes, and knows where their logs are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from streaming.runtime.children.child_process import STAGE_COMMAND, ChildProcess, log_folder
from streaming.runtime.children.fork_server import ForkClient
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.children.warm_spare import Child, WarmSpare
from streaming.settings.config import Show

SPARE = "warm-spare"
"""The spare process's name in place of a stage's name."""
PLAIN_AFTER = 3
"""After this many deaths within its window a stage is started with its row's plainer settings."""


class Spawner:
    """Spawns processes, or takes them from the warm spare.

    Args:
        show: its settings.
        enabled: whether a warm spare is kept.
        watch: takes the name and id of each process, none of which must outlive this one.
        spawn: makes a process: arguments, log file -> child.
        command: the program that becomes a stage, and its arguments.
        forks: whether the warm spare is a fork server.
        restart_show: gives, of the present settings, those for a stage that is started again, and variables of its
            environment: whatever became of the show's files, it has what it had.
    """

    def __init__(
        self,
        show: Show,
        *,
        enabled: bool,
        watch: Callable[[str, int], None] = lambda name, pid: None,
        spawn: Callable[..., ChildProcess] = ChildProcess,
        command: Sequence[str] = STAGE_COMMAND,
        forks: bool = False,
        restart_show: Callable[[Show], tuple[Show, dict[str, str]]] = lambda show: (show, {}),
    ) -> None:
        self._show, self._watch, self._spawn_child = show, watch, spawn
        self._command, self._restart_show = tuple(command), restart_show
        self.logs = log_folder(show.record, Path(show.links.run_dir))
        self._spare = WarmSpare(self._spawn_spare, enabled=enabled, forks=forks)

    @property
    def settled(self) -> bool:
        """Whether the warm spare is ready, or none is expected."""
        return self._spare.settled

    def must_wait(self, slot: ProcessSlot) -> bool:
        """Whether the first process of a slot should wait for the fork server, which saves it all its imports."""
        return slot.incarnation == 0 and slot.process.warm_spare and self._spare.forks and not self._spare.settled

    def forget_logs(self, names: Sequence[str]) -> None:
        """Remove the logs of an earlier show."""
        for name in names:
            with contextlib.suppress(OSError):
                self.log_of(name).unlink(missing_ok=True)

    def maintain(self, now_ns: int, *, performing: bool) -> None:
        """Prepare a warm spare when it is time.

        Raises:
            OSError: when it cannot be spawned.
        """
        spare = self._spare.maintain(now_ns, performing=performing)
        if spare is not None:
            self._watch(SPARE, spare)

    def fill(self, slot: ProcessSlot, show: Show, now_ns: int) -> None:
        """Fill an empty slot: from the warm spare if one is ready and the row uses it, else with a new process.

        Args:
            slot: the slot.
            show: the settings that the process gets.
            now_ns: the time.

        Raises:
            OSError: when there is no descriptor, memory or process left for it.
        """
        process, log = slot.process, self.log_of(slot.process.name)
        show, environment = self._restart_show(show) if slot.incarnation else (show, {})
        # A process that was never ready may owe that to the spare: the next one is a new process. A plain spare is kept
        # for a stage that dies; a fork server makes the first processes too.
        first = 0 if self._spare.forks else 1
        is_warm = process.warm_spare and slot.incarnation >= first
        is_warm = is_warm and (slot.incarnation <= 1 or slot.ready_ns is not None)
        child = self._spare.take(now_ns, log) if is_warm else None
        if child is None:
            child = self._spawn_child(self._command, log)
        self._watch(process.name, child.pid)
        slot.occupy(child, now_ns)
        self._assign(child, slot, show, environment)
        slot.incarnation += 1

    def spawn_aside(self, slot: ProcessSlot, show: Show, now_ns: int) -> Child:
        """A process that sets a slot's stage up beside the one that runs, and waits for `Enter`.

        Args:
            slot: the slot, which is left as it is.
            show: the settings that the process gets.
            now_ns: the time.

        Raises:
            OSError: when there is no descriptor, memory or process left for it.
        """
        process, log = slot.process, self.log_of(slot.process.name)
        child = self._spare.take(now_ns, log) if process.warm_spare and self._spare.forks else None
        child = child or self._spawn_child(self._command, log)
        self._watch(process.name, child.pid)
        self._assign(child, slot, show, {}, standby=True)
        return child

    def _assign(
        self, child: Child, slot: ProcessSlot, show: Show, environment: dict[str, str], *, standby: bool = False
    ) -> None:
        child.assign(
            {
                "process": slot.process.name,
                "show": msgspec.to_builtins(show),
                "memo": slot.memo,
                "run_dir": show.links.run_dir,
                "incarnation": slot.incarnation,
                "environment": environment,
                "standby": standby,
            }
        )

    def log_of(self, name: str) -> Path:
        """The log of a stage."""
        return self.logs / f"{name}.log"

    def close(self) -> None:
        """End the warm spare."""
        self._spare.close()

    def _spawn_spare(self, client: ForkClient | None) -> ChildProcess:
        # One that is made in mid-show imports what the bundle needed when the show began.
        show, _ = self._restart_show(self._show)
        command = (*self._command, "--preload", show.backend, "--bundle", show.bundle)
        if client is None:
            return self._spawn_child(command, self.log_of(SPARE))
        descriptor = client.server_end
        return self._spawn_child((*command, "--forks", str(descriptor)), self.log_of(SPARE), pass_fds=(descriptor,))


def settings_of(slot: ProcessSlot, show: Show, now_ns: int) -> tuple[Show, str]:
    """The settings for a slot's next process, and a line for the user where they are plainer than the show's.

    A part that a stage can do without may be what kills it: the published eyes in the motion stage.
    """
    settings = {name: value for name, value in slot.process.plainer if getattr(show, name) != value}
    if not settings or slot.recent_deaths(now_ns) < PLAIN_AFTER:
        return show, ""
    words = ", ".join(f"--{name} {value}" for name, value in settings.items())
    return msgspec.structs.replace(show, **settings), f"is started with {words}, for it has died {PLAIN_AFTER} times"
