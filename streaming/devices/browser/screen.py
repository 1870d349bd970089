"""Browsers, or OBS, as a screen: whoever opens the page sees the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streaming.devices.browser.local_link import BlockSender, LinkBlock, socket_path
from streaming.devices.screens.device import Count, Image, Note, NullScreen


class BrowserScreen(NullScreen):
    """Hands every picture to the browser process, which sends the newest to those who watch.

    Args:
        path: of the browser process's socket.
    """

    def __init__(self, path: Path) -> None:
        self.name = "browser"
        self._sender = BlockSender("screen", 1, path)

    def show(self, tick: int, picture: Image) -> None:
        """Send it."""
        data = np.ascontiguousarray(picture).tobytes()
        self._sender.put(LinkBlock(data, picture.shape[1], picture.shape[0]))

    def close(self) -> None:
        """End the thread."""
        self._sender.close()


def open_screen(argument: str, note: Note, count: Count) -> BrowserScreen:
    """The screens of browsers."""
    return BrowserScreen(socket_path())
