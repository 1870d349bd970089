"""Benchmarks: whole performances with the real processes, and a table from their own reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from streaming import clock
from streaming.child import CHECKOUT
from streaming.config import Show
from streaming.options import Command
from streaming.perform import Performance, perform

SECONDS = {"latency": 30.0, "throughput": 15.0, "soak": 600.0}
HISTORY = CHECKOUT / "docs" / "bench-history.jsonl"


def bench(command: Command) -> int:
    """Run one benchmark, print its table, and append it to the history if that was asked for.

    Returns:
        The performance's exit status.
    """
    which, seconds = command.target, command.seconds or command.show.duration_s or SECONDS[command.target]
    show = settings(command.show, seconds)
    done = perform(show, awake=command.awake, notes=command.notes)
    if done.ending.line:
        sys.stderr.write(done.ending.line + "\n")
    if done.report["duration_s"] is None:
        return done.ending.code or 1
    sys.stdout.write("\n".join(table(which, done.report)) + "\n")
    if command.history:
        append_history(HISTORY, entry(which, done))
    return done.ending.code


def settings(show: Show, seconds: float) -> Show:
    """A show that needs no device: what was not chosen is the performer, and a speaker that is paced but not heard."""
    return msgspec.structs.replace(
        show,
        camera="performer" if show.camera == "auto" else show.camera,
        speaker="none" if show.speaker == "auto" else show.speaker,
        duration_s=seconds,
        quiet=True,
    )


def table(which: str, report: dict[str, Any]) -> list[str]:
    """The figures of one benchmark, as lines."""
    ticks, audio, latency = report["ticks"], report["audio"], report["motion_to_sound_ms"]
    awake = "awake" if report["awake"] else "not kept awake"
    lines = [
        f"{which}: {report['duration_s']:.0f} s, {report['host']['cpu']}, {report['host']['cores']} cores, {awake}"
    ]
    if which in ("latency", "soak"):
        figures = "  ".join(f"{name} {_text(latency[name])}" for name in ("p50", "p95", "p99", "max"))
        lines.append(f"motion-to-sound ms   {figures}   n {_text(latency['n'])}")
        lines.append(
            f"ticks played {_text(ticks['played'])} of {_text(ticks['expected'])}   "
            f"concealed after the first second {_text(ticks['concealed_after_first_second'])}   "
            f"underruns {_text(audio['underruns'])}"
        )
    head = f"{'stage':<10}{'p50 ms':>9}{'p99 ms':>9}{'drops':>7}{'restarts':>9}{'cpu %':>8}"
    lines.append(head + (f"{'MB start':>10}{'MB end':>9}{'MB/h':>8}" if which == "soak" else ""))
    for name, stage in report["stages"].items():
        row = (
            f"{name:<10}{_text(stage['step_ms']['p50']):>9}{_text(stage['step_ms']['p99']):>9}"
            f"{_text(stage['drops']):>7}{_text(stage['restarts']):>9}{_text(stage['cpu_percent']):>8}"
        )
        if which == "soak":
            row += (
                f"{_text(stage['rss_mb_start']):>10}{_text(stage['rss_mb_end']):>9}{_text(stage['rss_mb_per_hour']):>8}"
            )
        lines.append(row)
    return lines


def entry(which: str, done: Performance) -> dict[str, Any]:
    """What the history keeps of one benchmark."""
    report = done.report
    stages = ("step_ms", "drops", "restarts", "cpu_percent", "rss_mb_start", "rss_mb_end", "rss_mb_per_hour")
    kept = ("host", "awake", "backend", "bundle", "camera", "duration_s", "ticks", "audio", "fps", "motion_to_sound_ms")
    return {
        "bench": which,
        "at": clock.wall_text(),
        "commit": commit(),
        "exit_code": done.ending.code,
        **{name: report[name] for name in kept},
        "stages": {name: {key: stage[key] for key in stages} for name, stage in report["stages"].items()},
    }


def append_history(path: Path, line: dict[str, Any]) -> None:
    """Add one line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def commit() -> str | None:
    """The short hash of the checkout's commit, None outside of git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _text(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
