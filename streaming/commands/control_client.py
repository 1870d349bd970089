"""Asks the show that runs to change a live control, or how all are set: `run_live.py set`."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import msgspec

from streaming.errors import UserError
from streaming.schema.messages import ControlReply, ControlRequest
from streaming.settings.config import Links
from streaming.settings.controls import CONTROLS
from streaming.timing import clock
from streaming.transport.bus import ControlLink
from streaming.transport.links import CONTROL, address_of, default_run_dir
from streaming.transport.sockets import Poller

PATIENCE_S = 3.0
"""A supervisor answers within one turn, some 20 ms."""
CONFIRMED_PATIENCE_S = 15.0
"""A control that a stage confirms is answered within 12 s."""


def request_control(links: Links, name: str = "", value: str = "", patience_s: float | None = None) -> list[str]:
    """Have a live control set in the show that runs.

    Args:
        links: whose show; an empty `run_dir` is the user's default one.
        name: the control; "" to hear how all are set.
        value: what it becomes, as on the command line.
        patience_s: how long to wait for the show's answer; None for as long as the control may need.

    Returns:
        Lines for a person: what is set now.

    Raises:
        UserError: when no show runs there, or it refuses.
    """
    if patience_s is None:
        patience_s = CONFIRMED_PATIENCE_S if name in CONTROLS and CONTROLS[name].confirmed else PATIENCE_S
    folder = str(Path(links.run_dir or default_run_dir()).absolute())
    nobody = UserError("no show runs here", folder, "start one, or give its --run-dir")
    if not (Path(folder) / "lock").exists():
        raise nobody
    address = address_of(msgspec.structs.replace(links, run_dir=folder), CONTROL)
    if address.startswith("ipc://") and not Path(address.removeprefix("ipc://")).exists():
        raise nobody
    who = f"set:{os.getpid()}"
    with closing(ControlLink(address, who.encode())) as link:
        link.send(ControlRequest(stage=who, name=name, value=value))
        poller = Poller(link)
        until_ns = clock.now_ns() + round(1e9 * patience_s)
        while clock.now_ns() < until_ns:
            poller.wait(until_ns, precise=False)
            for answer in link.receive():
                if isinstance(answer, ControlReply):
                    if answer.refused:
                        raise UserError(*answer.lines)
                    return answer.lines
    raise UserError(f"the show does not answer within {patience_s:g} s", folder, "look at its console")
