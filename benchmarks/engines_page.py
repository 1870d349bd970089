"""Writes what `benchmarks.engines` measured: a table in Markdown, a plot, and all of it as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "engines"
_HEAD = "| network | runtime | p50 ms | p99 ms | times torch's speed | memory MB | off by |"


def markdown(found: dict[str, Any]) -> str:
    """The table as Markdown."""
    about = found["machine"]
    on = [about["cpu"], f"{about['cores']} cores", about["gpu"]["name"] if about["gpu"] else "no GPU"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if version)
    lines = [
        "# Engines",
        "",
        "How long a tick of each network takes, by runtime and precision.",
        "`python run_live.py bench engines` measures it: all runtimes take turns, tick by tick, with inputs and",
        "output as arrays on the CPU.",
        "",
        f"Bundle `{found['bundle']}` on {', '.join(on)}; {versions}; {found['at']}.",
        "",
        "`off by` is the largest difference from torch in single precision over 80 ticks, relative to the largest",
        "value. Of networks that give tokens it is the share of tokens that differ; in int8 it is the mean difference",
        "over the spread.",
        "",
        _HEAD,
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    before = ""
    for row in found["rows"]:
        name = row["network"] if row["network"] != before else ""
        before = row["network"]
        if "failed" in row:
            lines.append(f"| {name} | {row['way']} | not run: {row['failed']} | | | | |")
            continue
        step, memory = row["step_ms"], row["memory_mb"]
        weight = "–" if memory is None else f"{memory:.0f}"
        lines.append(
            f"| {name} | {row['way']} | {step['p50']:.2f} | {step['p99']:.2f} | {step['speed_up']:.2f} | {weight} | "
            f"{row['parity']['output']:.1g} |"
        )
    return "\n".join(lines) + "\n"


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the plot: a bar to the median, a line on to the 99th percentile.

    Raises:
        OSError: when it cannot be written.
        ImportError: without matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in found["rows"] if "step_ms" in row]
    kinds = list(dict.fromkeys(row["way"] for row in rows))
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(9.0, 0.6 + 0.2 * len(rows) + 0.3 * len(networks)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    place, marks = 0.0, []
    for network in networks:
        mine = [row for row in rows if row["network"] == network]
        marks.append((place + (len(mine) - 1) / 2, network))
        for row in mine:
            step, colour = row["step_ms"], f"C{kinds.index(row['way']) % 10}"
            axes.barh(place, step["p50"], 0.85, color=colour)
            axes.plot([step["p50"], step["p99"]], [place, place], color=colour, linewidth=1.0)
            place += 1.0
        place += 1.0
    axes.set_yticks([at for at, _ in marks], [name for _, name in marks])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("a tick, ms: median, and on to the 99th percentile")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", alpha=0.3)
    for index, kind in enumerate(kinds):
        axes.barh(0, 0, color=f"C{index % 10}", label=kind)
    figure.legend(fontsize="small", loc="outside lower center", ncols=4)
    about = found["machine"]
    axes.set_title(
        about["gpu"]["name"] if about["gpu"] else f"{about['cpu']}, {about['cores']} cores", fontsize="medium"
    )
    figure.savefig(path, dpi=120)


def leave(found: dict[str, Any], folder: Path) -> list[Path]:
    """Write all three; returns their paths. Without matplotlib there is no plot, and a line says so.

    Raises:
        OSError: when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, table, plot = (folder / f"{NAME}.{kind}" for kind in ("json", "md", "png"))
    data.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table.write_text(markdown(found), encoding="utf-8")
    try:
        draw(found, plot)
    except ImportError:
        print("no plot: matplotlib is not installed (pip install matplotlib)")
        return [data, table]
    return [data, table, plot]
