"""Compares the motion of films, of clips of hits and of the performers.

`python -m training.evaluation.worlds [--films DIR] [--hits DIR] [--performers N] [--out FILE] [--sheet FILE]`.
Films are only measured. `--hits` is a data set of `training.datasets.hits`; take one that was recorded with `--test`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from performers.body import WORLDS
from training.datasets.hits import TEST_SEED, load_hits
from training.evaluation.worlds.sheet import write_sheet
from training.evaluation.worlds.statistics import LAGS_S, RULES, precision_by_lag, summarize
from training.evaluation.worlds.watched import WatchedClip, watch_films, watch_hits, watch_performers
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.hits_corpus import load_corpus


def compare(clips: list[WatchedClip]) -> dict[str, Any]:
    """The figures of each group: statistics of motion, and average precision by lag of each rule."""
    groups: dict[str, list[WatchedClip]] = {}
    for clip in clips:
        groups.setdefault(clip.group, []).append(clip)
    out: dict[str, Any] = {"lags_ms": [round(float(lag) * 1e3) for lag in LAGS_S], "groups": {}}
    for group, members in groups.items():
        figures: dict[str, Any] = {"clips": len(members), **summarize(members)}
        for name, rule in RULES.items():
            values, control = precision_by_lag(members, rule)
            figures[name] = {"by_lag": [round(float(value), 3) for value in values], "control": round(control, 3)}
        out["groups"][group] = figures
    return out


def print_tables(figures: dict[str, Any]) -> None:
    """Print the figures of `compare`."""
    print(f"{'median (10 % to 90 %)':28} clips  mean speed             fastest p95         moving cells      still")
    for group, row in figures["groups"].items():
        cells = [
            f"{row['mean_speed'][0]:.4f} ({row['mean_speed'][1]:.4f}-{row['mean_speed'][2]:.4f})",
            f"{row['fastest_p95'][0]:.2f} ({row['fastest_p95'][1]:.2f}-{row['fastest_p95'][2]:.2f})",
            f"{row['moving_cells'][0]:.0f} ({row['moving_cells'][1]:.0f}-{row['moving_cells'][2]:.0f})",
            f"{row['still_ticks'][0]:.2f}",
        ]
        print(f"{group:28} {row['clips']:5}  {cells[0]:22} {cells[1]:19} {cells[2]:17} {cells[3]}")
    for name in RULES:
        print(f"\naverage precision of the rule {name!r} by lag of its peaks in ms")
        print(f"{'':28} " + " ".join(f"{lag:5}" for lag in figures["lags_ms"]) + "  shifted")
        for group, row in figures["groups"].items():
            values = " ".join(f"{value:5.2f}" for value in row[name]["by_lag"])
            print(f"{group:28} {values}  {row[name]['control']:.2f}")


def main(arguments: list[str] | None = None) -> int:
    """Compare the worlds from the command line."""
    parser = argparse.ArgumentParser(description="Compare the motion of films, of clips of hits and of the performers.")
    parser.add_argument("--films", type=Path, action="append", default=[], help="folder with films; may be repeated")
    parser.add_argument("--hits", type=Path, help="data set of hits")
    parser.add_argument("--performers", type=int, default=0, help="clips of each kind of performer (default 0)")
    parser.add_argument("--kinds", nargs="+", choices=CLIP_KINDS, default=CLIP_KINDS, help="of performer (default all)")
    parser.add_argument("--world", choices=WORLDS, default="rendered", help="of the performers (default rendered)")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    parser.add_argument("--sheet", type=Path, help="write a picture of twelve clips of hits there")
    parser.add_argument("--corpus", type=Path, help="real playing for the clips of --sheet")
    options = parser.parse_args(arguments)
    if options.sheet is not None:
        write_sheet(options.sheet, [TEST_SEED + number for number in range(12)], load_corpus(options.corpus, "test"))
    clips = [clip for folder in options.films for clip in watch_films(folder)]
    if options.hits is not None:
        recorded = load_hits(sorted(options.hits.glob("hits-*.npz")))
        clips += [*watch_hits(recorded), *watch_hits(recorded, contacts=True)]
    if options.performers:
        clips += watch_performers(options.performers, tuple(options.kinds), options.world)
    if clips:
        figures = compare(clips)
        print_tables(figures)
        if options.out is not None:
            options.out.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
