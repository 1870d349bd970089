"""Writes docs/osc.md from the tables: `python -m streaming.remote.osc_page [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.remote.osc_messages import ERROR, EVENTS, GET, SUBSCRIBE, TAP, UNSUBSCRIBE, address_of_control
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.system.generated_pages import in_table, write_or_check

PAGE = Path(__file__).resolve().parents[2] / "docs" / "osc.md"
HEAD = f"""# OSC

<!-- Made by `python -m streaming.remote.osc_page`; change the tables in `streaming/`, not this page. -->

Every show listens for OSC at UDP port {Show().osc} of its own machine. `--osc 9000` takes another port, `--osc off`
none. `--osc 192.168.1.20:8421 --allow-remote` lets other machines of a network that you trust set the controls: OSC has
no passwords.

Programs that know OSCQuery find all addresses by themselves, at `http://127.0.0.1:{Show().osc}/` and by zeroconf where
the Python package `zeroconf` is installed.

## In and out: the controls

A message with one value sets a control, as `run_live.py set` does. Every change, whoever made it, is sent back on the
same address to all who listen.

| address | type | range | what it is |
|---|---|---|---|
"""
MIDDLE = f"""
## In: who listens

Whoever sends anything listens for a minute from then on, at the port that the message came from.

| address | values | what it does |
|---|---|---|
| `{SUBSCRIBE}` | port (`i`), or none | listen at that port, and be told what every control is |
| `{UNSUBSCRIBE}` | none | listen no more |
| `{GET}` | none | be told what every control is |

## In: a tap

| address | values | what it does |
|---|---|---|
| `{TAP}` | none, or anything but 0 | a tap on the beat: two or more set `tempo`; 2.5 s without one begin anew |

## Out: what is played

Each comes in a bundle. Its time tag is when the sound leaves the audio device, by this machine's clock: it lies some
milliseconds ahead, so that lights and pictures can be on time.

| address | type | what it is |
|---|---|---|
"""
TAIL = f"| `{ERROR}` | `ss` | what was refused, and why (at once) |\n"


def render() -> str:
    """The whole page."""
    controls = "".join(_line(row) for row in CONTROLS.values())
    events = "".join(f"| `{address}` | `{event.tag}` | {event.words} |\n" for address, event in EVENTS.items())
    return HEAD + controls + MIDDLE + events + TAIL


def _line(row: ControlSpec) -> str:
    kinds = "`f`" + (" or `s`" if row.choices else "") if row.kind == "number" else "`s`"
    return f"| `{address_of_control(row.name)}` | {kinds} | {in_table(row.range_text())} | {row.words} |\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("streaming.remote.osc_page", {PAGE: render}, arguments)


if __name__ == "__main__":
    sys.exit(main())
