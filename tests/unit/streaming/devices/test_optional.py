"""The table of optional parts: one with the extras of pyproject.toml and with the devices that need them."""

from __future__ import annotations

import sys
import tomllib
import types

import pytest

from streaming.devices.midi.ports import describe_ports
from streaming.devices.optional import OPTIONAL, OptionalPart, is_for, missing
from streaming.devices.screens.virtual_camera import describe_driver
from streaming.devices.screens.window import describe_display
from streaming.devices.sound import portaudio
from streaming.errors import UserError
from streaming.runtime.children.child_process import CHECKOUT
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Show

NOT_OF_A_SHOW = {"cpu", "eyes", "export", "gpu", "train", "frontends", "diffusers", "cluster", "docs", "dev"}
"""Extras of networks, training and building: `doctor` speaks of runtimes and eyes in lines of their own."""


def extras() -> dict[str, list[str]]:
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    found: dict[str, list[str]] = tomllib.loads(text)["project"]["optional-dependencies"]
    return found


def test_every_extra_of_a_show_is_a_row_and_every_library_an_extra() -> None:
    assert {row.name for row in OPTIONAL.values() if row.library} == set(extras()) - NOT_OF_A_SHOW
    for name, row in OPTIONAL.items():
        assert bool(row.library) == bool(row.module)
        marked = "sys_platform" in "".join(extras().get(name, []))
        assert bool(row.system) == marked, name


def test_what_devices_and_settings_need_is_a_row() -> None:
    needed = {kind.needs for option in DEVICE_OPTIONS.values() for kind in option.kinds} - {""}
    assert needed <= set(OPTIONAL)
    for row in OPTIONAL.values():
        assert not row.setting or hasattr(Show(), row.setting)
        assert row.options() or row.name == "jack"
    assert OPTIONAL["ndi"].options() == ["--camera ndi:NAME", "--screen ndi[:NAME]"]
    assert OPTIONAL["browser"].options() == ["--camera, --speaker, --microphone, --screen browser"]


def test_a_row_says_what_is_here_or_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    row = OptionalPart("toy", "toys", "Toy", "toy_library", probe="toy_library:describe")
    monkeypatch.setitem(sys.modules, "toy_library", None)
    here, problem = row.look()
    assert here == ""
    assert problem.startswith("Toy cannot be loaded (")
    assert problem.endswith('install it: pip install -e ".[toy]"')

    def broken() -> str:
        raise UserError("there is no toy", "--toy", "buy one")

    def crashed() -> str:
        raise RuntimeError("out of toys")

    for probe, answer in (
        (lambda: "2 toys", ("2 toys", "")),
        (broken, ("", "there is no toy; buy one")),
        (crashed, ("", 'Toy cannot be loaded (out of toys); install it anew: pip install -e ".[toy]"')),
    ):
        module = types.ModuleType("toy_library")
        vars(module)["describe"] = probe
        monkeypatch.setitem(sys.modules, "toy_library", module)
        assert row.look() == answer


def test_every_probe_is_there() -> None:
    for row in OPTIONAL.values():
        if row.probe:
            module, _, function = row.probe.partition(":")
            assert function in dir(__import__(module, fromlist=["_"])), row.probe


def test_a_system_has_its_own_parts_only() -> None:
    assert is_for(OPTIONAL["ndi"], "linux")
    assert is_for(OPTIONAL["spout"], "win32")
    assert not is_for(OPTIONAL["spout"], "linux")


def test_the_line_of_a_missing_library_names_its_extra() -> None:
    error = missing("link", "--link", ImportError("No module\nnamed 'link'"), "leave --link out")
    assert str(error) == (
        "--link: LinkPython-extern cannot be loaded (No module named 'link'); "
        'install it: pip install -e ".[link]"; or leave --link out'
    )


def test_drivers_and_servers_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_driver("darwin") == ""
    assert describe_driver("linux", CHECKOUT) == "v4l2loopback"
    with pytest.raises(UserError, match="modprobe v4l2loopback"):
        describe_driver("linux", CHECKOUT / "nowhere")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    if sys.platform == "linux":
        with pytest.raises(UserError, match="there is no display; use --screen web"):
            describe_display()
        monkeypatch.setenv("DISPLAY", ":7")
    assert describe_display().startswith("pygame ")
    hosts = [{"name": "ALSA"}]
    monkeypatch.setattr(portaudio, "load_sounddevice", lambda: types.SimpleNamespace(query_hostapis=lambda: hosts))
    with pytest.raises(UserError, match="no JACK server answers; start it before the show"):
        portaudio.describe_jack()
    hosts.append({"name": "JACK Audio Connection Kit"})
    assert portaudio.describe_jack() == "a server answers"


def test_midi_ports_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        def __init__(self, api: int, name: str) -> None:
            pass

        def get_ports(self) -> list[str]:
            return ["Nano", "Micro"]

        def delete(self) -> None:
            pass

    module = types.ModuleType("rtmidi")
    vars(module).update(MidiIn=Port, MidiOut=Port, RtMidiError=OSError, API_UNIX_JACK=1, API_UNSPECIFIED=0)
    monkeypatch.setitem(sys.modules, "rtmidi", module)
    assert describe_ports() == "Nano, Micro, virtual"
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(UserError, match=r"python-rtmidi cannot be loaded .*leave --midi out"):
        describe_ports()
