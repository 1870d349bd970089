"""The table of what a show can do without: libraries, servers and drivers, what each gives, and how to get it.

A new one is one row here; where a library is to be installed with it, also an extra of `pyproject.toml` of the same
name. Devices that need it name it in their rows (`DeviceKind.needs`).
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

from streaming.errors import UserError
from streaming.schema.device_kinds import DEVICE_OPTIONS, DeviceKind
from streaming.system.files import reason

SYSTEMS = {"win32": "Windows", "darwin": "macOS"}


@dataclass(frozen=True)
class OptionalPart:
    """One row of the table.

    Attributes:
        name: of the row, and of the extra of `pyproject.toml` where there is a library.
        words: what it gives, in words for the user.
        library: its name, in words; "" where no library is to be installed.
        module: what is imported of it.
        option: the option that asks for it, where no device does.
        setting: the field of `Show` that this option sets; "" where a show never insists on it.
        system: the only `sys.platform` that has it; "" for all.
        probe: "module:function" that says in a few words what of it is here, and raises a `UserError` where it is not.
    """

    name: str
    words: str
    library: str = ""
    module: str = ""
    option: str = ""
    setting: str = ""
    system: str = ""
    probe: str = ""

    @property
    def command(self) -> str:
        """What installs its library."""
        return f'pip install -e ".[{self.name}]"'

    def anew(self) -> str:
        """What to do about one that crashes."""
        return f"install it anew: {self.command}" if self.library else "install Antiphon anew: make venv"

    def options(self) -> list[str]:
        """The options that use it, as they are typed."""
        users: dict[str, list[str]] = {}
        for device in DEVICE_OPTIONS.values():
            for kind in filter(self.serves, device.kinds):
                users.setdefault(kind.usage, []).append(device.option)
        devices = [f"{', '.join(options)} {usage}" for usage, options in users.items()]
        return devices + ([self.option] if self.option else [])

    def serves(self, kind: DeviceKind) -> bool:
        """Whether a kind of device needs it."""
        return kind.needs == self.name

    def look(self) -> tuple[str, str]:
        """Import it and look for what it needs: (what is here, what is wrong and how to mend it); one is "".

        What is here may be "" too. Run it in a process of its own: a library that is broken may crash.
        """
        try:
            if self.module:
                importlib.import_module(self.module)
            if not self.probe:
                return "", ""
            module, _, function = self.probe.partition(":")
            return str(getattr(importlib.import_module(module), function)()), ""
        except UserError as error:
            return "", f"{error.what}; {error.fix}"
        except Exception as error:  # A library may raise anything when it is loaded.
            how = f"install it: {self.command}" if isinstance(error, ImportError) else self.anew()
            return "", f"{self.library or self.name} cannot be loaded ({reason(error)}); {how}"


_ROWS = (
    OptionalPart(
        "window",
        "the pictures in a window or on a whole monitor",
        probe="streaming.devices.screens.window:describe_display",
    ),
    OptionalPart("browser", "browsers and OBS by WebRTC", "aiortc", "aiortc"),
    OptionalPart("ndi", "pictures from and to programs of the network", "NDI", "cyndilib"),
    OptionalPart(
        "virtualcamera",
        "the pictures as a webcam of other programs",
        "pyvirtualcam",
        "pyvirtualcam",
        probe="streaming.devices.screens.virtual_camera:describe_driver",
    ),
    OptionalPart("spout", "the pictures in other programs of this machine", "SpoutGL", "SpoutGL", system="win32"),
    OptionalPart("syphon", "the pictures in other programs of this Mac", "syphon-python", "syphon", system="darwin"),
    OptionalPart(
        "jack",
        "sound from and to other programs, by JACK or by PipeWire in its place",
        probe="streaming.devices.sound.portaudio:describe_jack",
    ),
    OptionalPart(
        "midi",
        "knobs in, notes and clock out",
        "python-rtmidi",
        "rtmidi",
        option="--midi PORT",
        setting="midi",
        probe="streaming.devices.midi.ports:describe_ports",
    ),
    OptionalPart("link", "a tempo that programs share", "LinkPython-extern", "link", option="--link", setting="link"),
    OptionalPart("remote", "OSCQuery is found without its address", "zeroconf", "zeroconf", option="--osc PORT"),
)
OPTIONAL = {row.name: row for row in _ROWS}


def missing(name: str, where: str, error: BaseException, instead: str) -> UserError:
    """The line for a library that cannot be imported.

    Args:
        name: of the row.
        where: the option with its value.
        error: what the import raised.
        instead: what can be used in its place.
    """
    row = OPTIONAL[name]
    fix = f"install it: {row.command}; or {instead}"
    return UserError(f"{row.library} cannot be loaded ({reason(error)})", where, fix)


def is_for(row: OptionalPart, platform: str = sys.platform) -> bool:
    """Whether a system has it at all."""
    return row.system in ("", platform)
