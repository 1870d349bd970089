"""The table of device kinds: how each is written on the command line, what it is, and which module opens it.

A new device is one row here and one module with the function that opens it. The command line's help, the checks before
a show and the stages read this table; a row's module is imported only when its device is opened.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from performers.kinds import KINDS
from streaming.errors import SourceError

SELF = "self"
"""The microphone is the music that the show itself plays: no device is opened."""
BROWSER = "browser"
"""The device is a browser that opens the console's page `/play`."""
WEB = "web"
"""The screen is a page of the console."""
_BROWSERS = "streaming.devices.browser."
_URL_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt", "rtp")
_CAMERAS = "streaming.devices.cameras."
_SOUND = "streaming.devices.sound."
_SCREENS = "streaming.devices.screens."


@dataclass(frozen=True)
class DeviceKind:
    """One row of the table.

    Attributes:
        usage: how it is written after the option, for help and errors.
        words: what it is, in words for the user.
        opener: "module:function" that opens it; the function's arguments are those of the option (see `DeviceOption`).
            "" where it is no single device.
        pattern: regular expression that a text of this kind matches; its group, if any, is the argument.
        argument: regular expression of a valid argument.
        file: the argument is the path of a file that is read or written; "" for no file.
        ending: what the file's name must end in.
        wanted: what the option accepts, for errors about the file.
        may_see_screen: True for a camera before which the show's screen may stand.
        needs: the row of `streaming/devices/optional.py` without which it cannot be opened; "" for none.
    """

    usage: str
    words: str
    opener: str
    pattern: str
    argument: str = ".*"
    file: Literal["", "read", "write"] = ""
    ending: str = ""
    wanted: str = ""
    may_see_screen: bool = False
    needs: str = ""

    def load(self) -> Callable[..., Any]:
        """Import the function that opens it."""
        module, _, function = self.opener.partition(":")
        opener: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return opener


@dataclass(frozen=True)
class DeviceOption:
    """An option that names a device, and the kinds that it takes.

    Attributes:
        name: of the setting; the option is `--name`.
        kinds: in the order in which they are tried.
    """

    name: str
    kinds: tuple[DeviceKind, ...]

    @property
    def option(self) -> str:
        """As it is typed."""
        return f"--{self.name}"

    def usage(self) -> str:
        """Everything that may be written after the option, in one line."""
        return " | ".join(dict.fromkeys(kind.usage for kind in self.kinds))

    def find(self, text: str) -> tuple[DeviceKind, str]:
        """The kind that a text means, and its argument.

        Raises:
            SourceError: when it is none, or its argument cannot be right.
        """
        for kind in self.kinds:
            match = re.fullmatch(kind.pattern, text, re.DOTALL)
            if match is None and not (kind.file == "read" and os.path.isfile(text)):
                continue
            argument = text if match is None else next((part for part in match.groups() if part is not None), "")
            right = re.fullmatch(kind.argument, argument, re.DOTALL)
            if right is None or not argument.lower().endswith(kind.ending):
                raise SourceError("has the wrong form", f"{self.option} {text}", f"write {kind.usage} ({kind.words})")
            return kind, argument
        what = "is not known" if text else "names no device"
        raise SourceError(what, f"{self.option} {text}".rstrip(), f"use {self.usage()}")

    def preload(self) -> None:
        """Import the modules of all kinds, as far as possible, for a process that must open one fast."""
        for kind in self.kinds:
            if kind.opener:
                with contextlib.suppress(ImportError, OSError):
                    kind.load()

    def open(self, text: str, *arguments: Any) -> Any:
        """Open what a text means; its argument comes before the others.

        Raises:
            UserError: when it cannot be used.
        """
        kind, argument = self.find(text)
        return kind.load()(argument, *arguments)


CAMERA = DeviceOption(
    "camera",
    (
        DeviceKind(
            "auto",
            "the first webcam that answers, else the synthetic performer",
            "",
            "auto",
            may_see_screen=True,
        ),
        DeviceKind(
            "N",
            "the webcam of this number",
            _CAMERAS + "live_capture:open_webcam",
            r"([0-9]+|/dev/video.*)",
            argument=r"[0-9]{1,4}|/dev/video.*",
            may_see_screen=True,
        ),
        DeviceKind(
            "URL",
            "a network camera",
            _CAMERAS + "live_capture:open_network_camera",
            r"([A-Za-z][A-Za-z0-9+.-]*://.*)",
            argument=rf"(?i:{'|'.join(_URL_SCHEMES)})://.+",
            may_see_screen=True,
        ),
        DeviceKind(
            BROWSER,
            "the camera of a browser, or what OBS sends",
            _BROWSERS + "camera:open_camera",
            BROWSER,
            may_see_screen=True,
            needs=BROWSER,
        ),
        DeviceKind(
            "ndi:NAME",
            "a program or camera of the network that sends NDI",
            _CAMERAS + "ndi:open_ndi",
            "ndi:(.*)",
            argument=".+",
            may_see_screen=True,
            needs="ndi",
        ),
        DeviceKind(
            f"performer[:{'|'.join(KINDS)}][@SEED]",
            "a synthetic performer",
            _CAMERAS + "performer:open_performer",
            "(performer(?:[:@].*)?)",
            argument=rf"performer(:({'|'.join(KINDS)}))?(@[0-9]{{1,9}})?",
        ),
        DeviceKind(
            "FILE",
            "a video file",
            _CAMERAS + "video_file:open_file",
            "(?:file:)?(.+)",
            file="read",
            wanted="a webcam's number, a video file, a URL or performer",
        ),
    ),
)
"""Openers take (argument, `Context`) and give a `CameraSource` that is not open yet; `auto` tries several."""

SPEAKER = DeviceOption(
    "speaker",
    (
        DeviceKind("auto", "the default output, else a new file", _SOUND + "speakers:open_auto", "auto"),
        DeviceKind(BROWSER, "the speakers of browsers", _BROWSERS + "speaker:open_speaker", BROWSER, needs=BROWSER),
        DeviceKind("none", "no sound", _SOUND + "outputs:open_none", "none"),
        DeviceKind(
            "file:PATH.wav",
            "a sound file",
            _SOUND + "outputs:open_file",
            "file:(.*)",
            file="write",
            ending=".wav",
        ),
        DeviceKind("DEVICE", "an output by number or name", _SOUND + "speakers:open_device", "(.+)"),
    ),
)
"""Openers take (argument, record folder, file to go on with) and give an `AudioOutput` and a line for the user."""

MICROPHONE = DeviceOption(
    "microphone",
    (
        DeviceKind("auto", "the default input, else the show's own music", _SOUND + "microphones:open_auto", "auto"),
        DeviceKind(SELF, "the music that the show itself makes", "", SELF),
        DeviceKind(
            BROWSER,
            "the microphone of a browser, or what OBS sends",
            _BROWSERS + "microphone:open_microphone",
            BROWSER,
            needs=BROWSER,
        ),
        DeviceKind("none", "nothing is heard", _SOUND + "inputs:open_none", "none"),
        DeviceKind(
            "FILE",
            "a sound file, or a film with sound",
            _SOUND + "inputs:open_file",
            rf"file:(.*)|(.*{re.escape(os.sep)}.*)",
            file="read",
            wanted="an audio file, a device, self or none",
        ),
        DeviceKind("DEVICE", "an input by number or name", _SOUND + "microphones:open_device", "(.+)"),
    ),
)
"""Openers take (argument) and give an `AudioInput` and a line for the user."""

SCREEN = DeviceOption(
    "screen",
    (
        DeviceKind("auto", "a window where there is a display, else none", _SCREENS + "window:open_auto", "auto"),
        DeviceKind(
            "window[:MONITOR]",
            "a window",
            _SCREENS + "window:open_window",
            "window(?::(.*))?",
            argument="[0-9]*",
            needs="window",
        ),
        DeviceKind(
            WEB,
            "a page of the console for any browser; --console PORT is its port",
            _SCREENS + "web:open_page",
            "web(?::(.*))?",
            argument="",
        ),
        DeviceKind(
            "file:PATH.mp4",
            "a film with sound",
            _SCREENS + "film_file:open_film",
            "file:(.*)",
            file="write",
            ending=".mp4",
        ),
        DeviceKind(
            BROWSER, "the screens of browsers, or OBS", _BROWSERS + "screen:open_screen", BROWSER, needs=BROWSER
        ),
        DeviceKind(
            "camera[:DEVICE]",
            "a virtual camera for other programs",
            _SCREENS + "virtual_camera:open_camera",
            "camera(?::(.*))?",
            needs="virtualcamera",
        ),
        DeviceKind(
            "ndi[:NAME]", "an NDI source of the network", _SCREENS + "ndi:open_ndi", "ndi(?::(.*))?", needs="ndi"
        ),
        DeviceKind(
            "spout[:NAME]",
            "a Spout sender (Windows)",
            _SCREENS + "spout:open_spout",
            "spout(?::(.*))?",
            needs="spout",
        ),
        DeviceKind(
            "syphon[:NAME]",
            "a Syphon server (macOS)",
            _SCREENS + "syphon:open_syphon",
            "syphon(?::(.*))?",
            needs="syphon",
        ),
        DeviceKind(
            "URL",
            "an RTSP server, or a listener of UDP",
            _SCREENS + "stream:open_stream",
            r"([A-Za-z][A-Za-z0-9+.-]*://.*)",
            argument="(?i:rtsp|udp)://.+",
        ),
        DeviceKind("none", "no picture is shown", _SCREENS + "device:open_none", "none"),
    ),
)
"""Openers take (argument, note, count) and give a `ScreenDevice`."""

DEVICE_OPTIONS = {option.name: option for option in (CAMERA, SPEAKER, MICROPHONE, SCREEN)}
