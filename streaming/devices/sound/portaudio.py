"""PortAudio: loads the library, lists the devices, and finds the one that a user names."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND
from streaming.errors import SourceError, UserError
from streaming.system.files import reason

Direction = Literal["input", "output"]

RATES = (SAMPLE_RATE, 48_000, 44_100)
"""Device rates in Hz in the order in which they are tried; the first is the codec's and needs no resampling."""
_OPTIONS = {"input": "--microphone", "output": "--speaker"}
_ALTERNATIVES = {"input": "a sound file, self or none", "output": "file:PATH.wav, or none"}


@dataclass(frozen=True)
class DeviceInfo:
    """An audio input or output of this machine.

    Attributes:
        index: PortAudio's number of it.
        name: the device's name.
        hostapi: the audio system it belongs to.
        channels: how many it has in this direction.
        samplerate: its default rate in Hz.
        default: True for the system's default device.
    """

    index: int
    name: str
    hostapi: str
    channels: int
    samplerate: int
    default: bool


def load_sounddevice() -> ModuleType:
    """Import sounddevice.

    Raises:
        UserError: when it or the PortAudio library is missing.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise UserError(
            f"the PortAudio library cannot be loaded ({reason(error)})",
            "audio",
            "install it: 'sudo apt install libportaudio2' on Debian and Ubuntu, 'brew install portaudio' on macOS, "
            "'pip install --force-reinstall sounddevice' on Windows; or use --speaker file:out.wav",
        ) from error
    module: ModuleType = sounddevice
    return module


def list_devices(sd: ModuleType, direction: Direction) -> list[DeviceInfo]:
    """The audio inputs or outputs of this machine, empty when there are none."""
    try:
        devices, hosts = sd.query_devices(), sd.query_hostapis()
        default = int(sd.default.device[0 if direction == "input" else 1])
    except sd.PortAudioError:
        return []
    if default < 0 and hosts:
        key = f"default_{direction}_device"
        default = next((int(host[key]) for host in hosts if host[key] >= 0), -1)
    return [
        DeviceInfo(
            index,
            str(device["name"]),
            str(hosts[device["hostapi"]]["name"]),
            int(device[f"max_{direction}_channels"]),
            round(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(devices)
        if device[f"max_{direction}_channels"] > 0
    ]


def describe_jack() -> str:
    """The JACK server that PortAudio sees.

    Raises:
        UserError: when it sees none, or is missing itself.
    """
    sd = load_sounddevice()
    if not any("JACK" in str(host["name"]) for host in sd.query_hostapis()):
        fix = "start it before the show: jackd -d alsa, or PipeWire with its package pipewire-jack"
        raise UserError("no JACK server answers", "audio", fix)
    return "a server answers"


def find_device(sd: ModuleType, direction: Direction, device: str) -> DeviceInfo:
    """The device that a user names by "auto", its number, its name or a part of it.

    Raises:
        SourceError: when there is none; the error lists the devices of this machine.
    """
    devices = list_devices(sd, direction)
    where = f"{_OPTIONS[direction]} {device}"
    if not devices:
        fix = f"plug one in, or choose {_ALTERNATIVES[direction]}"
        raise SourceError(f"this machine has no audio {direction} at all", where, fix)
    if device == "auto":
        matches = [info for info in devices if info.default] or devices[:1]
    elif device.isdigit():
        matches = [info for info in devices if info.index == int(device)]
    else:
        needle = device.casefold()
        exact = [info for info in devices if info.name.casefold() == needle]
        matches = exact or [info for info in devices if needle in f"{info.name} {info.hostapi}".casefold()]
    if not matches:
        listing = ", ".join(f"{info.index}: {info.name}" for info in devices)
        raise SourceError(
            f"there is no such audio {direction}; this machine has {listing}",
            where,
            f"choose one of these by number or name, or {_ALTERNATIVES[direction]}",
        )
    return matches[0]


def rates_of(info: DeviceInfo) -> list[int]:
    """The rates to try with a device, best first: `RATES`, then its own if a tick is a whole number of samples."""
    own = info.samplerate
    return [*RATES, *([own] if own not in RATES and own % TICKS_PER_SECOND == 0 else [])]
