"""Universes and patches as they are written, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import SettingError, UserError
from streaming.settings.controls import CONTROLS
from streaming.settings.options import parse
from streaming.settings.values.dmx_patch import OUTPUTS, DmxPlace, read_dmx_patch, read_dmx_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("artnet:0", DmxPlace("artnet", 0)),
        ("artnet:32767@192.168.1.50", DmxPlace("artnet", 32_767, "192.168.1.50")),
        ("sacn:1@multicast", DmxPlace("sacn", 1, "multicast")),
    ],
)
def test_places(text: str, place: DmxPlace) -> None:
    assert read_dmx_place("dmx-out", text) == place


@pytest.mark.parametrize("text", ["", "artnet", "dmx:1", "artnet:32768", "sacn:0", "artnet:0@multicast", "artnet:x"])
def test_places_that_there_are_not(text: str) -> None:
    with pytest.raises(SettingError, match="--dmx-in"):
        read_dmx_place("dmx-in", text)


def test_values_of_8_and_16_bits() -> None:
    patch = read_dmx_patch({"volume": "1", "motion": "2/16", "level": "1", "red": "511/16"})
    levels = bytearray(512)
    levels[0:3] = b"\x33\x80\x00"
    assert patch["volume"].read(bytes(levels)) == pytest.approx(0.2)
    assert patch["motion"].read(bytes(levels)) == pytest.approx(0.5, abs=1e-4)
    patch["red"].write(0.5, levels)
    patch["level"].write(7.0, levels)
    assert (bytes(levels[510:512]), levels[0]) == (b"\x80\x00", 255)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"volum": "1"}, "did you mean volume"),
        ({"voice": "1"}, "no control with a number"),
        ({"volume": "0"}, "no channel"),
        ({"volume": "513"}, "no channel"),
        ({"volume": "512/16"}, "no channel"),
        ({"volume": "1/24"}, "no channel"),
        ({"volume": "2", "motion": "1/16"}, "has channel 2, as volume has"),
    ],
)
def test_patches_that_there_are_not(patch: dict[str, str], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        read_dmx_patch(patch)


def test_no_output_has_the_name_of_a_control() -> None:
    assert not set(OUTPUTS) & set(CONTROLS)


def test_the_command_line_and_the_file(tmp_path: Path) -> None:
    show = parse(["--dmx-in", "sacn:1", "--dmx-patch", "volume=1", "--dmx-patch", "level=2"]).show
    assert (show.dmx_in, show.dmx_patch, show.lights) == ("sacn:1", {"volume": "1", "level": "2"}, True)
    file = tmp_path / "show.toml"
    file.write_text('dmx-out = "artnet:3@10.0.0.9"\ndmx-patch = ["level=1", "motion=2/16"]\n', encoding="utf-8")
    show = parse(["--config", str(file)]).show
    assert (show.dmx_out, show.dmx_patch["motion"]) == ("artnet:3@10.0.0.9", "2/16")
    assert not parse(["--dmx-in", "off"]).show.lights
    with pytest.raises(UserError, match="--allow-remote"):
        parse(["--dmx-in", "artnet:0@192.168.1.5"])
    assert parse(["--dmx-in", "artnet:0@192.168.1.5", "--allow-remote"]).show.dmx_in
    with pytest.raises(UserError, match="NAME=CHANNEL"):
        parse(["--dmx-patch", "volume"])
