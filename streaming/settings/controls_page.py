"""Writes docs/controls.md from the table of controls: `python -m streaming.settings.controls_page [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.settings.setting import LOOKING, PATCHING, RECORDING, SOUNDING
from streaming.system.generated_pages import in_table, write_or_check

PAGE = Path(__file__).resolve().parents[2] / "docs" / "controls.md"
HEAD = """# Live controls

<!-- Made by `python -m streaming.settings.controls_page`; change `streaming/settings/controls.py`, not this page. -->

Every control is an option (`--temperature 0.7`) and a key of a [TOML file](command-line.md) (`temperature = 0.7`), but
those of which it is said otherwise. While a show runs it changes at once:

```
python run_live.py set                      # lists the controls of the show that runs
python run_live.py set temperature 0.7      # changes one
```
"""


def render() -> str:
    """The whole page."""
    return HEAD + "".join(_section(group) for group in (SOUNDING, LOOKING, PATCHING, RECORDING))


def _section(group: str) -> str:
    rows = [row for row in CONTROLS.values() if row.group == group]
    lines = [
        "",
        f"## {group[0].upper()}{group[1:]}",
        "",
        "| control | range | default | step | obeyed by |",
        "|---|---|---|---|---|",
        *(_line(row) for row in rows),
    ]
    for row in rows:
        lines += ["", f"### {row.name}", "", f"{row.words[0].upper()}{row.words[1:]}.", *_ends(row)]
    return "\n".join(lines) + "\n"


def _line(row: ControlSpec) -> str:
    step = row.display(row.step) if row.kind == "number" else "–"
    stages = ", ".join(f"`{stage}`" for stage in row.stages)
    return f"| [`{row.name}`](#{row.name}) | {in_table(row.range_text())} | {row.default_text()} | {step} | {stages} |"


def _ends(row: ControlSpec) -> list[str]:
    lines = [
        *([f"* At {row.display(row.low)}: {row.at_low}."] if row.at_low else []),
        *([f"* At {row.display(row.high)}: {row.at_high}."] if row.at_high else []),
        *([f"* Less is refused: {row.below}."] if row.below else []),
        *([] if row.option else ["* No option sets its first value."]),
        *([] if row.live else ["* It cannot be changed while a show runs."]),
    ]
    return ["", *lines] if lines else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; returns the exit status."""
    return write_or_check("streaming.settings.controls_page", {PAGE: render}, arguments)


if __name__ == "__main__":
    sys.exit(main())
