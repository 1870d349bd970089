"""Writes docs/show-control.md from the tables: `python -m`, this module, and maybe `--check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.remote.osc_messages import EVENTS, address_of_control
from streaming.remote.show_control.lights import artnet, sacn
from streaming.remote.show_control.lights.artnet_poll import MOST_DESKS, SHORT_NAME
from streaming.remote.show_control.lights.light_looks import FLASH_NS, FLOOR_DB
from streaming.remote.show_control.lights.universe_reader import SILENT_NS
from streaming.remote.show_control.tempo.beat_finder import HIGHEST, LOWEST
from streaming.remote.show_control.tempo.midi_clock import LOST_S, PULSES
from streaming.remote.show_control.timecode.cue_chase import COAST_NS, JUMP_S
from streaming.remote.show_control.timecode.timecode import NAMES
from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.settings.values.dmx_patch import OUTPUTS
from streaming.system.generated_pages import in_table, write_or_check

PAGE = Path(__file__).resolve().parents[3] / "docs" / "show-control.md"
HEAD = """# Show control

<!-- Made by `python -m streaming.remote.show_control.show_control_docs`; change `streaming/remote/`, not this page. -->

For a show among other desks: light by DMX, timecode, a common tempo. [OSC](osc.md) has a page of its own, and so has
the [console](console.md).

## One name everywhere

A control has the same name on the command line, in the settings file, in `run_live.py set`, on the console, in OSC, for
MIDI's `learn` and in a DMX patch. Controls that are words have no knob and no fader.

| name | OSC | MIDI | DMX | range |
|---|---|---|---|---|
"""
TEXT = f"""
## Light desks, in

```
python run_live.py --dmx-in artnet:0 --dmx-patch volume=1 --dmx-patch motion=2/16
```

`artnet:UNIVERSE` is heard at UDP port {artnet.PORT} (Art-Net 4, ArtDmx), `sacn:UNIVERSE` at port {sacn.PORT} (E1.31).
Without more only this machine is heard. `--dmx-in sacn:1@192.168.1.20 --allow-remote` listens at an address of this
machine, `--dmx-in sacn:1@multicast --allow-remote` joins the universe's group. DMX has no passwords: use a
network that you trust.

A channel sets its control when it moves; where it stands at first says nothing. `motion=2/16` takes channels 2 and 3 as
one value of 16 bits. Of several sources the one of the highest priority counts, of equal ones the first, until it is
silent for {SILENT_NS / 1e9:g} s. Damaged packets are counted, said once and passed over.

A desk that looks for Art-Net nodes finds the show as "{SHORT_NAME}": ArtPoll is answered with an ArtPollReply for the
universe of `--dmx-in`, and one for that of `--dmx-out` where it is Art-Net too. At most {MOST_DESKS} desks are
answered, each at most once a second. Desks look by broadcast, and on Linux a socket at one address hears no broadcast.
So that such a desk finds the show, listen at every address: `--dmx-in artnet:0@0.0.0.0 --allow-remote`. With
`--dmx-out` alone the show is not found. No real light desk has been tried.

## Light, out

```
python run_live.py --dmx-out sacn:1@multicast --dmx-patch level=1 --dmx-patch onset=2 --dmx-patch red=3
```

| name | what it is |
|---|---|
"""
TIMECODE = f"""
25 times a second, and at once for an onset. Level, onset and pitch go out when their sound leaves the audio device.
An onset's light fades within {FLASH_NS / 1e9:.2f} s; the level begins at {FLOOR_DB:g} dB.

In the settings file:

```toml
dmx-in = "artnet:0"
dmx-out = "artnet:1@192.168.1.50"
dmx-patch = ["volume=1", "motion=2/16", "level=1", "onset=2", "red=3", "green=4", "blue=5"]
```

## Timecode and cues

A cue of the [console](console.md)'s list may have a timecode, `HH:MM:SS:FF`; then it goes by itself when that is
reached. Without a timecode it goes by hand, or by a MIDI program change: program 1 is the first cue.

| option | where the timecode comes from |
|---|---|
| `--timecode mtc --midi PORT` | MIDI timecode: quarter frames and full frames |
| `--timecode ltc:DEVICE` | linear timecode on an audio input, by its number or name |
| `--timecode ltc:DEVICE#CHANNEL` | the same on one channel of it |
| `--timecode ltc:file:PATH` | a sound file, which begins with the show |

Rates: {", ".join(NAMES)} frames a second. LTC may run at half to double speed, and backwards; nothing goes while it
runs backwards. After a jump of more than {JUMP_S:g} s, and where the timecode begins, the last cue before that place
goes, so a rehearsal may begin anywhere. A timecode that is lost is taken to go on for {COAST_NS / 1e9:g} s.

## Tempo

`--midi-clock` sends {PULSES} pulses a beat to the port of `--midi`, start and stop. The tempo is that of the control
`tempo`, or while it is `auto` that of what is heard, {LOWEST:g} to {HIGHEST:g} beats a minute. Each pulse goes when its
moment leaves the audio device. Where no beat is clear for {LOST_S:g} s it stops.

`--link` joins an Ableton Link session (`pip install -e ".[link]"`; Link itself is under the GPL). The session's
tempo sets `tempo`, and a tempo that a hand sets is the session's. The audio device's clock says which beat is heard, so
no latency is to be set by hand. The beat's phase is measured (`link_beat` in the report), but nothing is moved by it.
"""


def render() -> str:
    """The whole page."""
    rows = "".join(_line(row) for row in CONTROLS.values() if row.live)
    outputs = "".join(f"| `{name}` | {words} |\n" for name, words in OUTPUTS.items())
    said = ", ".join(f"`{address}`" for address in EVENTS)
    return HEAD + rows + TEXT + outputs + TIMECODE + f"\nOSC says {said} besides.\n"


def _line(row: ControlSpec) -> str:
    is_number = row.kind == "number"
    midi, dmx = ("a knob", f"`{row.name}=CHANNEL`") if is_number else ("–", "–")
    return f"| `{row.name}` | `{address_of_control(row.name)}` | {midi} | {dmx} | {in_table(row.range_text())} |\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("streaming.remote.show_control.show_control_docs", {PAGE: render}, arguments)


if __name__ == "__main__":
    sys.exit(main())
