"""The stage of the browser process: it owns all WebRTC connections of a show."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streaming.devices.browser.local_link import socket_path
from streaming.schema.messages import Message
from streaming.settings.network_place import is_loopback, page_address, read_place
from streaming.stage import Context, Inputs

if TYPE_CHECKING:
    from streaming.devices.browser.bridge import BrowserBridge

WILDCARDS = ("0.0.0.0", "::")


class BrowserStage:
    """Serves the stages of those devices that are browsers; its work is done in a thread."""

    def __init__(self) -> None:
        self._bridge: BrowserBridge | None = None

    def setup(self, context: Context) -> None:
        """Open the local socket.

        Raises:
            UserError: when aiortc is missing.
        """
        # Imported here, so that no other process that knows this module pays for it.
        from streaming.devices.browser.bridge import BrowserBridge

        show = context.show
        path = socket_path(show.links.run_dir)

        def note(line: str) -> None:
            context.metrics.note(line)
            context.wake()

        self._bridge = BrowserBridge(path, show.browser_devices, hosts_of(show.console), note)
        context.info["device"] = str(path)
        if not context.memo.get("told"):
            page = page_address(*read_place(show.console), encrypted=bool(show.console_cert))
            context.note(f"browsers and OBS: {page}play")
            context.memo["told"] = True

    def wake_ns(self) -> int | None:
        """Never by time."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Nothing is to be done here."""
        return []

    def close(self) -> None:
        """End all connections."""
        if self._bridge is not None:
            self._bridge.close()


def hosts_of(console: str) -> list[str]:
    """The addresses that connections use: those at which the console listens; empty for all.

    Args:
        console: the setting.
    """
    host = read_place(console)[0]
    if host in WILDCARDS:
        return []
    if is_loopback(host):
        return ["127.0.0.1"]
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return ["127.0.0.1"]
    return list(dict.fromkeys(["127.0.0.1", *(str(one[4][0]) for one in found)]))


def build() -> BrowserStage:
    """The stage, for the process table."""
    return BrowserStage()
