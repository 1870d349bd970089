"""NDI as a screen: the pictures go to every program of the network that receives NDI (OBS, Resolume, TouchDesigner)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2

from streaming.conventions import TICKS_PER_SECOND
from streaming.devices.optional import missing
from streaming.devices.screens.device import SOURCE_NAME, Count, Image, Note, NullScreen


class NdiScreen(NullScreen):
    """An NDI sender. Its source is called `MACHINE (NAME)`; the pictures keep their size and have no sound.

    NDI listens on every network of the machine and announces itself by mDNS: it is for networks that one trusts.

    Args:
        name: of the source.

    Raises:
        UserError: when the library is missing.
    """

    def __init__(self, name: str = SOURCE_NAME) -> None:
        try:
            from cyndilib.sender import Sender
            from cyndilib.video_frame import VideoSendFrame
            from cyndilib.wrapper.ndi_structs import FourCC
        except (ImportError, OSError) as error:
            raise missing("ndi", "--screen ndi", error, "use --screen web") from error
        self._make_sender, self._make_frame, self._fourcc = Sender, VideoSendFrame, FourCC.BGRX
        self.name = f"NDI source {name}"
        self._source = name
        self._size: tuple[int, int] | None = None
        self._sender: Any = None

    def set_size(self, size: tuple[int, int]) -> None:
        """Begin to send pictures of this size, (width, height) in pixels."""
        if size == self._size:
            return
        self.close()
        frame = self._make_frame()
        frame.set_resolution(*size)
        frame.set_frame_rate(Fraction(TICKS_PER_SECOND, 1))
        frame.set_fourcc(self._fourcc)
        # The show has its own pace: NDI must not hold it up.
        sender = self._make_sender(self._source, clock_video=False, clock_audio=False)
        sender.set_video_frame(frame)
        sender.open()
        self._sender, self._size = sender, size

    def show(self, tick: int, picture: Image) -> None:
        """Send it; NDI compresses it in threads of its own, and not at all while nobody receives."""
        self.set_size((picture.shape[1], picture.shape[0]))
        self._sender.write_video_async(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA).ravel())

    def close(self) -> None:
        """End the source; may be called twice."""
        sender, self._sender, self._size = self._sender, None, None
        if sender is not None:
            sender.close()


def open_ndi(name: str, note: Note, count: Count) -> NdiScreen:
    """An NDI source.

    Raises:
        UserError: when the library is missing.
    """
    return NdiScreen(name or SOURCE_NAME)
