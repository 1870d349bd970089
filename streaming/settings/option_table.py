"""The options of a show that do not change while it runs, as one table; with the live controls, all its settings."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Links
from streaming.settings.controls import CONTROLS
from streaming.settings.option_rows.devices import DEVICES_OPTIONS
from streaming.settings.option_rows.machine import MACHINE_OPTIONS
from streaming.settings.option_rows.option import Option
from streaming.settings.option_rows.patching import PATCHING_OPTIONS
from streaming.settings.option_rows.playing import PLAYING_OPTIONS
from streaming.settings.option_rows.recording import RECORDING_OPTIONS
from streaming.settings.setting import GROUPS, Setting

OPTIONS: dict[str, Option] = {
    row.name: row
    for row in (*PLAYING_OPTIONS, *DEVICES_OPTIONS, *RECORDING_OPTIONS, *PATCHING_OPTIONS, *MACHINE_OPTIONS)
}
"""Every option by its name; its row is in the file of its heading in `option_rows`."""

SETTINGS: dict[str, Setting] = {
    row.name: row
    for group in GROUPS
    for row in (*OPTIONS.values(), *(row for row in CONTROLS.values() if row.option))
    if row.group == group
}
"""Every option, and every live control that is one, by name, group by group."""


def control_value(name: str, value: Any) -> Any:
    """A control's value as it holds in any folder: the path of an image, a bundle or a file is made absolute."""
    if name in DEVICE_OPTIONS and isinstance(value, str) and value.startswith("file:") and value != "file:":
        return f"file:{os.path.abspath(value.removeprefix('file:'))}"
    is_path = (name == "prior" and value) or (name == "bundle" and os.sep in value)
    return os.path.abspath(value) if is_path else value


def place(values: dict[str, Any]) -> dict[str, Any]:
    """Sort read values (setting -> value) into the fields of `Show`; what is no field of it is left out."""
    show: dict[str, Any] = {}
    links = {entry.name for entry in msgspec.structs.fields(Links)}
    for name, value in values.items():
        if name in CONTROLS and CONTROLS[name].option:
            show.setdefault("controls", {})[name] = control_value(name, value)
        elif name == "record-later":
            show.setdefault("controls", {})["record"] = float(not value)
        elif name == "address":
            show.setdefault("links", {})["addresses"] = value
        elif name not in ("awake", "config"):
            row = OPTIONS[name]
            fields = show.setdefault("links", {}) if row.field in links else show
            fields[row.show_field] = "" if row.none and value == row.none else value
    if "links" in show:
        show["links"] = Links(**show["links"])
    return show
