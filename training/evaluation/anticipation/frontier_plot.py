"""The frontier's plot: onset F1 against look-ahead, with its controls, a panel for films and one for performers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation.anticipation.frontier import F1

TITLES = {
    "films": "films of people",
    "performers": "synthetic performers, held out",
    "periodic_performers": "the same, one gesture repeated",
}
CURVES = (
    (F1, "music", "#0969da", "o-"),
    (f"{F1}_control", "control: reference shifted in time", "#9aa4af", "o--"),
    ("unanticipated", "music without look-ahead, held to the same time", "#bc4c00", "o:"),
    ("refitted", "music, shift in time chosen anew", "#8250df", "o:"),
)
"""Figure, words, colour and line of each curve."""


def draw_frontier(figures: dict[str, Any]) -> Figure:
    """Draw the figures of `evaluate_frontier`; a panel for each series that is there."""
    names = [name for name in TITLES if name in figures["series"]]
    figure = Figure(figsize=(3.4 * len(names), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    lines: dict[str, Any] = {}
    for axes, name in zip(panels, names, strict=True):
        series = figures["series"][name]
        for key, words, colour, line in CURVES:
            known = [point for point in series["points"] if point.get(key) is not None]
            if not known:
                continue
            places = [point["anticipation_ms"] for point in known]
            lines[words] = axes.plot(places, [point[key] for point in known], line, color=colour, markersize=4)[0]
            spans = [point.get(f"{key}_interval") for point in known]
            if key in (F1, f"{F1}_control") and all(spans):
                low, high = zip(*spans, strict=True)
                axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_title(f"{TITLES[name]} (n = {series['n_with_onsets']})", fontsize="medium")
        axes.set_xlabel("look-ahead in ms")
        axes.set_xticks([point["anticipation_ms"] for point in series["points"]])
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("onset F1, ± 50 ms")
    columns = 1 if len(names) == 1 else 2
    place = "outside lower left"
    figure.legend(lines.values(), lines.keys(), loc=place, ncols=columns, fontsize="small", frameon=False)
    return figure


def write_frontier(figures: dict[str, Any], path: Path) -> None:
    """Write the plot as PNG.

    Raises:
        OSError: when the file cannot be written.
    """
    draw_frontier(figures).savefig(path, format="png", dpi=100)
