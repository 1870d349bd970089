"""Tells systemd how a service is: `sd_notify(3)`, a datagram to the socket that `NOTIFY_SOCKET` names."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"
LONGEST_STATUS = 200


class ServiceManager:
    """The service manager that has started this process, if any.

    Args:
        environ: the environment.

    Attributes:
        present: whether there is one.
        watchdog_ns: between two signs of life; half of what it asks for, 0 where it asks for none.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.present = address.startswith(("/", "@")) and hasattr(socket, "AF_UNIX")
        asked_us, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        is_mine = self.present and pid in ("", str(os.getpid()))
        self.watchdog_ns = 500 * int(asked_us) if is_mine and asked_us.isdigit() else 0

    def tell(self, *lines: str, status: str = "") -> None:
        """Send lines as `READY=1`, and a status in words. A manager that is not there costs nothing."""
        if not self.present:
            return
        words = [f"STATUS={' '.join(status.split())[:LONGEST_STATUS]}"] if status else []
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join([*lines, *words]).encode(), self._address)
