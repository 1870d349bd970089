"""Writes the Pd and the Max patch from the table of controls: `python -m docs.patches [--check]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streaming.remote.osc_messages import EVENTS, ROOT, SUBSCRIBE, address_of_control
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.system.generated_pages import write_or_check

FOLDER = Path(__file__).resolve().parent / "examples" / "integrations"
SHOW_PORT = int(Show().osc)
OWN_PORT = 9001
"""At which the patches listen."""
RENEW_MS = 30_000
"""A listener is forgotten after a minute."""
ROW = 44


def turned() -> list[ControlSpec]:
    """The controls that a patch turns: all live numbers."""
    return [row for row in CONTROLS.values() if row.live and row.kind == "number"]


def event_names() -> list[str]:
    """The last parts of the events' addresses."""
    return [address.rpartition("/")[2] for address in EVENTS]


@dataclass
class PdPatch:
    """A Pd patch: objects in order, then the lines between them."""

    items: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, kind: str, x: int, y: int, text: str) -> int:
        """Add an object (`obj`, `msg`, `floatatom`, `text`); returns its number."""
        self.items.append(f"#X {kind} {x} {y} {text};")
        return len(self.items) - 1

    def join(self, *path: tuple[int, int, int, int]) -> None:
        """Draw lines: (from, outlet, to, inlet) each."""
        self.lines += [f"#X connect {a} {outlet} {b} {inlet};" for a, outlet, b, inlet in path]

    def text(self) -> str:
        """The file."""
        return "\n".join(["#N canvas 60 60 980 720 11;", *self.items, *self.lines]) + "\n"


def pd_patch() -> str:
    """The Pd patch (Pd 0.51 or newer, no externals)."""
    patch = PdPatch()
    patch.add("text", 20, 8, f"Antiphon: its controls by OSC at port {SHOW_PORT} \\, and what it plays at {OWN_PORT}")
    _pd_link(patch)
    _pd_ears(patch)
    for number, row in enumerate(turned()):
        _pd_control(patch, row, 20 + 330 * (number % 2), 330 + ROW * (number // 2))
    return patch.text()


def _pd_link(patch: PdPatch) -> None:
    begin = patch.add("obj", 20, 40, "loadbang")
    connect = patch.add("msg", 20, 66, f"connect 127.0.0.1 {SHOW_PORT}")
    wait = patch.add("obj", 200, 66, "delay 100")
    beat = patch.add("obj", 200, 92, f"metro {RENEW_MS}")
    port = patch.add("msg", 200, 118, str(OWN_PORT))
    subscribe = patch.add("obj", 200, 144, "oscformat -f i " + " ".join(SUBSCRIBE.strip("/").split("/")))
    send = patch.add("obj", 20, 118, "r antiphon-send")
    prepend = patch.add("obj", 20, 170, "list prepend send")
    trim = patch.add("obj", 20, 196, "list trim")
    out = patch.add("obj", 20, 222, "netsend -u -b")
    patch.join(
        (begin, 0, connect, 0), (connect, 0, out, 0), (begin, 0, wait, 0), (wait, 0, beat, 0), (beat, 0, port, 0)
    )
    patch.join((port, 0, subscribe, 0), (subscribe, 0, prepend, 0), (send, 0, prepend, 0))
    patch.join((prepend, 0, trim, 0), (trim, 0, out, 0))


def _pd_ears(patch: PdPatch) -> None:
    receive = patch.add("obj", 430, 40, f"netreceive -u -b {OWN_PORT}")
    parse = patch.add("obj", 430, 66, "oscparse")
    trim = patch.add("obj", 430, 92, "list trim")
    root = patch.add("obj", 430, 118, f"route {ROOT.strip('/')}")
    names = [row.name for row in turned()]
    kinds = patch.add("obj", 430, 144, f"route out error {' '.join(names)}")
    events = patch.add("obj", 430, 196, f"route {' '.join(event_names())}")
    refused = patch.add("obj", 760, 196, "print refused")
    patch.join((receive, 0, parse, 0), (parse, 0, trim, 0), (trim, 0, root, 0), (root, 0, kinds, 0))
    patch.join((kinds, 0, events, 0), (kinds, 1, refused, 0))
    for place, name in enumerate(event_names()):
        shown = patch.add("floatatom", 430 + 110 * place, 240, f"9 0 0 0 {name} - - 0")
        sent = patch.add("obj", 430 + 110 * place, 266, f"s antiphon-{name}")
        patch.join((events, place, shown, 0), (events, place, sent, 0))
    for place, name in enumerate(names):
        echo = patch.add("obj", 760, 330 + 22 * place, f"s antiphon-is-{name}")
        patch.join((kinds, 2 + place, echo, 0))


def _pd_control(patch: PdPatch, row: ControlSpec, x: int, y: int) -> None:
    look = "-262144 -1 -1 0 1"
    if row.is_switch:
        knob = patch.add("obj", x, y, f"tgl 16 0 empty empty {row.name} 20 8 0 11 {look}")
    else:
        scale = f"hsl 128 15 {row.low:g} {row.high:g} 0 0 empty empty {row.name} 2 -8 0 11"
        knob = patch.add("obj", x, y, f"{scale} {look}")
    told = patch.add("obj", x + 140, y - 20, f"r antiphon-is-{row.name}")
    follow = patch.add("msg", x + 140, y, "set \\$1")
    asked = patch.add("obj", x + 190, y, f"r antiphon-set-{row.name}")
    message = patch.add(
        "obj", x + 20, y + 20, "oscformat " + " ".join(address_of_control(row.name).strip("/").split("/"))
    )
    send = patch.add("obj", x + 200, y + 20, "s antiphon-send")
    patch.join((told, 0, follow, 0), (follow, 0, knob, 0), (knob, 0, message, 0), (asked, 0, message, 0))
    patch.join((message, 0, send, 0))


@dataclass
class MaxPatch:
    """A Max patch: boxes, and the lines between them."""

    boxes: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, text: str, x: int, y: int, *, kind: str = "newobj", ins: int = 1, outs: int = 1, **more: Any) -> str:
        """Add a box; returns its name."""
        name = f"obj-{len(self.boxes) + 1}"
        box = {"id": name, "maxclass": kind, "numinlets": ins, "numoutlets": outs}
        box |= {"patching_rect": [x, y, more.pop("width", 130), 22], "outlettype": [""] * outs}
        if text:
            box["text"] = text
        self.boxes.append({"box": box | more})
        return name

    def join(self, *path: tuple[str, int, str, int]) -> None:
        """Draw lines: (from, outlet, to, inlet) each."""
        for source, outlet, target, inlet in path:
            self.lines.append({"patchline": {"source": [source, outlet], "destination": [target, inlet]}})

    def text(self) -> str:
        """The file."""
        version = {"major": 8, "minor": 0, "revision": 0, "architecture": "x64", "modernui": 1}
        patcher = {"fileversion": 1, "appversion": version, "rect": [60.0, 90.0, 980.0, 720.0]}
        return json.dumps({"patcher": patcher | {"boxes": self.boxes, "lines": self.lines}}, indent=1) + "\n"


def max_patch() -> str:
    """The Max patch (Max 8 or newer, no packages)."""
    patch = MaxPatch()
    words = f"Antiphon: its controls by OSC at port {SHOW_PORT}, and what it plays at {OWN_PORT}"
    patch.add(words, 20, 10, kind="comment", outs=0, width=520)
    out = patch.add(f"udpsend 127.0.0.1 {SHOW_PORT}", 20, 210, outs=0, width=160)
    begin = patch.add("loadbang", 20, 50)
    beat = patch.add(f"metro {RENEW_MS} @active 1", 20, 90, ins=2, width=160)
    subscribe = patch.add(f"{SUBSCRIBE} {OWN_PORT}", 20, 130, kind="message", ins=2, width=190)
    patch.join((begin, 0, subscribe, 0), (beat, 0, subscribe, 0), (subscribe, 0, out, 0))
    receive = patch.add(f"udpreceive {OWN_PORT}", 430, 50, width=130)
    rows = turned()
    addresses = [*EVENTS, *(address_of_control(row.name) for row in rows)]
    route = patch.add("route " + " ".join(addresses), 430, 90, outs=len(addresses) + 1, width=520)
    patch.join((receive, 0, route, 0))
    for place, name in enumerate(event_names()):
        shown = patch.add("", 430 + 120 * place, 130, kind="flonum", outs=2, width=70)
        label = patch.add(f"s antiphon-{name}", 430 + 120 * place, 160, outs=0, width=115)
        patch.join((route, place, shown, 0), (route, place, label, 0))
    for number, row in enumerate(rows):
        x, y = 20 + 330 * (number % 2), 270 + ROW * (number // 2)
        patch.add(f"{row.name}, {row.range_text()}", x, y, kind="comment", outs=0, width=200)
        if row.is_switch:
            knob = patch.add("", x, y + 20, kind="toggle", width=22)
        else:
            ends = {"minimum": row.low, "maximum": row.high}
            knob = patch.add("", x, y + 20, kind="flonum", outs=2, width=70, **ends)
        follow = patch.add("prepend set", x + 200, y, width=80)
        message = patch.add(f"prepend {address_of_control(row.name)}", x + 80, y + 20, width=200)
        patch.join((route, len(EVENTS) + number, follow, 0), (follow, 0, knob, 0), (knob, 0, message, 0))
        patch.join((message, 0, out, 0))
    return patch.text()


FILES = {"antiphon.pd": pd_patch, "antiphon.maxpat": max_patch}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the patches, or with `--check` only compare them; returns the exit status."""
    return write_or_check("docs.patches", {FOLDER / name: make for name, make in FILES.items()}, arguments)


if __name__ == "__main__":
    sys.exit(main())
