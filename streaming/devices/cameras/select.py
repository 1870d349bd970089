"""Opens the camera that `--camera` names; `auto` is the first webcam that answers, else the synthetic performer."""

from __future__ import annotations

import glob
import sys

import cv2

from streaming.devices.cameras.frames import CameraSource
from streaming.devices.cameras.live_capture import webcam
from streaming.devices.cameras.performer import open_performer
from streaming.errors import SourceError
from streaming.schema.device_kinds import CAMERA
from streaming.stage import Context

AUTO_OPEN_S = 4.0
AUTO_DEVICES = 4
"""How many webcams `auto` tries."""


def open_camera(context: Context) -> CameraSource:
    """Open the camera that the show names.

    A restarted stage finds in `context.memo` what it had chosen (`camera`) and where it was (`origin_ns`), and waits
    for a live camera that is gone instead of giving up.

    Raises:
        SourceError: when it cannot be used.
    """
    # The other cores belong to the instrument.
    cv2.setNumThreads(1)
    name = str(context.memo.get("camera") or context.show.camera)
    if name == "auto":
        source, name = _first_camera(context)
    else:
        source = CAMERA.open(name, context)
        try:
            source.open(context)
        except BaseException:
            source.close()
            raise
    context.memo["camera"] = name
    return source


def webcams() -> list[int]:
    """The webcams worth trying, without opening any: on Linux the device files there are, elsewhere the first ones."""
    if sys.platform.startswith("linux"):
        numbers = [
            int(path.removeprefix("/dev/video")) for path in glob.glob("/dev/video[0-9]*") if path[10:].isdecimal()
        ]
        return sorted(numbers)[:AUTO_DEVICES]
    return [0, 1]


def _first_camera(context: Context) -> tuple[CameraSource, str]:
    for device in webcams():
        source = webcam(device, open_timeout_s=AUTO_OPEN_S)
        try:
            source.open(context)
        except SourceError:
            source.close()
            continue
        return source, str(device)
    performer = open_performer("performer", context)
    performer.open(context)
    context.note(f"no webcam was found: {performer.description} plays (choose with --camera)")
    return performer, "performer"
