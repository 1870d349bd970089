"""The settings of a show: one frozen object, made by the command line, sent to every process as JSON."""

from __future__ import annotations

import msgspec

from streaming.schema.device_kinds import BROWSER
from streaming.settings.controls import CONTROLS, Value
from streaming.settings.setting import or_nearest


class Links(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the sockets are.

    Attributes:
        run_dir: folder of the `ipc://` sockets and the instance lock; "" for the user's default.
        addresses: stage name -> `tcp://host:port` for stages that are reached over a network (CURVE is then required).
        keys: folder with `antiphon.key_secret`, `antiphon.key` and the allow-list `allowed/*.key`; "" for none.
        allow_remote: permit binding beyond loopback.
    """

    run_dir: str = ""
    addresses: dict[str, str] = msgspec.field(default_factory=dict)
    keys: str = ""
    allow_remote: bool = False


FIELDS_TOO = ("bundle", "speaker")
"""Controls whose value is that of the setting of the same name."""


class Show(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a performance; `streaming/settings/option_rows` has the meaning of each option.

    Attributes:
        controls: name -> first value of every row of `CONTROLS`; a control that is not given has its default.

    Raises:
        ValueError: for a control that is in no row.
    """

    direction: str = "both"
    camera: str = "auto"
    speaker: str = "auto"
    channels: str = ""
    microphone: str = "auto"
    screen: str = "auto"
    bundle: str = "default"
    backend: str = "auto"
    eyes: str = "auto"
    duration_s: float | None = None
    record: str = "recordings"
    keep_takes: str = ""
    take: str = ""
    osc: str = "8421"
    midi: str = ""
    midi_clock: bool = False
    link: bool = False
    timecode: str = ""
    dmx_in: str = ""
    dmx_out: str = ""
    dmx_patch: dict[str, str] = msgspec.field(default_factory=dict)
    console: str = "8420"
    console_token: str = ""
    console_cert: str = ""
    console_key: str = ""
    report: str = ""
    installation: bool = False
    attract_s: float = 60.0
    schedule: str = ""
    log: str = ""
    seed: int = 0
    controls: dict[str, Value] = msgspec.field(default_factory=dict)
    quiet: bool = False
    links: Links = msgspec.field(default_factory=Links)

    def __post_init__(self) -> None:
        for name in self.controls:
            if name not in CONTROLS:
                raise ValueError(f"no control {name!r}; {or_nearest(name, CONTROLS)}")
        values = {name: self.controls.get(name, row.default) for name, row in CONTROLS.items()}
        values.update({name: getattr(self, name) for name in FIELDS_TOO})
        if not self.record:
            values["record"] = 0.0
        msgspec.structs.force_setattr(self, "controls", values)

    @property
    def ltc(self) -> bool:
        """Whether timecode is heard on an audio input."""
        return self.timecode.startswith("ltc")

    @property
    def lights(self) -> bool:
        """Whether DMX is heard or sent."""
        return bool(self.dmx_in or self.dmx_out)

    @property
    def browser_devices(self) -> tuple[str, ...]:
        """Those of its devices that are a browser: "camera", "microphone", "screen", "speaker"."""
        return tuple(name for name in ("camera", "microphone", "screen", "speaker") if getattr(self, name) == BROWSER)

    def number(self, control: str) -> float:
        """A control's first value, in the unit that people write.

        Raises:
            TypeError: when it is a word.
        """
        value = self.controls[control]
        if isinstance(value, str):
            raise TypeError(f"{control} is {value!r}, which is not a number")
        return value

    def word(self, control: str) -> str:
        """A control's first value where it is a word, else ""."""
        value = self.controls[control]
        return value if isinstance(value, str) else ""

    def with_controls(self, **values: Value) -> Show:
        """These settings with other controls, unchecked but for their names."""
        fields = {name: value for name, value in values.items() if name in FIELDS_TOO}
        return msgspec.structs.replace(self, controls={**self.controls, **values}, **fields)
