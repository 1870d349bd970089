"""Changes the bundle of a show that runs: its stages are prepared anew beside the old ones, and change at once.

Each stage that uses the bundle gets a successor, which opens the new networks while the old stage plays on. When all
have done so, the old ones are asked to stop, and each successor takes the place of one that has ended: the gap is the
time of a close, not that of loading networks. Where a successor fails nothing has happened, and the request is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streaming.errors import UserError
from streaming.runtime.children.death_causes import cause_of
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.children.warm_spare import Child
from streaming.schema.messages import Alive, Control, Enter, Failed, Health, Hello, Prepared, Report, Stop
from streaming.settings.config import Show
from streaming.system.files import reason

LOADING_NS, CLOSING_NS, ENTERING_NS = 30_000_000_000, 400_000_000, 10_000_000_000
"""Limits of the time in which successors must be prepared, old stages must close, and new ones must play."""
READY_STATES = ("ready", "running", "finished", "lost")


class AsideSpawner(Protocol):
    """Makes processes that prepare a stage beside the one that runs; see `children.spawner.Spawner`."""

    def spawn_aside(self, slot: ProcessSlot, show: Show, now_ns: int) -> Child:
        """A process that sets the slot's stage up and waits."""


@dataclass
class _Successor:
    child: Child
    identity: bytes | None = None
    prepared: bool = False


class BundleSwap:
    """At most one change of the bundle at a time.

    Args:
        slots: the processes by the stage's name.
        spawner: makes the successors.
        send: sends a control to an identity on the control link.
        take_over: called with the new settings at the moment of the change.
        done: called with a line when all of it is over: what is new, or three lines why not.
    """

    def __init__(
        self,
        slots: Mapping[str, ProcessSlot],
        *,
        spawner: AsideSpawner,
        send: Callable[[bytes, Control], None],
        take_over: Callable[[Show], None],
        done: Callable[[list[str]], None],
    ) -> None:
        self._slots, self._spawner, self._send = slots, spawner, send
        self._take_over, self._done = take_over, done
        self._successors: dict[str, _Successor] = {}
        self._show: Show | None = None
        self._begun_ns = self._changed_ns = 0
        self._entering: set[str] = set()

    @property
    def is_running(self) -> bool:
        """Whether a change is under way."""
        return self._show is not None

    def begin(self, show: Show, now_ns: int) -> None:
        """Prepare the stages for other settings.

        Raises:
            UserError: when another change is under way, a stage is just being started, none uses a bundle here, or the
                system refuses a process.
        """
        slots = [slot for slot in self._slots.values() if slot.process.uses_bundle and not slot.done()]
        where = f"set bundle {show.bundle}"
        if self.is_running or any(slot.record.state != "running" for slot in slots):
            raise UserError("must wait until every stage plays", where, "set it again in a moment")
        if not slots:
            raise UserError("changes nothing in this show", where, "no stage of it uses a bundle here")
        try:
            for slot in slots:
                self._successors[slot.process.name] = _Successor(self._spawner.spawn_aside(slot, show, now_ns))
        except OSError as error:
            self.close()
            raise UserError(f"the system refuses a process ({reason(error)})", where, "end other programs") from error
        self._show, self._begun_ns, self._changed_ns, self._entering = show, now_ns, 0, set()

    def take(self, identity: bytes, report: Report, now_ns: int) -> bool:
        """Take a successor's report; False for one of another process."""
        name = getattr(report, "stage", "")
        successor = self._successors.get(name)
        if successor is None:
            return False
        if isinstance(report, Hello) and report.pid == successor.child.pid:
            successor.identity = identity
            return True
        if identity != successor.identity:
            return False
        if isinstance(report, Prepared):
            successor.prepared = True
            self._change_if_all_are_prepared(now_ns)
        elif isinstance(report, Failed):
            self._give_up(f"the {name} stage refuses it ({report.line})")
        return isinstance(report, Prepared | Failed | Alive | Health)

    def step(self, now_ns: int) -> None:
        """Look after successors that die or take too long, and say when the change is over."""
        show = self._show
        if show is None:
            return
        if not self._changed_ns:
            for name, successor in self._successors.items():
                status = successor.child.poll()
                if status is not None:
                    self._give_up(f"the {name} stage {cause_of(status)} while it was prepared")
                    return
            if now_ns - self._begun_ns > LOADING_NS:
                self._give_up(f"was not prepared within {LOADING_NS / 1e9:g} s")
            return
        states = [self._slots[name].record.state for name in self._entering]
        is_over = not self._successors and all(state in READY_STATES for state in states)
        if is_over or now_ns - self._changed_ns > ENTERING_NS:
            loading_s, gap_ms = (self._changed_ns - self._begun_ns) / 1e9, (now_ns - self._changed_ns) / 1e6
            self.close()
            self._done([f"bundle is now {show.bundle} (prepared in {loading_s:.1f} s, changed in {gap_ms:.0f} ms)"])

    def adopt(self, slot: ProcessSlot, now_ns: int) -> bool:
        """Put the successor of a stage that has ended into its slot; False where there is none."""
        successor = self._successors.get(slot.process.name)
        if not self._changed_ns or successor is None or successor.identity is None or self._show is None:
            return False
        del self._successors[slot.process.name]
        slot.occupy(successor.child, now_ns)
        slot.identity, slot.sent = successor.identity, self._show
        slot.incarnation += 1
        self._send(successor.identity, Enter())
        return True

    def close(self) -> None:
        """End all successors that have not taken a place."""
        successors, self._successors, self._show = list(self._successors.values()), {}, None
        for successor in successors:
            if successor.child.poll() is None:
                successor.child.kill()
            successor.child.wait(1.0)
            successor.child.close_lifeline()

    def _change_if_all_are_prepared(self, now_ns: int) -> None:
        if self._show is None or not all(one.prepared for one in self._successors.values()):
            return
        self._changed_ns, self._entering = now_ns, set(self._successors)
        self._take_over(self._show)
        for name in self._successors:
            slot = self._slots[name]
            # It is not to be taken for one that hangs or dies.
            slot.cause, slot.kill_at_ns = "gives its place to the next bundle", now_ns + CLOSING_NS
            slot.recovering_since_ns = slot.recovering_since_ns or now_ns
            if slot.identity is not None:
                self._send(slot.identity, Stop())

    def _give_up(self, what: str) -> None:
        show = self._show
        self.close()
        if show is not None:
            self._done([what, f"set bundle {show.bundle}", "the show goes on with the bundle that it has"])
