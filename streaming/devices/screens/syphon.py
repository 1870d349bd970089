"""Syphon as a screen: the pictures go to other programs of the same Mac (Resolume, VDMX, MadMapper, OBS)."""

from __future__ import annotations

import sys
from typing import Any

import cv2

from streaming.devices.optional import missing
from streaming.devices.screens.device import SOURCE_NAME, Count, Image, Note, NullScreen
from streaming.errors import SourceError


class SyphonScreen(NullScreen):
    """A Syphon server with a Metal texture, through syphon-python.

    Args:
        name: of the server.
        platform: of this machine.

    Raises:
        UserError: on another system than macOS, and when the library is missing.
    """

    def __init__(self, name: str = SOURCE_NAME, platform: str = sys.platform) -> None:
        if platform != "darwin":
            fix = "use --screen ndi (any system), --screen spout (Windows) or --screen camera"
            raise SourceError("Syphon is a system of macOS", f"--screen syphon:{name}", fix)
        try:
            from syphon import SyphonMetalServer
            from syphon.utils.numpy import copy_image_to_mtl_texture
            from syphon.utils.raw import create_mtl_texture
        except (ImportError, OSError) as error:
            raise missing("syphon", "--screen syphon", error, "use --screen ndi") from error
        self._copy, self._make_texture = copy_image_to_mtl_texture, create_mtl_texture
        self.name = f"Syphon server {name}"
        self._server: Any = SyphonMetalServer(name)
        self._size: tuple[int, int] | None = None
        self._texture: Any = None

    def set_size(self, size: tuple[int, int]) -> None:
        """Make a texture of this size, (width, height) in pixels."""
        if size != self._size:
            self._size, self._texture = size, self._make_texture(self._server.device, *size)

    def show(self, tick: int, picture: Image) -> None:
        """Publish it."""
        self.set_size((picture.shape[1], picture.shape[0]))
        self._copy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA), self._texture)
        self._server.publish_frame_texture(self._texture)

    def close(self) -> None:
        """End the server; may be called twice."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


def open_syphon(name: str, note: Note, count: Count) -> SyphonScreen:
    """A Syphon server.

    Raises:
        UserError: on another system than macOS, and when the library is missing.
    """
    return SyphonScreen(name or SOURCE_NAME)
