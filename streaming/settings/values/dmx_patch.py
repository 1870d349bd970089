"""Which DMX channel is which control, and which universes are heard and sent: `--dmx-in`, `-out`, `-patch`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from streaming.errors import SettingError
from streaming.settings.controls import CONTROLS
from streaming.settings.network_place import LOOPBACK
from streaming.settings.setting import or_nearest

CHANNELS = 512
PROTOCOLS = MappingProxyType({"artnet": (0, 32_767), "sacn": (1, 63_999)})
"""Protocol -> the lowest and the highest number of a universe."""
MULTICAST = "multicast"
OUTPUTS = MappingProxyType(
    {
        "level": "how loud the music is: -60 dB or less is 0, 0 dB is full",
        "onset": "full strength when a note or a hit begins, then it fades within a third of a second",
        "pitch": "the pitch of what sounds: MIDI note 0 is 0, 127 is full",
        "red": "how much red the picture has, on average",
        "green": "how much green the picture has, on average",
        "blue": "how much blue the picture has, on average",
    }
)
"""What can be sent, in words."""
PLACE_FIX = "for example artnet:0, sacn:1 or artnet:0@192.168.1.50"
PATCH_FIX = "for example volume=1, or motion=2/16 for two channels"


@dataclass(frozen=True)
class DmxPlace:
    """A universe, and the machine that sends or hears it.

    Attributes:
        protocol: "artnet" or "sacn".
        universe: its number as the protocol counts.
        host: an address, or `MULTICAST`.
    """

    protocol: str
    universe: int
    host: str = LOOPBACK


@dataclass(frozen=True)
class DmxChannels:
    """Where a value is in a universe.

    Attributes:
        first: its channel, 1 to 512; of two the coarse one.
        wide: it has two channels, 16 bits.
    """

    first: int
    wide: bool = False

    def read(self, levels: bytes) -> float:
        """The value, 0 to 1.

        Args:
            levels: the universe, 512 bytes.
        """
        if self.wide:
            return int.from_bytes(levels[self.first - 1 : self.first + 1], "big") / 65_535
        return levels[self.first - 1] / 255

    def write(self, value: float, levels: bytearray) -> None:
        """Put a value, 0 to 1, into a universe of 512 bytes."""
        value = min(max(value, 0.0), 1.0)
        if self.wide:
            levels[self.first - 1 : self.first + 1] = round(65_535 * value).to_bytes(2, "big")
        else:
            levels[self.first - 1] = round(255 * value)


def read_dmx_place(name: str, text: str) -> DmxPlace:
    """Read `PROTOCOL:UNIVERSE`, with `@HOST` where it is not this machine.

    Args:
        name: of the option.
        text: as it was written.

    Raises:
        SettingError: for anything else.
    """
    match = re.fullmatch(r"(\w+):(\d{1,5})(?:@([\w.:-]+))?", text)
    if match is None or match[1] not in PROTOCOLS:
        raise SettingError(name, text, "is no universe of Art-Net or sACN", PLACE_FIX)
    (low, high), universe = PROTOCOLS[match[1]], int(match[2])
    if not low <= universe <= high:
        raise SettingError(name, text, f"has no universe from {low} to {high}", PLACE_FIX)
    host = match[3] or LOOPBACK
    if host == MULTICAST and match[1] != "sacn":
        raise SettingError(name, text, "Art-Net has no multicast", "give a host, or its network's broadcast address")
    return DmxPlace(match[1], universe, host)


def read_dmx_patch(patch: Mapping[str, str]) -> dict[str, DmxChannels]:
    """The channels of every control and output.

    Args:
        patch: name -> `CHANNEL` or `CHANNEL/16`.

    Raises:
        SettingError: for a name, a channel or an overlap that there cannot be.
    """
    read: dict[str, DmxChannels] = {}
    numbers = [name for name, row in CONTROLS.items() if row.kind == "number" and row.live]
    taken: dict[tuple[bool, int], str] = {}
    for name, text in patch.items():
        given = f"{name}={text}"
        is_output = name in OUTPUTS
        if not is_output and name not in numbers:
            fix = or_nearest(name, [*numbers, *OUTPUTS])
            raise SettingError("dmx-patch", given, "is no control with a number", fix)
        match = re.fullmatch(r"(\d{1,3})(/16|/8)?", text)
        channels = DmxChannels(int(match[1]), match[2] == "/16") if match else DmxChannels(0)
        last = channels.first + channels.wide
        if channels.first < 1 or last > CHANNELS:
            raise SettingError("dmx-patch", given, f"has no channel from 1 to {CHANNELS}", PATCH_FIX)
        for channel in range(channels.first, last + 1):
            other = taken.setdefault((is_output, channel), name)
            if other != name:
                raise SettingError("dmx-patch", given, f"has channel {channel}, as {other} has", "give another channel")
        read[name] = channels
    return read
