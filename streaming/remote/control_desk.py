"""The show's controls for those who turn them from outside: what they are now, and requests to change them.

A request goes the way that `run_live.py set` goes, so it is checked, reported and remembered in the same way.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from streaming.errors import StageError, UserError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.schema.messages import ControlReply, ControlRequest, Set, StatusReply, StatusRequest
from streaming.settings.controls import CONTROLS, Value
from streaming.stage import Context
from streaming.transport.bus import ControlLink
from streaming.transport.links import CONTROL, address_of

MAX_REFUSED = 16
"""So many refusals wait to be told; the oldest are forgotten."""


class Refusal(NamedTuple):
    """Why a request was refused: what is wrong, where, and how to mend it."""

    what: str
    where: str
    fix: str


class ControlDesk:
    """A stage's way to turn controls.

    Args:
        stage: the stage's name.
        context: of the stage.
        link: opens the control link; see `transport.bus.ControlLink`.

    Attributes:
        values: what every control is now.
    """

    def __init__(self, stage: str, context: Context, link: Callable[..., ControlLink] = ControlLink) -> None:
        self._context = context
        self.values: dict[str, Value] = dict(context.show.controls)
        self._identity = f"{stage}:{os.getpid()}:requests"
        self._refused: deque[Refusal] = deque(maxlen=MAX_REFUSED)
        self._link = link(address_of(context.show.links, CONTROL), self._identity.encode(), context.metrics)

    def take(self, changes: Iterable[Set]) -> None:
        """Take in what has changed."""
        for change in changes:
            self.values[change.name] = change.value

    def request(self, name: str, value: Value, *, passing: bool = False) -> None:
        """Ask for a control's new value; what the supervisor cannot take at once is counted as `unsent`.

        Args:
            name: of the control.
            value: the wished one.
            passing: another value follows at once, as while a slider moves.
        """
        text = value if isinstance(value, str) else repr(float(value))
        if self._names_file(name, text):
            fix = "give a device's name; a file is chosen by run_live.py set"
            self._context.metrics.count("refused")
            self._refused.append(Refusal("is a file, which nobody chooses from outside", f"set {name} {text}", fix))
            return
        self._send(ControlRequest(stage=self._identity, name=name, value=text, passing=passing))

    def ask_status(self, notes_had: int) -> None:
        """Ask how the show is, with the notes from this number on."""
        self._send(StatusRequest(stage=self._identity, notes=notes_had))

    def replies(self) -> tuple[list[Refusal], list[StatusReply]]:
        """What was refused, which is counted as `refused`, and how the show is, since the last call."""
        refusals = list(self._refused)
        self._refused.clear()
        statuses: list[StatusReply] = []
        for reply in self._link.receive():
            if isinstance(reply, StatusReply):
                statuses.append(reply)
            elif isinstance(reply, ControlReply) and reply.refused:
                self._context.metrics.count("refused")
                refusals.append(Refusal(*(*reply.lines, "", "", "")[:3]))
        return refusals, statuses

    @staticmethod
    def _names_file(name: str, text: str) -> bool:
        row = CONTROLS.get(name)
        if row is None or row.kind != "device":
            return False
        with contextlib.suppress(UserError):
            return bool(DEVICE_OPTIONS[name].find(text)[0].file)
        return False

    def _send(self, request: ControlRequest | StatusRequest) -> None:
        try:
            self._link.send(request)
        except StageError:
            self._context.metrics.count("unsent")

    def close(self) -> None:
        """Close the link."""
        self._link.close()
