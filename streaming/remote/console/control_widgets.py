"""The controls' table as a page can draw it: of every control what moves it, its range, its unit and its words."""

from __future__ import annotations

from typing import Any

from engines.bundles import shipped_bundles
from streaming.settings.controls import CONTROLS, ControlSpec


def widgets(voices: list[str] | None, bundle: str = "default") -> list[dict[str, Any]]:
    """Every live control, in the order of the table.

    Args:
        voices: of the bundle; None where they are not known.
        bundle: the present one.

    Returns:
        For each `name`, `group`, `words`, `widget`: "slider", "switch", "choice", "image", "device" or "action", and
        what it needs: `low`, `high`, `step`, `unit`, `default`, `choices`, `range`, `atLow`, `atHigh`.
    """
    bundles = shipped_bundles()
    words = {"voice": voices or [], "bundle": bundles if bundle in bundles else [*bundles, bundle]}
    return [_widget(row, words.get(row.kind, [])) for row in CONTROLS.values() if row.live]


def _widget(row: ControlSpec, words: list[str]) -> dict[str, Any]:
    kind = "slider"
    if row.kind in ("voice", "bundle"):
        kind = "choice"
    elif row.kind in ("image", "device"):
        kind = row.kind
    elif row.is_switch:
        kind = "switch"
    elif row.confirmed:
        kind = "action"
    return {
        "name": row.name,
        "group": row.group,
        "words": row.words,
        "widget": kind,
        "low": row.low,
        "high": row.high,
        "step": row.step,
        "unit": row.unit,
        "default": row.default,
        "choices": [*row.choices, *words],
        "range": row.range_text(),
        "atLow": row.at_low,
        "atHigh": row.at_high,
    }
