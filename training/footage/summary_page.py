"""The summary page of a data set: every item in figures, and what was refused and why."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from training.footage.dataset import SPLITS, item_facts, read_about

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1c1c1e }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600 }
td, th { padding: .35rem .6rem; border-top: 1px solid #d8d8dc; vertical-align: top }
img { display: block; height: 72px }
.n { text-align: right; font-variant-numeric: tabular-nums } .odd { color: #9a4a00 } small { color: #6b6b70 }
"""
DOUBTFUL_MS = 80.0
SURE = 4.0


def write_summary(folder: Path) -> Path:
    """Write `summary.html` of a data set; it needs no other file."""
    about, facts = read_about(folder), list(item_facts(folder))
    ready = [f for f in facts if f["status"] == "ready"]
    refused_facts = [f for f in facts if f["status"] != "ready"]
    seconds = {split: sum(f["seconds"] for f in ready if about["splits"].get(f["group"]) == split) for split in SPLITS}
    lengths = ", ".join(f"{split} {value / 60:.1f} min" for split, value in seconds.items())
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{html.escape(folder.name)}</title><style>{STYLE}</style>",
        f"<h1>{html.escape(folder.name)}</h1>",
        f"<p>{len(ready)} items, {sum(seconds.values()) / 60:.1f} min ({lengths}); {len(refused_facts)} refused. "
        f"Prepared with the bundle <b>{html.escape(str(about['bundle']))}</b>.</p>",
    ]
    if refused_facts:
        rows = "".join(f"<tr><td>{html.escape(f['source'])}<td>{html.escape(f['why'])}" for f in refused_facts)
        parts.append(f"<h2>Refused</h2><table><tr><th>file<th>why{rows}</table>")
    parts.append(
        "<h2>Items</h2><table><tr><th>pictures<th>item<th>split<th class=n>length<th>stored as"
        "<th class=n>level, peak<th class=n>silent<th class=n>sound after movement"
    )
    parts += [_row(folder, f, about["splits"].get(f["group"], "")) for f in ready]
    parts.append(
        "</table><p><small>Sound after movement: the lag at which onsets follow changes of movement best, in steps of "
        "40 ms, and how far it stands out in standard deviations; below 3 it says nothing.</small></p>\n"
    )
    path = folder / "summary.html"
    # A file's name may be no text in UTF-8.
    path.write_text("\n".join(parts), encoding="utf-8", errors="backslashreplace")
    return path


def _row(folder: Path, facts: dict[str, Any], split: str) -> str:
    levels = facts["levels"]
    thumbs = folder / "thumbs" / f"{facts['name']}.jpg"
    image = ""
    if thumbs.exists():
        data = base64.b64encode(thumbs.read_bytes()).decode()
        image = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    notes = "".join(f"<br><span class=odd>{html.escape(note)}</span>" for note in facts["notes"])
    offset, sure = facts["offset_ms"], facts["offset_confidence"]
    odd = " odd" if offset is not None and abs(offset) > DOUBTFUL_MS and sure > SURE else ""
    offset_text = "" if offset is None else f"{offset:+.0f} ms ({sure:.1f})"
    format_text = f"{facts['width']}x{facts['height']}, {facts['rate_hz']:.2f} fps, {facts['samplerate']} Hz"
    return (
        f"<tr><td>{image}<td>{html.escape(facts['name'])}{notes}<td>{split}<td class=n>{facts['seconds']:.1f} s"
        f"<td>{format_text}<td class=n>{levels['rms_db']:.0f}, {levels['peak_db']:.0f} dB"
        f"<td class=n>{100 * levels['silent_share']:.0f} %<td class='n{odd}'>{offset_text}"
    )
