"""Spout as a screen: the pictures go to other programs of the same Windows machine (Resolume, TouchDesigner, OBS)."""

from __future__ import annotations

import sys
from typing import Any

import cv2

from streaming.devices.optional import missing
from streaming.devices.screens.device import SOURCE_NAME, Count, Image, Note, NullScreen
from streaming.errors import SourceError


class SpoutScreen(NullScreen):
    """A Spout sender, through SpoutGL. It is made with the first picture, in the thread that shows.

    Args:
        name: of the sender.
        platform: of this machine.

    Raises:
        UserError: on another system than Windows, and when the library is missing.
    """

    def __init__(self, name: str = SOURCE_NAME, platform: str = sys.platform) -> None:
        if platform != "win32":
            fix = "use --screen ndi (any system), --screen syphon (macOS) or --screen camera"
            raise SourceError("Spout is a system of Windows", f"--screen spout:{name}", fix)
        try:
            from SpoutGL import SpoutSender, enums
        except (ImportError, OSError) as error:
            raise missing("spout", "--screen spout", error, "use --screen ndi") from error
        self.name = f"Spout sender {name}"
        self._sender: Any = SpoutSender()
        self._sender.setSenderName(name)
        self._format = int(enums.GL_BGRA_EXT)

    def show(self, tick: int, picture: Image) -> None:
        """Send it."""
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        self._sender.sendImage(pixels, picture.shape[1], picture.shape[0], self._format, False, 0)

    def close(self) -> None:
        """End the sender; may be called twice."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.releaseSender()


def open_spout(name: str, note: Note, count: Count) -> SpoutScreen:
    """A Spout sender.

    Raises:
        UserError: on another system than Windows, and when the library is missing.
    """
    return SpoutScreen(name or SOURCE_NAME)
