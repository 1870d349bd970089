"""The plots of a latency bench: how often each latency comes, and latency against the frame's and the tick's phase."""

from __future__ import annotations

import io
from typing import Any

INK, FLOOR, SHOW, HEARD = "#57606a", "#9aa4af", "#0969da", "#bc4c00"


def draw_way(found: dict[str, Any], floor: dict[str, Any] | None, way: str) -> bytes:
    """One way's plot as PNG; b"" without matplotlib.

    Args:
        found: `forward` or `reverse` of a result.
        floor: the same of the null instrument; None where it was not measured.
        way: "forward" or "reverse".
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return b""
    forward = way == "forward"
    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    series = [("first changed sample" if forward else "first changed picture", "changed_ms", SHOW)]
    if forward:
        series.append(("heard onset", "onset_ms", HEARD))
    if floor is not None:
        _steps(left, floor["trials"], "changed_ms", FLOOR, "null instrument")
    for words, key, colour in series:
        _steps(left, found["trials"], key, colour, words)
        waits, latencies = _pairs(found["trials"], key)
        right.plot(waits, latencies, ".", color=colour, markersize=4, alpha=0.6)
    if floor is not None and forward:
        right.plot(*_pairs(floor["trials"], "changed_ms"), ".", color=FLOOR, markersize=4, alpha=0.6)
    left.set_xlabel(f"ms from {'light to sound' if forward else 'sound to light'}")
    left.set_ylabel("share of trials that were answered")
    left.set_xlim(left=0)
    left.set_ylim(0, 1)
    figure.legend(loc="outside upper left", ncols=3, fontsize="small", frameon=False)
    right.set_xlabel("ms from the flash to the frame" if forward else "ms from the impulse to its tick's end")
    right.set_ylabel("ms in all")
    right.set_ylim(bottom=0)
    right.set_xlim(left=0)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _steps(axes: Any, trials: list[dict[str, Any]], key: str, colour: str, words: str) -> None:
    """The cumulative share of trials; missed ones keep it below 1."""
    known = sorted(trial[key] for trial in trials if trial[key] is not None)
    if not known:
        return
    shares = [(place + 1) / len(trials) for place in range(len(known))]
    axes.step([known[0], *known], [0.0, *shares], where="post", color=colour, label=words)


def _pairs(trials: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    known = [trial for trial in trials if trial[key] is not None and trial["wait_ms"] is not None]
    return [trial["wait_ms"] for trial in known], [trial[key] for trial in known]
