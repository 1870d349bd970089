"""The live controls of a show: requests from outside, and requests whose value a stage has yet to confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from streaming.errors import UserError
from streaming.runtime.children.death_causes import user_files
from streaming.runtime.children.process_slot import ProcessSlot
from streaming.schema.messages import Confirmation, Control, ControlReply, ControlRequest, Set
from streaming.schema.processes import Process
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, Value, list_controls

TIME_LIMIT_NS = 32_000_000_000
"""The time a stage has to confirm a value; a prior image takes 30 s at most."""
NOT_IN_TIME = f"was not confirmed within {TIME_LIMIT_NS / 1e9:g} s"
SAID_AGAIN_NS = 500_000_000
"""A control that goes on changing, as by a desk's fader, is told of at most once in so long; its last value always."""
BUNDLE = "bundle"
"""The control whose change gives stages successors."""
MAX_PENDING = 16
"""The most requests that wait at once; if there are more, the oldest is refused."""


@dataclass
class PendingControl:
    """A request that waits for a stage's confirmation.

    Attributes:
        requester: identity on the control link.
        name: of the control.
        value: the requested value.
        until_ns: when the request is refused.
        sent: whether the stage has got it.
    """

    requester: bytes
    name: str
    value: Value
    until_ns: int
    sent: bool = False

    @property
    def stage(self) -> str:
        """The stage that confirms it."""
        return CONTROLS[self.name].stages[0]


class PendingControls:
    """The requests that wait, oldest first, bounded in number and in time."""

    def __init__(self) -> None:
        self._waiting: list[PendingControl] = []

    def add(self, requester: bytes, name: str, value: Value, now_ns: int) -> list[tuple[bytes, ControlReply]]:
        """Add a request; gives the replies to the requests that are refused to make room."""
        self._waiting.append(PendingControl(requester, name, value, now_ns + TIME_LIMIT_NS))
        superseded = self._waiting[:-MAX_PENDING]
        self._waiting = self._waiting[-MAX_PENDING:]
        return [(one.requester, _refuse(one, NOT_IN_TIME)) for one in superseded]

    def resolve(self, confirmation: Confirmation, line: str) -> list[tuple[bytes, ControlReply]]:
        """The replies that a confirmation makes possible; `line` is the reply if the value is in use."""
        same = [one for one in self._waiting if (one.name, one.value) == (confirmation.name, confirmation.value)]
        self._waiting = [one for one in self._waiting if one not in same]
        refusal = confirmation.refusal
        reply = ControlReply(lines=refusal, refused=True) if refusal else ControlReply(lines=[line])
        return [(one.requester, reply) for one in same]

    def take_unsent(self, stage: str) -> list[Set]:
        """The controls that a stage has yet to get; each is given once."""
        unsent = [one for one in self._waiting if one.stage == stage and not one.sent]
        for one in unsent:
            one.sent = True
        return [Set(name=one.name, value=one.value) for one in unsent]

    def sent_to(self, stage: str) -> list[PendingControl]:
        """The requests that a stage has got and not yet confirmed."""
        return [one for one in self._waiting if one.stage == stage and one.sent]

    def drop_sent(self, stage: str) -> list[tuple[bytes, ControlReply]]:
        """The replies to requests that a stage had got when it ended: a value that ends it is not sent again."""
        dropped = self.sent_to(stage)
        self._waiting = [one for one in self._waiting if one not in dropped]
        return [(one.requester, _refuse(one, f"ended the {stage} stage")) for one in dropped]

    def drop_all(self) -> list[tuple[bytes, ControlReply]]:
        """The replies to all requests, at the end of the show."""
        dropped, self._waiting = self._waiting, []
        return [(one.requester, _refuse(one, "came too late: the show has ended")) for one in dropped]

    def expire(self, now_ns: int) -> list[tuple[bytes, ControlReply]]:
        """The replies to requests whose time is over."""
        over = [one for one in self._waiting if now_ns >= one.until_ns]
        self._waiting = [one for one in self._waiting if now_ns < one.until_ns]
        return [(one.requester, _refuse(one, NOT_IN_TIME)) for one in over]


def _refuse(pending: PendingControl, what: str) -> ControlReply:
    lines = [what, f"set {pending.name} {pending.value}", "set it again, or give another value"]
    return ControlReply(lines=lines, refused=True)


class LiveControls:
    """Answers requests, and holds the settings with the present values of the controls.

    Args:
        show: the settings to begin with.
        slots: the processes by the stage's name.
        send: sends a control to an identity on the control link.
        note: takes a line for the user.
        with_control: returns the settings with one live control changed; raises `UserError` for a bad value.
        swap: begins to change the bundle, with the settings and the time; `swapped` answers. Raises `UserError`.

    Attributes:
        show: the present settings, with which a process is started.
    """

    def __init__(
        self,
        show: Show,
        slots: Mapping[str, ProcessSlot],
        *,
        send: Callable[[bytes, Control], None],
        note: Callable[[str], None],
        with_control: Callable[[Show, str, str], Show],
        swap: Callable[[Show, int], None] | None = None,
    ) -> None:
        self._swap, self._swap_requester = swap, b""
        self.show, self._slots = show, slots
        self._send, self._note, self._with_control = send, note, with_control
        self._pending = PendingControls()
        self._said_ns: dict[str, int] = {}
        self._unsaid: dict[str, None] = {}
        """Controls whose newest value has yet to be told, in order."""

    def expire(self, now_ns: int) -> None:
        """Refuse the requests that a stage has not confirmed in time, and tell the values that have waited."""
        for name in list(self._unsaid):
            self._say(name, now_ns)
        for identity, reply in self._pending.expire(now_ns):
            self._send(identity, reply)

    def answer(self, requester: bytes, request: ControlRequest, now_ns: int) -> None:
        """Set a live control for every stage, also for stages that will be restarted; reply now or later."""
        name = request.name
        if not name:
            self._send(requester, ControlReply(lines=list_controls(self.show.controls)))
            return
        try:
            show = self._with_control(self.show, name, request.value)
            if name == BUNDLE and self._swap is not None:
                if show.bundle != self.show.bundle:
                    self._swap(show, now_ns)
                    self._swap_requester = requester
                    return
            elif CONTROLS[name].confirmed:
                self._ask_stage(requester, name, show.controls[name], now_ns)
                return
        except UserError as error:
            self._send(requester, ControlReply(lines=[error.what, error.where, error.fix], refused=True))
            return
        self.show = show
        for slot in self._slots.values():
            self.send_changes(slot)
        line = self._control_line(name)
        if not request.passing:
            self._say(name, now_ns)
        self._send(requester, ControlReply(lines=[line]))

    def _ask_stage(self, requester: bytes, name: str, value: Value, now_ns: int) -> None:
        """Send a control to the stage that confirms it.

        Raises:
            UserError: when that stage does not run.
        """
        slot = self._slots.get(CONTROLS[name].stages[0])
        if slot is None:
            fix = f"start one with another --direction than {self.show.direction}"
            raise UserError("changes nothing in this show", f"set {name}", fix)
        if slot.done():
            raise UserError(f"the {slot.process.name} stage has failed for good", f"set {name}", "start the show again")
        for identity, reply in self._pending.add(requester, name, value, now_ns):
            self._send(identity, reply)
        self._send_pending(slot)

    def swapped(self, lines: list[str]) -> None:
        """The bundle has changed, which one line says; or three lines say why not."""
        refused, requester = len(lines) > 1, self._swap_requester
        self._note(str(UserError(*lines)) if refused else lines[0])
        if requester:
            self._swap_requester = b""
            self._send(requester, ControlReply(lines=lines, refused=refused))

    def take_bundle(self, show: Show) -> None:
        """Tell every stage of the bundle that others are about to use."""
        self.show = msgspec.structs.replace(self.show, bundle=show.bundle)
        for slot in self._slots.values():
            self.send_changes(slot)

    def confirm(self, confirmation: Confirmation) -> None:
        """Store a value that a stage has confirmed, and reply to its requesters."""
        line = ""
        if not confirmation.refusal:
            # It is in use: what has become of a file or folder since it was asked for changes nothing.
            self.show = self.show.with_controls(**{confirmation.name: confirmation.value})
            for slot in self._slots.values():
                self.send_changes(slot)
            line = self._control_line(confirmation.name)
            self._note(line)
        for identity, reply in self._pending.resolve(confirmation, line):
            self._send(identity, reply)

    def _say(self, name: str, now_ns: int) -> None:
        """Tell what a control is now, or later where it was told just before."""
        said_ns = self._said_ns.get(name)
        if said_ns is not None and now_ns - said_ns < SAID_AGAIN_NS:
            self._unsaid[name] = None
            return
        self._unsaid.pop(name, None)
        self._said_ns[name] = now_ns
        self._note(self._control_line(name))

    def _control_line(self, name: str) -> str:
        return f"{name} is now {CONTROLS[name].display(self.show.controls[name])}"

    def greet(self, slot: ProcessSlot) -> None:
        """Send a process after its Hello the controls that have changed, and those that it has yet to confirm."""
        self.send_changes(slot)
        self._send_pending(slot)

    def files_of(self, process: Process) -> list[str]:
        """The user's files that a stage reads: those of the settings, or those that it was just told to read."""
        told = [str(one.value) for one in self._pending.sent_to(process.name) if one.name in process.reads]
        return told or list(user_files(process, self.show))

    def end_of(self, stage: str) -> None:
        """Refuse the requests that a stage had yet to confirm when it ended."""
        for identity, reply in self._pending.drop_sent(stage):
            self._send(identity, reply)

    def close(self) -> None:
        """Refuse everything that still waits, and tell what has yet to be told, at the end of the show."""
        for name in self._unsaid:
            self._note(self._control_line(name))
        self._unsaid = {}
        for identity, reply in self._pending.drop_all():
            self._send(identity, reply)

    def _send_pending(self, slot: ProcessSlot) -> None:
        if slot.identity is not None:
            for control in self._pending.take_unsent(slot.process.name):
                self._send(slot.identity, control)

    def send_changes(self, slot: ProcessSlot) -> None:
        """Send a process the live controls that concern it and have changed since they were last sent to it.

        A stage that confirms a control has got it already.
        """
        if slot.identity is None or slot.sent is None or slot.done():
            return
        for name, value in self.show.controls.items():
            row = CONTROLS[name]
            obeys = slot.process.name in row.stages
            concerned = not row.confirmed if obeys else slot.process.hears_controls
            if concerned and value != slot.sent.controls[name]:
                self._send(slot.identity, Set(name=name, value=value))
        slot.sent = self.show
