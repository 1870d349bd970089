"""NDI as a camera: the pictures of a program or a camera of the network that sends NDI."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np

from streaming.devices.cameras.live_capture import LiveCapture
from streaming.devices.optional import missing
from streaming.stage import Context

OPEN_S = 12.0
"""In which the source must be found and have sent a picture."""
FIND_S = 3.0
"""One look for the source lasts so long."""
LOOK_S = 0.002
"""It is looked for a new picture this often: the library has no call that waits and lets other threads run."""
SILENT_LOOKS, FIRST_LOOKS = 1_000, 3_000
"""After so many looks without a picture, 2 s and more, the source counts as lost; a connection may take longer."""


class NdiCapture:
    """Receives one source; see `live_capture.Capture`.

    Args:
        name: the source's whole name, or a part of it.
    """

    def __init__(self, name: str) -> None:
        from cyndilib.finder import Finder
        from cyndilib.receiver import Receiver
        from cyndilib.video_frame import VideoFrameSync
        from cyndilib.wrapper.ndi_recv import RecvBandwidth, RecvColorFormat

        self._pause = threading.Event()
        # A receiver's frame synchroniser has the newest picture at any time; it takes those of `Receiver.receive` away.
        self._frame = VideoFrameSync()
        self._stamp_s = 0.0
        self._receiver: Any = None
        self._is_first = False
        self._finder = Finder()
        self._finder.open()
        source = self._find(name.lower())
        if source is not None:
            self._receiver = Receiver(color_format=RecvColorFormat.BGRX_BGRA, bandwidth=RecvBandwidth.highest)
            self._receiver.frame_sync.set_video_frame(self._frame)
            self._receiver.set_source(source)
            self._is_first = self._wait(FIRST_LOOKS)

    def grab(self) -> bool:
        """Wait for the next picture; False when none comes for 2 s, and when the source was not found."""
        if self._is_first:
            self._is_first = False
            return True
        return self._receiver is not None and self._wait(SILENT_LOOKS)

    def _wait(self, looks: int) -> bool:
        for _ in range(looks):
            self._receiver.frame_sync.capture_video()
            stamp_s = self._frame.get_timestamp_posix() if self._frame.xres else 0.0
            if stamp_s > 0.0 and stamp_s != self._stamp_s:
                self._stamp_s = stamp_s
                return True
            self._pause.wait(LOOK_S)
        return False

    def retrieve(self) -> tuple[bool, Any]:
        """The grabbed picture, uint8 [H, W, 4], BGR and one byte without a meaning."""
        width, height, stride = self._frame.xres, self._frame.yres, self._frame.get_line_stride()
        pixels = np.array(self._frame.get_array(), np.uint8)
        if not width or stride < 4 * width or pixels.size < stride * height:
            return False, None
        return True, pixels[: stride * height].reshape(height, stride)[:, : 4 * width].reshape(height, width, 4)

    def get(self, prop: int) -> float:
        """The source's frames per second."""
        return float(self._frame.get_frame_rate()) if prop == cv2.CAP_PROP_FPS and self._stamp_s else 0.0

    def release(self) -> None:
        """Disconnect."""
        if self._receiver is not None:
            self._receiver.disconnect()
            self._receiver = None
        self._finder.close()

    def _find(self, name: str) -> Any:
        """The source of a name; else the first one whose name has it in it; None after `FIND_S`."""
        for _ in range(round(FIND_S / 0.25)):
            self._finder.update_sources()
            sources = sorted(self._finder.iter_sources(), key=lambda one: (one.name.lower() != name, one.name))
            found = next((source for source in sources if name in source.name.lower()), None)
            if found is not None:
                return found
            self._finder.wait_for_sources(0.0)
            self._pause.wait(0.25)
        return None


def open_ndi(name: str, context: Context) -> LiveCapture:
    """The NDI source of a name; a restarted stage waits for it.

    Raises:
        UserError: when the library is missing.
    """
    try:
        import cyndilib  # noqa: F401 - said before the camera's own thread would find out
    except (ImportError, OSError) as error:
        raise missing("ndi", f"--camera ndi:{name}", error, "use --camera performer") from error
    fix = "start its sender, name it as the sender does (a part is enough), or choose another camera"
    timeout_s = 0.0 if "camera" in context.memo else OPEN_S
    return LiveCapture(lambda: NdiCapture(name), f"NDI source {name}", fix, open_timeout_s=timeout_s)
