"""The live controls of a show: one table, from which the options, the TOML keys, `set`, all checks and the page derive.

To add a control, add a row to `CONTROLS`, and in the stage that obeys it read
`streaming.settings.control_values.ControlValues`. Nothing else lists controls, and no other file has a control's range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.errors import SettingError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.setting import LOOKING, PATCHING, RECORDING, SOUNDING, Setting, or_nearest, read_number

Value = float | str
"""A number, or a word (`auto`, a voice, the path of an image)."""


_WORDS = {
    "image": "the path of an image",
    "bundle": "a bundle's name or folder",
    "voice": "a voice's name",
    "device": "a device's name",
}


@dataclass(frozen=True, kw_only=True)
class ControlSpec(Setting):
    """One row of `CONTROLS`.

    Attributes:
        stages: the stages that obey it.
        default: what it is when nothing is given.
        kind: "number"; "word", one of `choices`; "voice", a word that the bundle knows; "image", the path of a file;
            "bundle", a shipped bundle's name or the path of a folder; or "device", what the option of its name takes.
        low, high: the range of a number, both included.
        step: by how much a knob or a slider moves it.
        unit: of the number; "" for none.
        factor: what the stage computes with is the number times this, for example 0.001 from milliseconds to seconds.
        choices: words that are accepted beside numbers, voices or files.
        live: it may be changed while a show runs.
        confirmed: `set` is answered when the first of its stages has confirmed or refused the value.
        preset: a preset has it; False for what is done rather than set.
        option: an option of its name sets its first value; False where something else does.
        at_low, at_high: what happens at the two ends of the range.
        below: why values below the range are refused, where that is not plain.
    """

    stages: tuple[str, ...]
    default: Value
    kind: Literal["number", "word", "voice", "image", "bundle", "device"] = "number"
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    unit: str = ""
    factor: float = 1.0
    choices: tuple[str, ...] = ()
    live: bool = True
    confirmed: bool = False
    preset: bool = True
    option: bool = True
    at_low: str = ""
    at_high: str = ""
    below: str = ""

    @property
    def is_switch(self) -> bool:
        """Whether it has two positions only."""
        return self.kind == "number" and self.step == self.high - self.low

    def read(self, value: object) -> Value:
        """Check a value, as a number or as text; see `Setting.read`."""
        if isinstance(value, str) and value in self.choices:
            return value
        if self.kind == "word":
            fix = or_nearest(str(value), self.choices)
            raise SettingError(self.name, value, "is not known", fix)
        if self.kind != "number":
            if isinstance(value, str):
                return value
            what = f"must be {_WORDS[self.kind]}, written in quotes"
            raise SettingError(self.name, value, what, f"give {self.range_text()}")
        number = read_number(self, value)
        if not self.low <= number <= self.high:
            fix = self.below if number < self.low and self.below else "give another value"
            raise SettingError(self.name, value, f"must be {self.range_text()}", fix)
        return float(number)

    def range_text(self) -> str:
        """The values that are accepted, for a person."""
        if self.kind == "image":
            return "an image file"
        if self.kind == "word":
            return " or ".join(self.choices)
        if self.kind == "bundle":
            return "a shipped bundle's name, or a bundle's folder"
        if self.kind == "device":
            return DEVICE_OPTIONS[self.name].usage()
        if self.kind == "voice":
            return " or ".join([*self.choices, "a voice of the bundle"])
        return " or ".join([*self.choices, f"{self.low:g} to {self.high:g}{' ' * bool(self.unit)}{self.unit}"])

    def default_text(self) -> str:
        """What it is when nothing is given."""
        return self.display(self.default)

    def display(self, value: Value) -> str:
        """A value for a person, with its unit."""
        if isinstance(value, str):
            return value or "the bundle's own"
        return f"{value:g}{' ' * bool(self.unit)}{self.unit}"

    def toml_example(self) -> str:
        """A line that a TOML file may contain."""
        default = "stage.jpg" if self.kind == "image" else self.default
        return f"{self.name} = " + (f'"{default}"' if isinstance(default, str) else f"{default:g}")

    def stops(self) -> tuple[float, ...]:
        """The values that a knob with `step` stops at, as the stage computes with them."""
        count = round((self.high - self.low) / self.step)
        return tuple((self.low + index * self.step) * self.factor for index in range(count + 1))


@dataclass(frozen=True, kw_only=True)
class SwitchSpec(ControlSpec):
    """A row of `CONTROLS` that is off (0) or on (1)."""

    metavar: str = "0|1"
    high: float = 1.0
    step: float = 1.0
    default: Value = 0.0


CONTROLS: dict[str, ControlSpec] = {
    row.name: row
    for row in (
        ControlSpec(
            name="temperature",
            group=SOUNDING,
            stages=("tokens",),
            metavar="T",
            low=0.0,
            high=2.0,
            step=0.05,
            default=0.15,
            words="how freely each sound is chosen: low repeats the likeliest, high surprises",
            at_low="always the likeliest sound; only the seed decides at which ticks it listens to its own past",
            at_high="unlikely sounds are chosen nearly as often as likely ones",
        ),
        ControlSpec(
            name="guidance",
            group=SOUNDING,
            stages=("tokens",),
            metavar="G",
            low=0.5,
            high=4.0,
            step=0.1,
            default=1.5,
            words="how strongly the motion decides the sound: 1 as it was learned, more exaggerates",
            at_low="half as strongly as it was learned: there are up to twice as many pauses",
            below="below 0.5 the motion is not followed and there is only silence",
            at_high="small movements sound too, and there are fewer pauses",
        ),
        ControlSpec(
            name="voice",
            group=SOUNDING,
            stages=("tokens",),
            metavar="NAME",
            kind="voice",
            choices=("auto",),
            default="auto",
            words="the instrument that is heard: auto is the one that the performer seems to play",
        ),
        ControlSpec(
            name="anticipation",
            group=SOUNDING,
            stages=("tokens",),
            metavar="MS",
            low=-40.0,
            high=120.0,
            step=40.0,
            unit="ms",
            factor=1e-3,
            choices=("auto",),
            default="auto",
            words="how far ahead of the motion it plays: auto makes up for the measured latency",
            at_low="it waits 40 ms to be surer of a strike",
            at_high="it plays what it expects to see 120 ms later",
        ),
        ControlSpec(
            name="sensitivity",
            group=SOUNDING,
            stages=("motion", "tokens"),
            metavar="S",
            low=0.25,
            high=4.0,
            step=0.05,
            default=1.0,
            words="how large small movements count, beside how large yours usually are",
            at_low="every movement counts as if it were a quarter as large",
            at_high="every movement counts as if it were four times as large, up to the largest there is",
        ),
        ControlSpec(
            name="calibrate",
            group=SOUNDING,
            stages=("motion",),
            metavar="SECONDS",
            low=1.0,
            high=30.0,
            step=1.0,
            unit="s",
            choices=("auto",),
            default="auto",
            confirmed=True,
            preset=False,
            words="move as you will play for so long: how large that is stays the measure; auto adapts all the time",
            at_low="one stroke or two are measured",
            at_high="half a minute of playing is measured",
        ),
        ControlSpec(
            name="volume",
            group=SOUNDING,
            stages=("sound",),
            metavar="DB",
            low=-60.0,
            high=6.0,
            step=1.0,
            unit="dB",
            default=0.0,
            words="how loud the music is, beside how loud it was learned; no peak passes -1 dB of full scale",
            at_low="a thousandth of the amplitude: next to nothing is heard; mute is silence",
            at_high="twice the amplitude, with the highest peaks limited",
        ),
        SwitchSpec(
            name="mute",
            group=SOUNDING,
            stages=("sound",),
            words="1 fades the whole music to silence, 0 back to its volume; the show goes on",
            at_low="the music is heard at its volume",
            at_high="silence, in the recording too; from 0.5 on",
        ),
        ControlSpec(
            name="fade",
            group=SOUNDING,
            stages=("sound", "picture"),
            metavar="SECONDS",
            low=0.005,
            high=30.0,
            step=0.05,
            unit="s",
            default=0.05,
            words="how long a change of volume, mute or blackout takes, from the next change on",
            at_low="as fast as it goes without a click",
            below="below 0.005 s a change would click",
            at_high="a slow fade, as at the end of a performance: set fade 30, then set mute 1",
        ),
        SwitchSpec(
            name="panic",
            group=SOUNDING,
            stages=("sound", "tokens", "flow"),
            preset=False,
            words="1 is silence at once, whatever fade and mute are, and the networks begin anew; 0 ends it",
            at_low="the music is heard as volume and mute say",
            at_high="silence within one tick; the networks of sound and motion have forgotten what was before",
        ),
        ControlSpec(
            name="width",
            group=SOUNDING,
            stages=("sound",),
            metavar="W",
            low=0.0,
            high=1.0,
            step=0.05,
            default=0.0,
            words="how far the music spreads between the left and the right loudspeaker",
            at_low="the same sound from both; a show that begins so leaves mono files",
            at_high="two sides that have nothing in common but the beat; together they are as loud as before",
        ),
        ControlSpec(
            name="room",
            group=SOUNDING,
            stages=("sound",),
            metavar="R",
            low=0.0,
            high=1.0,
            step=0.05,
            default=0.0,
            words="how large a room the music sounds in; it ends with the music when the player stands still",
            at_low="no room: the dry sound, for a hall that has its own",
            at_high="a hall that rings for 2.5 s, nearly as loud as the sound itself",
        ),
        ControlSpec(
            name="bundle",
            group=SOUNDING,
            stages=("recorder",),
            metavar="NAME_OR_DIR",
            kind="bundle",
            default="default",
            option=False,
            preset=False,
            words="the networks that perform: others are prepared beside them and take their places",
        ),
        ControlSpec(
            name="speaker",
            group=SOUNDING,
            stages=("speaker",),
            metavar="SINK",
            kind="device",
            default="auto",
            confirmed=True,
            preset=False,
            option=False,
            words="where the music goes: another output is opened first, then the music fades from one to the other",
        ),
        ControlSpec(
            name="prior",
            group=LOOKING,
            stages=("scene",),
            metavar="IMAGE",
            kind="image",
            default="",
            confirmed=True,
            words="the still image that the music moves",
        ),
        ControlSpec(
            name="imagination",
            group=LOOKING,
            stages=("picture",),
            metavar="I",
            low=0.0,
            high=1.0,
            step=0.05,
            default=0.0,
            words="how much the painter changes the picture",
            at_low="the prior image is moved, and nothing is painted",
            at_high="the painter is free, and details of the prior image may be lost",
        ),
        ControlSpec(
            name="chance",
            group=LOOKING,
            stages=("flow", "picture"),
            metavar="C",
            low=0.0,
            high=1.0,
            step=0.05,
            default=0.3,
            words="how much of the picture's motion comes from chance",
            at_low="the same sound always moves the same picture in the same way",
            at_high="the motion is as varied as what it learned from: seeds differ about as much as sounds do",
        ),
        ControlSpec(
            name="motion",
            group=LOOKING,
            stages=("flow",),
            metavar="M",
            low=0.0,
            high=4.0,
            step=0.1,
            default=1.0,
            words="how far the picture moves",
            at_low="the picture stands still, whatever is heard",
            at_high="the sound's forces are four times as strong: things swing three times as far, and may fold",
        ),
        ControlSpec(
            name="anchoring",
            group=LOOKING,
            stages=("flow",),
            metavar="A",
            low=0.05,
            high=10.0,
            step=0.05,
            default=1.2,
            words="how stiffly things are held: low lets them swing wide and slowly, high makes them tremble",
            at_low="things swing at a third of their usual frequency, wide, and ring on",
            below="below 0.05 things would not come back",
            at_high="things swing at twice their usual frequency, half as far, and stop soon",
        ),
        ControlSpec(
            name="lead",
            group=LOOKING,
            stages=("flow",),
            metavar="MS",
            low=0.0,
            high=160.0,
            step=40.0,
            unit="ms",
            factor=1e-3,
            default=80.0,
            words="how far ahead of a regular beat things set off, so that they move on it and not after it",
            at_low="everything moves as it is heard, as much later as the picture is",
            at_high="things set off 160 ms before each beat that is foreseen",
        ),
        ControlSpec(
            name="tempo",
            group=LOOKING,
            stages=("flow",),
            metavar="BPM",
            low=30.0,
            high=240.0,
            step=1.0,
            unit="bpm",
            choices=("auto",),
            default="auto",
            words="the beat by which lead sets off: auto finds it in what is heard; tap it on the console or by OSC",
            at_low="a beat every 2 s is foreseen from its second on",
            at_high="a beat every 0.25 s; every second one is foreseen",
        ),
        SwitchSpec(
            name="freeze",
            group=LOOKING,
            stages=("picture",),
            preset=False,
            words="1 holds the picture as it is, 0 lets it go on from where it would be by then",
            at_low="the picture moves with the music",
            at_high="the picture that was shown last is shown on, in the recording too",
        ),
        SwitchSpec(
            name="blackout",
            group=LOOKING,
            stages=("picture",),
            words="1 fades the pictures to black, 0 back, in the time of fade but at least 0.2 s; the music plays on",
            at_low="the pictures are seen",
            at_high="black, in the recording too",
        ),
        SwitchSpec(
            name="record",
            group=RECORDING,
            stages=("recorder",),
            default=1.0,
            option=False,
            preset=False,
            words="1 begins a new take in the folder of --record, 0 ends it; the show goes on",
            at_low="nothing is recorded",
            at_high="film, sound and tokens are recorded; without --record DIR it is refused",
        ),
    )
}
"""Every control by its name."""
NO_LEARNING = "off"
CONTROLS["learn"] = ControlSpec(
    name="learn",
    group=PATCHING,
    stages=("midi",),
    metavar="CONTROL",
    kind="word",
    choices=(NO_LEARNING, *(row.name for row in CONTROLS.values() if row.kind == "number" and row.live)),
    default=NO_LEARNING,
    preset=False,
    words="the control that the next MIDI knob turns from then on: set learn motion, then turn a knob",
)


def list_controls(values: dict[str, Value]) -> list[str]:
    """The live controls with their values, ranges and words: a line each, in columns."""
    rows = [
        (row.name, row.display(values[row.name]), row.range_text(), row.words) for row in CONTROLS.values() if row.live
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
