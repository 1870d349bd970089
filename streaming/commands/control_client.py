"""Changes a live control of the show that runs, or lists them all: `run_live.py set`."""

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

REPLY_TIMEOUT_S = 3.0
"""A supervisor replies within one turn of its loop, some 20 ms."""
CONFIRMED_TIMEOUT_S = 35.0
"""A control that a stage confirms is replied to within 32 s."""


def request_control(links: Links, name: str = "", value: str = "", timeout_s: float | None = None) -> list[str]:
    """Ask the show that runs to set a live control, and wait for its reply.

    Args:
        links: where the show is; an empty `run_dir` is the user's default one.
        name: a row of `CONTROLS`; "" to list them all.
        value: as on the command line.
        timeout_s: how long to wait for the reply; None for as long as the control may need.

    Returns:
        Lines for a person: the new value, or the list.

    Raises:
        UserError: when no show runs there, it does not reply in time, or it refuses the value.
    """
    if timeout_s is None:
        is_slow = name in CONTROLS and (CONTROLS[name].confirmed or CONTROLS[name].kind == "bundle")
        timeout_s = CONFIRMED_TIMEOUT_S if is_slow else REPLY_TIMEOUT_S
    folder = str(Path(links.run_dir or default_run_dir()).absolute())
    identity = f"set:{os.getpid()}"
    with closing(ControlLink(_control_address(links, folder), identity.encode())) as link:
        link.send(ControlRequest(stage=identity, name=name, value=value))
        poller = Poller(link)
        until_ns = clock.now_ns() + round(1e9 * timeout_s)
        while clock.now_ns() < until_ns:
            poller.wait(until_ns, precise=False)
            for reply in link.receive():
                if not isinstance(reply, ControlReply):
                    continue
                if reply.refused:
                    raise UserError(*reply.lines)
                return reply.lines
    raise UserError(f"the show does not answer within {timeout_s:g} s", folder, "look at its console")


def _control_address(links: Links, folder: str) -> str:
    """The address of the control link of the show whose sockets are in a folder."""
    absent = UserError("no show runs here", folder, "start one, or give its --run-dir")
    # os.path.exists is False for whatever cannot be reached; Path.exists raises for some of it.
    if not os.path.exists(os.path.join(folder, "lock")):
        raise absent
    address = address_of(msgspec.structs.replace(links, run_dir=folder), CONTROL)
    if address.startswith("ipc://") and not os.path.exists(address.removeprefix("ipc://")):
        raise absent
    return address
