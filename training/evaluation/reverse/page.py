"""The page of the reverse evaluation: figures beside their controls, tables, and the curves of the dials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.evaluation.html_page import Page

TABLES = {
    "recordings": "Motion at the onsets of each recording",
    "films": "Real films",
    "edges_by_still": "Edges of each still",
    "looks_by_still": "Looks of each still",
}


def reverse_page(folder: Path, figures: dict[str, Any]) -> Path:
    """Write the page; returns its path."""
    page = Page(folder, "Music to pictures")
    page.text(f"{figures['split']}. Made by:")
    page.command(str(figures.get("command", "")))
    page.heading("Figures")
    names = [name for name, value in figures.items() if isinstance(value, int | float)]
    page.table(
        ["figure", "value", "95 % interval"],
        [[name.replace("_", " "), figures[name], figures.get(f"{name}_interval") or ""] for name in names],
    )
    for name, title in TABLES.items():
        if figures.get(name):
            page.heading(title)
            _add_table(page, figures[name])
    if figures.get("dials"):
        page.heading("Dials")
        page.plot(draw_dials(figures["dials"]), "what moves at five settings of each dial")
    return page.write()


def draw_dials(dials: dict[str, list[dict[str, float]]]) -> Figure:
    """The curves: a plot for each dial, every quantity over its setting."""
    figure = Figure(figsize=(3.0 * len(dials), 2.6))
    for axes, (dial, rows) in zip(figure.subplots(1, len(dials), squeeze=False)[0], dials.items(), strict=True):
        for name in rows[0]:
            if name != "setting":
                axes.plot([row["setting"] for row in rows], [row[name] for row in rows], marker="o", label=name)
        axes.set_xlabel(dial)
        axes.set_ylim(bottom=0.0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
    figure.tight_layout()
    return figure


def _add_table(page: Page, rows: dict[str, dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    head = [name.replace("_", " ") for name in columns]
    page.table(["", *head], [[name, *(row.get(column) for column in columns)] for name, row in rows.items()])
