"""Writes docs/console.md from the console's code: `python -m streaming.remote.console.console_docs [--check]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.remote.console.cue_fades import LONGEST_S
from streaming.remote.console.preset_book import FILE_NAME, MOST_CUES, MOST_PRESETS
from streaming.remote.console.prior_shelf import MAX_UPLOAD, MOST_IMAGES
from streaming.remote.console.show_watch import THUMBNAIL_SIDE
from streaming.remote.console.web_app import MOST_CLIENTS, STATIC
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from streaming.system.generated_pages import write_or_check

PAGE = Path(__file__).resolve().parents[3] / "docs" / "console.md"
PORT = Show().console
DONE = " and ".join(
    ", ".join(f"`{row.name}`" for row in CONTROLS.values() if row.live and not row.preset).rsplit(", ", 1)
)
"""The controls that no preset has."""
TEXT = f"""# Console

<!-- Made by `python -m streaming.remote.console.console_docs`; change `streaming/remote/console/`, not this page. -->

Every show serves a page at <http://127.0.0.1:{PORT}/>. It shows the camera with its flow and the tracked points, the
spectrogram, the levels, the pictures, the latency with its tail, what was lost, and every process. It sets every
[live control](controls.md). Nothing is fetched from elsewhere, so it works without a network.

`--console 9000` takes another port, `--console off` none.

![The console of a show in both directions](console.jpg)

## Views

| address | what it shows |
|---|---|
| `#console` | everything, on a wide screen or on a phone |
| `#stage` | large meters, the latency, what was lost, the next cue |
| `#performance` | the pictures alone, at their full size and rate; a click fills the screen |

## Keys

| key | what it does |
|---|---|
"""
REST = f"""
## Presets and cues

A preset is a named set of all controls but {DONE}. A cue is a preset and the time that its numbers take to get
there, 0 to {LONGEST_S:g} s. Words, as the voice and the prior image, change at once. `mute` and `blackout` wait for the
end of a fade when they go on, and come first when they go off. A control that a hand moves leaves the fade. A cue
that has a timecode goes by itself when that is reached; see [show control](show-control.md#timecode-and-cues).

Up to {MOST_PRESETS} presets and {MOST_CUES} cues are kept in `~/.config/antiphon/{FILE_NAME}`, or in the folder that
`ANTIPHON_CONFIG` names.

## Prior images

The shelf is the folder `~/.local/share/antiphon/priors`, or `priors` in the folder that `ANTIPHON_DATA` names. An image
that is dropped onto the page is checked, kept there and loaded: PNG, JPEG, WebP, TIFF or BMP of at most
{MAX_UPLOAD // 1_000_000} MB, {MOST_IMAGES} images in all. The page chooses images by their names on the shelf and by
nothing else.

## Panic, freeze and blackout

All three are [controls](controls.md), so OSC, MIDI and `run_live.py set` have them too.

Panic ends all fades. It is silence within one tick (40 ms), whatever `fade` and `mute` are, and the networks of sound
and motion begin anew. The second time the music is heard again. Freeze holds the picture as it is; the second time it
goes on from where the music has moved it, and so does a preset. Blackout fades the pictures to black in the time of
`fade`, but at least 0.2 s; the music plays on.

## Takes

`R` ends the take that is recorded, and begins a new one. OSC (`/antiphon/record 1`) and `run_live.py set record 1`
do the same. A take is a film and the tokens of every tick, which `run_live.py replay` plays again. When it ends,
the notes say how long and how large it is, and how large all takes in the folder are. While nothing is recorded,
the recorder reads nothing. `--record-later` begins a show without a take. `--keep-takes 20` keeps the newest 20
takes, `--keep-takes 50GB` as many as fit: the oldest are removed when a take begins, when it ends, and every
minute. Files whose names are not those of takes are never touched. A show with `--record none` has no takes.

## Another bundle

The control `bundle` changes the networks of a show that runs. Each stage that uses them gets a successor, which
opens the new networks while the old stage plays on. When all are prepared, the old ones close and the new ones take
their places at once; the ticks between are concealed, and the picture stands. On two cores under load, 3 to 6 ticks
were concealed at each of four changes, and the networks were prepared in 0.7 to 1.6 s. If one successor fails,
nothing happens, and the console says why. The notes say how long it took. The page offers the bundles that the
program comes with; `run_live.py set bundle DIR` and OSC take any folder. The take that is recorded ends, and
another one begins.

## Tap tempo

Two taps of `T` or more, on the beat, set `tempo`: the mean of the last eight intervals. Things then set off by
`lead` ahead of that beat as soon as one beat was heard; with `auto` a beat must have been heard twice, and found. A
tempo by which nothing comes true is not believed, whoever tapped it. OSC taps at `/antiphon/tap`.

## From another machine

`--console 192.168.1.20:{PORT} --allow-remote` lets other machines of a network open the page. The show prints an
address with a token that is new for each show; `--console-token` gives a token of your own, which is not printed.

The connection is encrypted with a certificate of your own, `--console-cert FILE --console-key FILE`; without one, use a
network that you trust. A certificate for yourself, which the browser asks about once:

```
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=stage -keyout console-key.pem -out console-cert.pem
```

Requests by another name than this machine's, and requests by pages of other sites, are refused.

## What it costs

While no browser is connected, the console reads nothing of the show. At most {MOST_CLIENTS} browsers are connected at
once. Each is sent the newest of everything: a slow one misses pictures and delays nobody. Small pictures have at most
{THUMBNAIL_SIDE} pixels along the longer side, 10 times a second.
"""


def render() -> str:
    """The whole page."""
    return TEXT + "".join(f"| `{key}` | {words} |\n" for key, words in keys()) + REST


def keys() -> list[tuple[str, str]]:
    """Every key of the page with what it does."""
    text = (STATIC / "main.js").read_text(encoding="utf-8").replace("${CALIBRATE_S}", "5")
    return re.findall(r'^  \["([^"]+)", ["`]([^"`]+)["`], ', text, re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("streaming.remote.console.console_docs", {PAGE: render}, arguments)


if __name__ == "__main__":
    sys.exit(main())
