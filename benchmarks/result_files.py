"""What a benchmark leaves: JSON, Markdown, pictures and one HTML page that holds all of it; a history by machine."""

from __future__ import annotations

import base64
import html
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HISTORY_VARIABLE = "ANTIPHON_BENCH_HISTORY"
KEPT = 2_000
"""Lines of a history; the oldest go first."""
RECENT = 10
REGRESSION = 1.10
"""A figure that is a tenth above the median of the last runs is a regression."""

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem} h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #d8dee4}
p{max-width:46rem} img{max-width:100%;height:auto;display:block}
table{border-collapse:collapse;margin:.8rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;border-bottom:1px solid #e6eaee;text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left} th{font-weight:600;background:#f6f8fa}
table.words td,table.words th{text-align:left} details{margin:2rem 0}
pre{overflow:auto;background:#f6f8fa;padding:1rem;font-size:12px}
.big{display:flex;gap:1rem 2rem;flex-wrap:wrap;margin:1rem 0} .big div{flex:1 1 9rem}
.big b{font-size:1.9rem;display:block;line-height:1.1} .big span{color:#57606a}
"""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading; "" for none.
        words: paragraphs.
        head: of its table; empty for no table.
        rows: of its table, as text.
        prose: its table holds sentences, not figures.
        png: a picture, b"" for none.
        big: figures that are shown large, each with its words.
    """

    title: str = ""
    words: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    prose: bool = False
    png: bytes = b""
    big: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ResultPage:
    """A page: its title, a line below it, its sections, and the data."""

    title: str
    line: str
    sections: tuple[Section, ...]
    data: dict[str, Any] = field(default_factory=dict)


def text_of(value: object, digits: int = 1) -> str:
    """A figure for a table; a dash for one that was not measured."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def to_markdown(page: ResultPage, picture: str = "") -> str:
    """The page as Markdown; `picture` is the file name of its pictures, which are numbered from the second on."""
    lines, count = [f"# {page.title}", "", page.line, ""], 0
    for section in page.sections:
        if section.title:
            lines += [f"## {section.title}", ""]
        for words in section.words:
            lines += [words, ""]
        if section.big:
            lines += [*(f"* **{figure}** {words}" for figure, words in section.big), ""]
        if section.head:
            marks = "|---|" + ("---|" if section.prose else "---:|") * (len(section.head) - 1)
            rows = [" | ".join(("", *row, "")).strip() for row in section.rows]
            lines += [" | ".join(("", *section.head, "")).strip(), marks, *rows, ""]
        if section.png and picture:
            count += 1
            lines += [f"![{section.title}]({numbered(picture, count)})", ""]
    return "\n".join(lines).rstrip() + "\n"


def to_html(page: ResultPage) -> str:
    """The page as one file that needs no other: pictures and data are in it."""
    body = [f"<h1>{html.escape(page.title)}</h1>", f"<p>{html.escape(page.line)}</p>"]
    for section in page.sections:
        body += _section(section)
    # "<" as an escape, so that no text in the data can end the element.
    data = json.dumps(page.data).replace("<", "\\u003c")
    body.append("<details><summary>All data, as JSON</summary><pre id=shown></pre></details>")
    body.append(f'<script type="application/json" id="data">{data}</script>')
    body.append(
        "<script>document.querySelector('details').addEventListener('toggle',()=>{document.getElementById('shown')"
        ".textContent=JSON.stringify(JSON.parse(document.getElementById('data').textContent),null,1)})</script>"
    )
    head = f'<meta charset="utf-8"><title>{html.escape(page.title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _section(section: Section) -> list[str]:
    body = [f"<h2>{html.escape(section.title)}</h2>"] if section.title else []
    body += [f"<p>{html.escape(words)}</p>" for words in section.words]
    if section.big:
        parts = (
            f"<div><b>{html.escape(value)}</b><span>{html.escape(words)}</span></div>" for value, words in section.big
        )
        body.append(f'<div class="big">{"".join(parts)}</div>')
    if section.head:
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in section.head)
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in section.rows)
        kind = ' class="words"' if section.prose else ""
        body.append(f"<table{kind}><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>")
    if section.png:
        picture = base64.b64encode(section.png).decode()
        body.append(f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{picture}">')
    return body


def numbered(name: str, count: int) -> str:
    """The file name of a page's picture: the second one of `a.png` is `a-2.png`."""
    stem, _, kind = name.rpartition(".")
    return name if count == 1 else f"{stem}-{count}.{kind}"


def leave_page(page: ResultPage, folder: Path, name: str) -> list[Path]:
    """Write `name`.json, .md, .png and .html; those of an earlier run are replaced.

    Returns:
        Their paths, the page for a person first.

    Raises:
        OSError: when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [section.png for section in page.sections if section.png]
    files = {
        f"{name}.html": to_html(page).encode(),
        f"{name}.md": to_markdown(page, f"{name}.png").encode(),
        f"{name}.json": (json.dumps(page.data, indent=1) + "\n").encode(),
        **{numbered(f"{name}.png", count): png for count, png in enumerate(pictures, 1)},
    }
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return [folder / file for file in files]


def history_path() -> Path:
    """The history of this machine's benchmarks, in the user's data folder."""
    if named := os.environ.get(HISTORY_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "antiphon" / "bench-history.jsonl"


def remember(kind: str, about: dict[str, Any], figures: dict[str, float | None], path: Path | None = None) -> list[str]:
    """Add a run to this machine's history, and compare it with the last runs under the same conditions.

    Args:
        kind: which benchmark.
        about: the conditions that must be the same for runs to be compared.
        figures: name -> value, where less is better; None for what was not measured.
        path: the history; None for this machine's.

    Returns:
        A line for each figure that was measured before; one that is a tenth worse is called a regression.
    """
    path = path or history_path()
    earlier = [row for row in read_history(path) if row["bench"] == kind and row["about"] == about][-RECENT:]
    lines = []
    for name, value in figures.items():
        known = [row["figures"][name] for row in earlier if row["figures"].get(name) is not None]
        if not known or value is None:
            continue
        middle = statistics.median(known)
        worse = value > REGRESSION * middle and value - middle > 1.0
        verdict = "a regression" if worse else "as before" if value > middle / REGRESSION else "better"
        lines.append(f"{name}: {value:.1f}, the last {len(known)} runs {middle:.1f}: {verdict}")
    rows = [*read_history(path), {"bench": kind, "about": about, "figures": figures}][-KEPT:]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        lines.append(f"the history cannot be written ({error.strerror}): {path}")
    return lines


def read_history(path: Path) -> list[dict[str, Any]]:
    """Every readable line of a history; empty where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    rows = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("figures"), dict) and {"bench", "about"} <= set(row):
            rows.append(row)
    return rows


def table_rows(figures: Sequence[tuple[str, dict[str, Any]]]) -> tuple[tuple[str, ...], ...]:
    """Rows of summaries (see `benchmarks.latency.figures.summarise`), for the head `SUMMARY_HEAD`."""
    keys = ("n", "missed", "p50", "p95", "p99", "max", "jitter")
    return tuple((name, *(text_of(summary[key]) for key in keys)) for name, summary in figures)


SUMMARY_HEAD = ("ms", "n", "missed", "p50", "p95", "p99", "max", "jitter p95−p5")
