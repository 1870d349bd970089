"""The patches and recipes for other programs: what they send exists, and the Pd patch talks both ways."""

from __future__ import annotations

import ast
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streaming.remote.osc_messages import (
    ERROR,
    EVENTS,
    GET,
    SUBSCRIBE,
    UNSUBSCRIBE,
    OscCall,
    address_of_control,
    pack,
    pack_bundle,
    pack_control,
    read_packet,
)
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from tests.unit.docs.scripts import ROOT, load

patches = load("patches")
FOLDER = ROOT / "docs" / "examples" / "integrations"
PAGE = ROOT / "docs" / "integrations.md"
KNOWN = {SUBSCRIBE, UNSUBSCRIBE, GET, ERROR, *EVENTS, *(address_of_control(name) for name in CONTROLS)}
FILES = [PAGE, *sorted(path for path in FOLDER.iterdir() if path.is_file())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_address_is_one_of_the_show_and_every_port_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"/antiphon/[a-z_/]*[a-z]", text))
    assert found - KNOWN == set()
    # Pd writes an address as words.
    words = re.findall(r"osc(?:format)(?: -f \w+)? (antiphon(?: [a-z_-]+)+)", text)
    assert {"/" + one.replace(" ", "/") for one in words} - KNOWN == set()
    assert found or words
    assert set(re.findall(r"\b84\d\d\b", text)) <= {Show().osc, Show().console}


def test_what_is_generated_is_up_to_date() -> None:
    assert patches.main(["--check"]) == 0, "type: make docs"


def test_a_stale_patch_is_found_and_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "FOLDER", tmp_path)
    assert patches.main(["--check"]) == 1
    assert patches.main([]) == 0
    (tmp_path / "antiphon.pd").write_text("old", encoding="utf-8")
    assert patches.main(["--check"]) == 1
    assert patches.main([]) == patches.main(["--check"]) == 0


def test_both_patches_turn_every_live_number() -> None:
    numbers = {name for name, row in CONTROLS.items() if row.live and row.kind == "number"}
    assert len(numbers) > 10
    pd = (FOLDER / "antiphon.pd").read_text(encoding="utf-8")
    assert set(re.findall(r"oscformat antiphon (\S+);", pd)) == numbers
    maximum = (FOLDER / "antiphon.maxpat").read_text(encoding="utf-8")
    assert set(re.findall(r"prepend /antiphon/(\w+)", maximum)) == numbers


def test_the_lines_of_the_pd_patch_join_what_there_is() -> None:
    rows = (FOLDER / "antiphon.pd").read_text(encoding="utf-8").replace("\n", " ").split(";")
    items = [row for row in rows if row.strip().startswith("#X") and "#X connect" not in row]
    joined = [tuple(map(int, row.split()[2:6])) for row in rows if "#X connect" in row]
    assert len(joined) > 50
    for source, _, target, _ in joined:
        assert source != target
        assert max(source, target) < len(items)


def test_the_lines_of_the_max_patch_join_what_there_is() -> None:
    patcher = json.loads((FOLDER / "antiphon.maxpat").read_text(encoding="utf-8"))["patcher"]
    boxes = {one["box"]["id"]: one["box"] for one in patcher["boxes"]}
    assert len(boxes) == len(patcher["boxes"])
    assert len(patcher["lines"]) > 50
    for line in patcher["lines"]:
        (source, outlet), (target, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[target]["numinlets"]


CHECK = """#N canvas 0 0 300 300 10;
#X obj 10 10 r antiphon-onset;
#X obj 10 40 print onset;
#X obj 110 10 r antiphon-is-volume;
#X obj 110 40 print volume;
#X connect 0 0 1 0;
#X connect 2 0 3 0;
"""


@pytest.mark.skipif(shutil.which("pd") is None, reason="Pd is not installed: sudo apt install puredata-core")
def test_pd_loads_the_patch_and_talks_both_ways(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as show, socket.socket(type=socket.SOCK_DGRAM) as free:
        show.bind(("127.0.0.1", 0))
        show.settimeout(20.0)
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
        free.close()
        text = (FOLDER / "antiphon.pd").read_text(encoding="utf-8")
        text = re.sub(rf"\b{patches.SHOW_PORT}\b", str(show.getsockname()[1]), text)
        (tmp_path / "antiphon.pd").write_text(re.sub(rf"\b{patches.OWN_PORT}\b", str(own), text), encoding="utf-8")
        (tmp_path / "check.pd").write_text(CHECK, encoding="utf-8")
        command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", "antiphon.pd", "-open", "check.pd"]
        command += ["-send", "antiphon-set-volume -6"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as pd:
            try:
                heard = [call for _ in range(2) for call in read_packet(show.recv(9_999))]
                show.sendto(pack_bundle([pack("/antiphon/out/onset", 0.5)]), ("127.0.0.1", own))
                show.sendto(pack_control("volume", -9.0), ("127.0.0.1", own))
                # The patch's slider follows and does not send it back.
                show.settimeout(1.0)
                with pytest.raises(TimeoutError):
                    show.recv(9_999)
            finally:
                pd.terminate()
            _, said = pd.communicate(timeout=20)
    assert OscCall("/antiphon/volume", (-6.0,)) in heard
    assert OscCall("/antiphon/subscribe", (own,)) in heard
    assert sorted(said.split("\n")) == ["", "onset: 0.5", "volume: -9"], said


class FakeTable:
    """A Table DAT: rows by their first cell."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    def row(self, name: str) -> list[Any] | None:
        return [name, self.rows[name]] if name in self.rows else None

    def appendRow(self, cells: list[Any]) -> None:  # noqa: N802 - TouchDesigner's name
        self.rows[cells[0]] = cells[1]

    def __setitem__(self, place: tuple[str, int], value: Any) -> None:
        self.rows[place[0]] = value


class FakePart:
    """Whatever else a component has: it notes what it is asked to do."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any]]] = []
        self.pulses: list[float] = []
        self.par = self.value0 = self

    def sendOSC(self, address: str, values: list[Any]) -> None:  # noqa: N802 - TouchDesigner's name
        self.sent.append((address, values))

    def pulse(self, value: float, frames: int) -> None:
        self.pulses.append(value)


class FakeComponent:
    """A component and its parts by name; also the DAT inside it."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {
            "antiphon_values": FakeTable(),
            "antiphon_out": FakePart(),
            "antiphon_onset": FakePart(),
        }

    def op(self, name: str) -> Any:
        return self.parts[name]

    def parent(self) -> FakeComponent:
        return self


def test_the_callbacks_of_touchdesigner_keep_values_and_turn_controls() -> None:
    names: dict[str, Any] = {}
    source = (FOLDER / "touchdesigner_callbacks.py").read_text(encoding="utf-8")
    exec(compile(ast.parse(source), "callbacks", "exec"), names)
    component = FakeComponent()
    names["subscribe"](component)
    names["set_control"](component, "imagination", 0.4)
    assert component.op("antiphon_out").sent == [(SUBSCRIBE, [9001]), ("/antiphon/imagination", [0.4])]
    for address, value in (("/antiphon/out/level", -20.0), ("/antiphon/out/level", -9.0), ("/antiphon/out/onset", 0.7)):
        names["onReceiveOSC"](component, 0, "", b"", 0.0, address, [value], None)
    assert component.op("antiphon_values").rows == {"/antiphon/out/level": -9.0, "/antiphon/out/onset": 0.7}
    assert component.op("antiphon_onset").pulses == [0.7]
