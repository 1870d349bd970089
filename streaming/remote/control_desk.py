"""The show's controls for those who turn them from outside: what they are now, and requests to change them.

A request goes the way that `run_live.py set` goes, so it is checked, reported and remembered in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from streaming.errors import StageError
from streaming.schema.messages import ControlReply, ControlRequest, Set
from streaming.settings.controls import Value
from streaming.stage import Context
from streaming.transport.bus import ControlLink
from streaming.transport.links import CONTROL, address_of


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
        self._link = link(address_of(context.show.links, CONTROL), self._identity.encode(), context.metrics)

    def take(self, changes: Iterable[Set]) -> None:
        """Take in what has changed."""
        for change in changes:
            self.values[change.name] = change.value

    def request(self, name: str, value: Value) -> None:
        """Ask for a control's new value; what the supervisor cannot take at once is counted as `unsent`."""
        text = value if isinstance(value, str) else repr(value)
        try:
            self._link.send(ControlRequest(stage=self._identity, name=name, value=text))
        except StageError:
            self._context.metrics.count("unsent")

    def refusals(self) -> list[tuple[str, str]]:
        """What was refused since the last call: where, and why; counted as `refused`."""
        found = []
        for reply in self._link.receive():
            if isinstance(reply, ControlReply) and reply.refused:
                self._context.metrics.count("refused")
                what, where, fix = (*reply.lines, "", "", "")[:3]
                found.append((where, f"{what}; {fix}"))
        return found

    def close(self) -> None:
        """Close the link."""
        self._link.close()
