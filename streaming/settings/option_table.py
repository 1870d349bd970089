"""The options of a show that do not change while it runs, as one table; with the live controls, all its settings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from engines.registry import RUNTIMES
from streaming.errors import SettingError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Links, Show
from streaming.settings.controls import CONTROLS
from streaming.settings.network_place import read_place
from streaming.settings.setting import GROUPS, PATCHING, RECORDING, Setting, nearest, read_number

DIRECTIONS = ("both", "video-to-music", "music-to-video")
BACKENDS = ("auto", *RUNTIMES)
EYES = ("auto", "mediapipe", "bundle")
OFF = "off"
SHORTEST_TOKEN = 12
MOST_CHANNELS = 64
MAX_SEED = 2**63 - 1
LONGEST_DURATION = 1e8
"""Seconds or minutes of a show or a benchmark: in nanoseconds they fit into 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Option(Setting):
    """One row of `OPTIONS`.

    Attributes:
        kind: of its value: "seconds" is a number above 0, "seed" a whole number, "flag" true or false, "pairs" a list
            of NAME=ADDRESS, "place" a port, maybe with a host, or off, "channels" one or two numbers of channels,
            "patch" a list of NAME=CHANNEL, "limit" a number of takes or of GB.
        choices: the words that are accepted; empty for any.
        range: the values that are accepted, in words, where the metavar does not say it.
        unset: what holds when nothing is given, in words, where the default itself does not say it.
        example: a value for the TOML example, where the default is none.
        in_file: whether a TOML file may have it.
    """

    kind: Literal["text", "seconds", "seed", "flag", "pairs", "place", "channels", "patch", "limit"] = "text"
    choices: tuple[str, ...] = ()
    range: str = ""
    unset: str = ""
    example: str = ""
    in_file: bool = True

    @property
    def default(self) -> Any:
        """What `Show` or `Links` has when nothing is given; None for what is not in them."""
        fields = {entry.name: entry for kind in (Links, Show) for entry in msgspec.structs.fields(kind)}
        entry = fields.get(self.field, fields.get(f"{self.field}_s"))
        return None if entry is None or entry.default is msgspec.NODEFAULT else entry.default

    def read(self, value: object) -> object:
        """Check a value, see `Setting.read`; whether files and devices are there is checked later."""
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise SettingError(self.name, value, "must be true or false", "write it without quotes")
            return value
        if self.kind in ("pairs", "patch"):
            return _pairs(self, value) if self.kind == "pairs" else _patch(self, value)
        if self.kind == "seconds":
            number = read_number(self, value)
            if not 0.0 < number <= LONGEST_DURATION:
                what = f"must be {self.range_text()}, and at most {LONGEST_DURATION:,.0f}"
                raise SettingError(self.name, value, what, "for example 60")
            return float(number)
        if self.kind == "seed":
            number = read_number(self, value, whole=True)
            if not 0 <= number <= MAX_SEED:
                raise SettingError(self.name, value, f"must be {self.range_text()}", "give another number")
            return number
        # The number of a webcam or of a sound device is written without quotes by many.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and (self.name in DEVICE_OPTIONS or self.kind in READERS):
            value = str(value)
        if not isinstance(value, str):
            raise SettingError(
                self.name, value, "must be text, written in quotes", f"for example {self.toml_example()}"
            )
        if self.kind in READERS:
            return READERS[self.kind](self, value)
        if self.choices and value not in self.choices:
            close = nearest(value, self.choices)
            fix = f"did you mean {close}?" if close else f"use one of {', '.join(self.choices)}"
            raise SettingError(self.name, value, "is not known", fix)
        return value

    def range_text(self) -> str:
        """The values that are accepted, for a person."""
        return self.range or ", ".join(self.choices)

    def default_text(self) -> str:
        """What holds when nothing is given, for a person."""
        if self.unset or self.kind == "flag":
            return self.unset
        return str(self.default)

    def toml_example(self) -> str:
        """A line that a TOML file may contain."""
        if self.kind == "flag":
            return f"{self.name} = true"
        text = self.example or str(self.default)
        return (
            f"{self.name} = {text}" if self.kind in ("seconds", "seed", "pairs", "patch") else f'{self.name} = "{text}"'
        )


class TakeLimit(NamedTuple):
    """How many takes are kept, and how large they may be together.

    Attributes:
        takes: their number, 0 for any.
        bytes: of all of them, 0 for any.
        text: as it was given.
    """

    takes: int = 0
    bytes: int = 0
    text: str = ""


def read_limit(text: str) -> TakeLimit:
    """Read `20` (takes) or `50GB`; "" is no limit.

    Raises:
        SettingError: for anything else.
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)( ?GB)?", text)
    if text and (match is None or float(match[1]) <= 0 or (not match[2] and "." in match[1])):
        what = "must be a number of takes, or of GB, more than 0"
        raise SettingError("keep-takes", text, what, "for example 20, or 50GB")
    if match is None:
        return TakeLimit()
    return TakeLimit(0, round(float(match[1]) * 1e9), text) if match[2] else TakeLimit(int(match[1]), 0, text)


def _place_of(option: Option, value: str) -> str:
    """Check `off`, `PORT` or `HOST:PORT`."""
    if value != OFF:
        try:
            read_place(value)
        except ValueError as error:
            raise SettingError(option.name, value, str(error), f"for example {option.default}, or {OFF}") from error
    return value


def _channels_of(option: Option, value: str) -> str:
    """Check `3` or `3,4`."""
    numbers = [part.strip() for part in value.split(",")]
    good = len(numbers) == len(set(numbers)) <= 2 and all(re.fullmatch("[1-9][0-9]?", part) for part in numbers)
    if not good or max(map(int, numbers)) > MOST_CHANNELS:
        raise SettingError(option.name, value, f"must be {option.range}", "for example 3,4")
    return ",".join(numbers)


def _pairs(option: Option, value: object) -> dict[str, str]:
    """Read `["motion=tcp://10.0.0.2:5001"]`."""
    fix = "for example motion=tcp://10.0.0.2:5001"
    if not isinstance(value, list):
        raise SettingError(option.name, value, "must be a list of STAGE=tcp://HOST:PORT", fix)
    addresses: dict[str, str] = {}
    for pair in value:
        stage, _, address = pair.partition("=") if isinstance(pair, str) else ("", "", "")
        if not stage or not address.startswith(("tcp://", "ipc://")):
            raise SettingError(option.name, pair, "is not STAGE=tcp://HOST:PORT", fix)
        addresses[stage] = address
    return addresses


def _patch(option: Option, value: object) -> dict[str, str]:
    """Read `["volume=1", "motion=2/16"]`; the names and channels are checked with the whole show."""
    if not isinstance(value, list):
        raise SettingError(option.name, value, "must be a list of NAME=CHANNEL", "for example volume=1")
    patch: dict[str, str] = {}
    for pair in value:
        name, _, channel = pair.partition("=") if isinstance(pair, str) else ("", "", "")
        if not name or not channel:
            raise SettingError(option.name, pair, "is not NAME=CHANNEL", "for example volume=1")
        patch[name.strip()] = channel.strip()
    return patch


READERS: dict[str, Callable[[Option, str], str]] = {
    "place": _place_of,
    "channels": _channels_of,
    "limit": lambda option, value: read_limit(value).text,
}
"""Kind of an option -> what checks its text."""
PLAYING, DEVICES, _, _, _, _, MACHINE = GROUPS

OPTIONS: dict[str, Option] = {
    row.name: row
    for row in (
        Option(
            name="direction",
            group=PLAYING,
            metavar="WHICH",
            words="music from what is seen, pictures from what is heard, or both at once",
            choices=DIRECTIONS,
        ),
        Option(
            name="bundle",
            group=PLAYING,
            metavar="NAME_OR_DIR",
            words="the trained networks to perform with: a shipped bundle's name, or a folder",
        ),
        Option(
            name="backend",
            group=PLAYING,
            metavar="NAME",
            words="what runs the networks; auto takes the fastest that was measured here",
            choices=BACKENDS,
        ),
        Option(
            name="duration",
            group=PLAYING,
            metavar="SECONDS",
            kind="seconds",
            words="how long to perform",
            range="seconds, more than 0",
            unset="until Ctrl-C or the end of the film that is played from",
            example="60",
        ),
        Option(
            name="seed",
            group=PLAYING,
            metavar="N",
            kind="seed",
            words="where chance starts: the same seed and the same input give the same performance",
            range="0 to 2^63 - 1",
        ),
        Option(
            name="config",
            group=PLAYING,
            metavar="FILE.toml",
            words="read settings from a file, see run_live.py config; options of the command line win",
            unset="no file",
            in_file=False,
        ),
        Option(
            name="camera",
            group=DEVICES,
            metavar="SOURCE",
            words="what is watched",
            range=DEVICE_OPTIONS["camera"].usage(),
        ),
        Option(
            name="eyes",
            group=DEVICES,
            metavar="WHICH",
            words="what finds the player's body and hands: MediaPipe's networks, which make eyes fetches, or the "
            "bundle's own alone; auto takes MediaPipe's where they are here",
            choices=EYES,
        ),
        Option(
            name="microphone",
            group=DEVICES,
            metavar="SOURCE",
            words="what is heard; self is the music that is made",
            range=DEVICE_OPTIONS["microphone"].usage(),
        ),
        Option(
            name="speaker",
            group=DEVICES,
            metavar="SINK",
            words="where the music goes",
            range=DEVICE_OPTIONS["speaker"].usage(),
        ),
        Option(
            name="channels",
            group=DEVICES,
            metavar="LEFT,RIGHT",
            kind="channels",
            words="which channels of the sound device play the music, counted from 1; one number gets both sides",
            range="one or two numbers from 1 to 64",
            unset="the first two",
            example="3,4",
        ),
        Option(
            name="screen",
            group=DEVICES,
            metavar="SINK",
            words="where the pictures go; in a window F11, F or a double click fills the monitor, Escape goes back, Q "
            "ends the show",
            range=DEVICE_OPTIONS["screen"].usage(),
        ),
        Option(
            name="record",
            group=RECORDING,
            metavar="DIR",
            words="the folder in which the film of the performance is left; none makes no film",
        ),
        Option(
            name="record-later",
            group=RECORDING,
            kind="flag",
            words="record nothing until the control record is set to 1, from the console, by OSC or by set record 1",
        ),
        Option(
            name="keep-takes",
            group=RECORDING,
            metavar="N|GB",
            kind="limit",
            words="how many takes stay in the folder, or how large they may be together: the oldest are removed",
            range="a number of takes, or as 50GB",
            unset="all stay",
            example="50GB",
        ),
        Option(
            name="report",
            group=RECORDING,
            metavar="FILE.json",
            words="write what was measured to a file",
            unset="no report",
            example="report.json",
        ),
        Option(
            name="log",
            group=RECORDING,
            metavar="FILE",
            words="write what happens as lines of JSON; the newest 10 MB, and five older files FILE.1 to FILE.5",
            unset="no log",
            example="show.jsonl",
        ),
        Option(
            name="osc",
            group=PATCHING,
            metavar="[HOST:]PORT",
            kind="place",
            words="the UDP port at which OSC programs set the controls and hear what is played",
            range="a port, HOST:PORT (beyond this machine with --allow-remote), or off",
        ),
        Option(
            name="midi",
            group=PATCHING,
            metavar="PORT",
            words="the MIDI port whose knobs turn the controls, and to which what is played goes as notes",
            range="a part of the port's name, virtual for ports of the show's own, or off",
            unset="off",
            example="virtual",
        ),
        Option(
            name="midi-clock",
            group=PATCHING,
            kind="flag",
            words="send MIDI clock, 24 pulses a beat, at the tempo of what is heard or of the control tempo",
        ),
        Option(
            name="link",
            group=PATCHING,
            kind="flag",
            words="join Ableton Link: its tempo is that of the show, and a tempo that a hand sets is its",
        ),
        Option(
            name="timecode",
            group=PATCHING,
            metavar="SOURCE",
            words="the timecode at which cues go by themselves: by MIDI, or by sound on an input",
            range="mtc, ltc:DEVICE, ltc:DEVICE#CHANNEL, ltc:file:PATH, or off",
            unset="off",
            example="ltc:auto",
        ),
        Option(
            name="dmx-in",
            group=PATCHING,
            metavar="PROTOCOL:UNIVERSE[@HOST]",
            words="the light desk whose faders set the controls that --dmx-patch names",
            range="artnet:0, sacn:1, @HOST for an address of this machine (beyond it with --allow-remote), or off",
            unset="off",
            example="artnet:0",
        ),
        Option(
            name="dmx-out",
            group=PATCHING,
            metavar="PROTOCOL:UNIVERSE[@HOST]",
            words="where level, onset, pitch and the picture's colours go as light",
            range="artnet:0@HOST, sacn:1@HOST, sacn:1@multicast, or off",
            unset="off",
            example="sacn:1@multicast",
        ),
        Option(
            name="dmx-patch",
            group=PATCHING,
            metavar="NAME=CHANNEL[/16]",
            kind="patch",
            words="the channel of a control (in), or of level, onset, pitch, red, green or blue (out); /16 takes two "
            "channels; may be given several times",
            unset="none",
            example='["volume=1", "motion=2/16", "level=1"]',
        ),
        Option(
            name="console",
            group=PATCHING,
            metavar="[HOST:]PORT",
            kind="place",
            words="where the console is: a page from which a browser shows and plays the show",
            range="a port, HOST:PORT (beyond this machine with --allow-remote and a token), or off",
        ),
        Option(
            name="console-token",
            group=PATCHING,
            metavar="TOKEN",
            words="the password of the console's page",
            range=f"at least {SHORTEST_TOKEN} letters and digits",
            unset="none on this machine alone, else a new one for each show, which it prints",
            example="a-word-that-nobody-guesses",
        ),
        Option(
            name="installation",
            group=MACHINE,
            kind="flag",
            words="perform in a room that nobody attends to: no film unless --record is given, processes that fail are "
            "started again for ever, and a calm show while nobody is there",
        ),
        Option(
            name="attract",
            group=MACHINE,
            metavar="SECONDS",
            kind="seconds",
            words="how long nobody moves until an installation becomes calm",
            range="seconds, more than 0",
        ),
        Option(
            name="schedule",
            group=MACHINE,
            metavar="HH:MM-HH:MM",
            words="when the show plays, by this machine's clock; several with commas, past midnight too",
            range="for example 10:00-12:30,14:00-18:00",
            unset="always",
            example="10:00-18:00",
        ),
        Option(
            name="console-cert",
            group=PATCHING,
            metavar="FILE",
            words="the certificate with which the console's page is encrypted (PEM, with those of its issuers)",
            unset="the page is not encrypted",
            example="console-cert.pem",
        ),
        Option(
            name="console-key",
            group=PATCHING,
            metavar="FILE",
            words="the private key of that certificate (PEM, without a password)",
            unset="it is in the certificate's file",
            example="console-key.pem",
        ),
        Option(
            name="quiet",
            group=MACHINE,
            kind="flag",
            words="print a plain line every 5 s in place of the live table",
        ),
        Option(
            name="awake",
            group=MACHINE,
            kind="flag",
            words="keep the processor's cores from sleeping, because idle machines wake up late",
        ),
        Option(
            name="run-dir",
            group=MACHINE,
            metavar="DIR",
            words="the folder of the sockets; a second performance at the same time needs its own",
            unset="one for each user",
            example="/tmp/antiphon-two",
        ),
        Option(
            name="keys",
            group=MACHINE,
            metavar="DIR",
            words="the keys for links between machines, made by run_live.py keys DIR",
            unset="no keys",
            example="keys",
        ),
        Option(
            name="address",
            group=MACHINE,
            metavar="STAGE=tcp://HOST:PORT",
            kind="pairs",
            words="a stage that is reached over a network; may be given several times",
            unset="all stages run here",
            example='["motion=tcp://10.0.0.2:5001"]',
        ),
        Option(
            name="allow-remote",
            group=MACHINE,
            kind="flag",
            words="let other machines connect",
        ),
    )
}

SETTINGS: dict[str, Setting] = {
    row.name: row
    for group in GROUPS
    for row in (*OPTIONS.values(), *(row for row in CONTROLS.values() if row.option))
    if row.group == group
}
"""Every option, and every live control that is one, by name, group by group."""


def control_value(name: str, value: Any) -> Any:
    """A control's value as it holds in any folder: the path of an image or a bundle is made absolute."""
    is_path = (name == "prior" and value) or (name == "bundle" and os.sep in value)
    return os.path.abspath(value) if is_path else value


def place(values: dict[str, Any]) -> dict[str, Any]:
    """Sort read values (setting -> value) into the fields of `Show`; what is no field of it is left out."""
    show: dict[str, Any] = {}
    links = {entry.name for entry in msgspec.structs.fields(Links)}
    for name, value in values.items():
        field = {"duration": "duration_s", "attract": "attract_s"}.get(name, name.replace("-", "_"))
        if name in CONTROLS and CONTROLS[name].option:
            show.setdefault("controls", {})[name] = control_value(name, value)
        elif name == "record-later":
            show.setdefault("controls", {})["record"] = float(not value)
        elif name == "address":
            show.setdefault("links", {})["addresses"] = value
        elif field in links:
            show.setdefault("links", {})[field] = value
        elif name == "record":
            show[field] = "" if value == "none" else value
        elif name in ("osc", "midi", "console", "timecode", "dmx-in", "dmx-out"):
            show[field] = "" if value == OFF else value
        elif name not in ("awake", "config"):
            show[field] = value
    if "links" in show:
        show["links"] = Links(**show["links"])
    return show
