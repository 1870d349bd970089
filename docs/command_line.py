"""Writes docs/command-line.md, what the program says of its options: `python -m docs.command_line [--check]`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.system.generated_pages import write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "command-line.md"
HEAD = """# Command line

<!-- Made by `python -m docs.command_line`; change the help texts in `streaming/settings/`, not this page. -->

`run_live.py` is the instrument. Everything else prepares it. Live controls have [a page of their own](controls.md).

| command | what it does |
|---|---|
| `python run_live.py` | performs; see below |
| `python run_live.py doctor` | what is here, what would be used, what is missing and how to get it |
| `python run_live.py set …` | changes a live control of the show that runs |
| `python run_live.py config` | prints a TOML file with every setting, its range and its default, for `--config` |
| `python run_live.py scene IMAGE` | shows what a prior image is cut into and how it moves; says how to correct it |
| `python run_live.py bench …` | measures it: [latency](latency-bench.md), budget, [soak](soak.md), compare, engines … |
| `python -m export BUNDLE` | builds a bundle's engines for this machine: [bundles](bundles.md) |
| `python -m training.prepare FOLDER --out DATASET` | makes a data set of your footage: [training](training.md) |
| `python -m training.train NETWORK --out BUNDLE` | trains one network of a bundle |
| `python -m training.evaluate WHAT` | scores a bundle, each figure beside its controls |
| `python -m training.adopt WHAT NAME_OR_FILE --out BUNDLE` | puts a published network into a bundle |

Each of them explains its options with `--help`.
"""
TAIL = """
## A show in a file

`python run_live.py config` prints a TOML file with every setting, each with its range and default. Copy it, change it,
and give it to `--config`. The command line wins over the file.

```toml
direction = "music-to-video"
prior = "harbour.jpg"
screen = "window:1"
imagination = 0.4
```

## Exit status

| status | meaning |
|---|---|
| 0 | a performance that ran and closed cleanly |
| 2 | bad arguments or unusable inputs; one line says what, where, and how to fix it |
| 1 | anything else |

## The report

`--report r.json` writes one JSON object. A field that was not measured is null, never 0.

| field | what it holds |
|---|---|
| `schema`, `version`, `host`, `backend`, `bundle`, `direction`, `duration_s` | what ran, on what |
| `eyes` | what found the player's body and hands; null where nothing looked |
| `playing` | the kind of player that was played last, and who knows it; null where nothing played |
| `ticks` | expected, played, concealed |
| `audio` | samples played, underruns, device, sample rate |
| `devices_lost` | for each device that had gone: how often it went and came back, seconds away |
| `pictures` | expected, shown, missed; `given_up`: those of the missed ones that were left out under load |
| `load` | what was given up under load: `level` at the end, `highest`, `changes` (seconds, level), `given_up_s` |
| `fps`, `tokens_per_s` | rates of camera, motion, picture, screen and tokens |
| `motion_to_sound_ms`, `sound_to_picture_ms` | n, p50, p95, p99, max |
| `stages` | for each: step times, drops, restarts, CPU, memory, and what it opened (`info`) |
"""


def help_of(*arguments: str) -> str:
    """What the program prints for `--help`, 92 columns wide."""
    command = [sys.executable, str(ROOT / "run_live.py"), *arguments, "--help"]
    environment = {**os.environ, "COLUMNS": "92", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout


def page() -> str:
    """The whole page."""
    blocks = "".join(
        f"\n## {title}\n\n```\n{help_of(*arguments).rstrip()}\n```\n"
        for title, arguments in (
            ("Performing", ()),
            ("Live controls of a running show", ("set",)),
            ("The scene of an image", ("scene",)),
        )
    )
    return HEAD + blocks + TAIL


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it, up to line breaks; returns the exit status."""
    # argparse of another Python breaks its lines elsewhere.
    return write_or_check("docs.command_line", {PAGE: page}, arguments, content=str.split)


if __name__ == "__main__":
    sys.exit(main())
