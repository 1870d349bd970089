"""The OSC addresses of the show: every live control, and what is played; all of them derive from the controls' table.

Open Sound Control 1.0 (Wright, 2002). A control has one flat address, `/antiphon/<name>`, in and out. What the show
plays has the addresses of `EVENTS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from streaming.audio.levels import SILENCE_DB
from streaming.errors import SettingError
from streaming.settings.controls import CONTROLS, Value
from streaming.settings.setting import or_nearest

ROOT = "/antiphon"
SUBSCRIBE, UNSUBSCRIBE, GET, TAP, ERROR = (
    f"{ROOT}/{name}" for name in ("subscribe", "unsubscribe", "get", "tap", "error")
)
MAX_BYTES = 8_192
"""A longer datagram is refused: no message to the show needs more."""
MAX_MESSAGES = 64
"""Messages of one bundle that are read."""


@dataclass(frozen=True)
class OscEvent:
    """One thing that is said of what is played.

    Attributes:
        tag: OSC type tag of its value.
        words: what it is, with unit and range.
        before: its value before anything is played.
    """

    tag: str
    words: str
    before: float | int = 0


EVENTS = MappingProxyType(
    {
        f"{ROOT}/out/onset": OscEvent("f", "a note or a hit begins; its strength, 0 to 1", 0.0),
        f"{ROOT}/out/pitch": OscEvent("f", "the pitch of what sounds, a MIDI note number with its fraction", 0.0),
        f"{ROOT}/out/level": OscEvent(
            "f", "how loud the tick of 40 ms is, root mean square, in dB below full scale", SILENCE_DB
        ),
        f"{ROOT}/out/position": OscEvent("i", "the number of the tick of 40 ms that is played"),
    }
)
"""Address -> what it says. Each comes in a bundle whose time is when it leaves the audio device."""


@dataclass(frozen=True)
class OscCall:
    """One message that was received.

    Attributes:
        address: of the message.
        arguments: its values.
    """

    address: str
    arguments: tuple[Any, ...]


def read_packet(datagram: bytes) -> list[OscCall]:
    """The messages of a datagram, those of bundles in order.

    Raises:
        ValueError: for anything that is not OSC, or too much of it.
    """
    if len(datagram) > MAX_BYTES:
        raise ValueError(f"{len(datagram)} bytes are more than {MAX_BYTES}")
    try:
        messages = OscPacket(datagram).messages[: MAX_MESSAGES + 1]
        calls = [OscCall(one.message.address, tuple(one.message.params)) for one in messages]
    except Exception as error:  # The library leaks what its parts raise: struct, unicode, index and recursion errors.
        raise ValueError(f"not OSC ({type(error).__name__})") from error
    if len(calls) > MAX_MESSAGES:
        raise ValueError(f"more than {MAX_MESSAGES} messages in a bundle")
    return calls


def address_of_control(name: str) -> str:
    """The address of a row of `CONTROLS`."""
    return f"{ROOT}/{name}"


def control_of(call: OscCall) -> tuple[str, str]:
    """The control that a message sets, and its value as on the command line.

    Raises:
        SettingError: for an address or a value that no control has.
    """
    name = call.address.removeprefix(f"{ROOT}/")
    if name not in CONTROLS:
        raise SettingError("osc", call.address, "is the address of no control", or_nearest(name, CONTROLS))
    if len(call.arguments) != 1:
        raise SettingError("osc", call.address, f"has {len(call.arguments)} values", "send one value")
    value = call.arguments[0]
    if isinstance(value, bool):
        value = float(value)
    if not isinstance(value, (int, float, str)):
        raise SettingError("osc", call.address, f"has a value of type {type(value).__name__}", "send f, i or s")
    checked = CONTROLS[name].read(value)
    return name, checked if isinstance(checked, str) else repr(checked)


def pack(address: str, *values: float | int | str) -> Any:
    """A message; floats travel as `f`, whole numbers as `i`, text as `s`."""
    builder = OscMessageBuilder(address)
    for value in values:
        tag = "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f"
        builder.add_arg(value, tag)
    return builder.build()


def pack_control(name: str, value: Value) -> bytes:
    """The message that says what a control is now."""
    return bytes(pack(address_of_control(name), value).dgram)


def pack_bundle(messages: Sequence[Any], wall_s: float | None = None) -> bytes:
    """A bundle of messages with a time, in seconds since 1970; None for at once."""
    builder = OscBundleBuilder(IMMEDIATELY if wall_s is None else wall_s)  # type: ignore[arg-type]
    for message in messages:
        builder.add_content(message)
    return bytes(builder.build().dgram)


def latest_calls(calls: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of several values for one control the last one, in the order of their last places: a slider sends many."""
    latest: dict[str, str] = {}
    for name, value in calls:
        latest.pop(name, None)
        latest[name] = value
    return list(latest.items())
