"""Benchmarks of whole shows with the real processes; their tables come from the shows' own reports."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.budget.command import bench_budget
from benchmarks.compare.command import bench_compare
from benchmarks.desks.command import bench_desks
from benchmarks.latency.command import NO_JACK, bench_latency, can_measure
from benchmarks.soak.command import bench_soak, bench_virtual_soak
from benchmarks.submissions import submit
from engines.registry import check_backend
from streaming.errors import UserError
from streaming.runtime.children.child_process import CHECKOUT
from streaming.runtime.show import Performance, perform
from streaming.settings.config import Show
from streaming.settings.option_rows.playing import BACKENDS
from streaming.settings.options import Command
from streaming.timing import clock

SECONDS = {"latency": 30.0, "throughput": 15.0, "soak": 600.0, "backends": 30.0, "desks": 20.0}
PREPARED = ("latency", "budget", "soak", "compare", "desks", "throughput", "backends")
"""Before these the networks are built."""
ROUNDS = 3
"""Shows per runtime when runtimes are compared."""
HISTORY = CHECKOUT / "docs" / "bench-history.jsonl"


def bench(command: Command) -> int:
    """Run one benchmark and print its table; append it to the history where asked.

    Returns:
        The show's exit status.
    """
    which = command.target
    if which == "latency":
        if can_measure(command):
            return bench_latency(command, lambda line: append_history(HISTORY, line) if command.history else None)
        sys.stderr.write(NO_JACK + "\n")
    if which == "budget":
        return bench_budget(command)
    if which == "submit":
        return submit(command)
    if which == "compare":
        return bench_compare(command)
    if which == "soak" and command.bench.virtual:
        return bench_virtual_soak(command)
    seconds = command.seconds or command.show.duration_s or SECONDS[which]
    show = settings(command.show, seconds)
    if which in ("backends", "desks"):
        return compare_backends(command, show) if which == "backends" else bench_desks(command, show, side_by_side)
    if which == "soak":
        done, code = bench_soak(command, show)
    else:
        done = perform(show, awake=command.awake, notes=command.notes)
        code = done.ending.code
    if done.ending.line:
        sys.stderr.write(done.ending.line + "\n")
    if done.report["duration_s"] is None:
        return done.ending.code or 1
    sys.stdout.write("\n".join(table(which, done.report)) + "\n")
    if command.history:
        append_history(HISTORY, entry(which, done))
    return code


def compare_backends(command: Command, show: Show) -> int:
    """Run the same show on every runtime that can run here, in turns, and print their figures side by side.

    Returns:
        The exit status of the first show that did not close cleanly, else 0.

    Raises:
        UserError: when fewer than two runtimes can run here.
    """
    backends = [name for name in BACKENDS if name != "auto" and not check_backend(name)]
    if len(backends) < 2:
        raise UserError(f"only {', '.join(backends) or 'nothing'} can run here", "bench backends", "install another")
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in backends}
    for _ in range(ROUNDS):
        for name in backends:
            done = perform(msgspec.structs.replace(show, backend=name), awake=command.awake, notes=command.notes)
            if done.ending.code or done.report["duration_s"] is None:
                sys.stderr.write(f"{name}: {done.ending.line or 'it did not begin'}\n")
                return done.ending.code or 1
            reports[name].append(done.report)
            if command.history:
                append_history(HISTORY, entry("backends", done))
    sys.stdout.write("\n".join(side_by_side(reports)) + "\n")
    return 0


def side_by_side(reports: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The comparison as Markdown: medians of each runtime's shows; for missed ticks and underruns the worst.

    Args:
        reports: runtime -> reports of the same show; the first runtime is what the others are compared with.
    """
    first = next(iter(reports))
    some = reports[first][0]
    host, rows = some["host"], []
    rounds = f"{len(reports[first])} performances of {some['duration_s']:.0f} s each, in turns"
    for stage in some["stages"]:
        for unit, pick in (("ms p50", _step("p50")), ("ms p99", _step("p99")), ("% of a core", _cpu)):
            rows.append((f"{stage}, {unit}", {name: _median(map(pick(stage), got)) for name, got in reports.items()}))
    rows.append(("all stages, % of a core", {name: _median(map(_cpu_in_all, got)) for name, got in reports.items()}))
    for path in ("motion_to_sound_ms", "sound_to_picture_ms"):
        for share in ("p50", "p99"):
            values = {name: _median(one[path][share] for one in got) for name, got in reports.items()}
            rows.append((f"{path.removesuffix('_ms').replace('_', '-')}, ms {share}", values))
    worst = (
        ("ticks not played", _not_played),
        ("concealed after the first second", lambda one: one["ticks"]["concealed_after_first_second"]),
        ("underruns", lambda one: one["audio"]["underruns"]),
        ("pictures missed after the first second", lambda one: one["pictures"]["missed_after_first_second"]),
    )
    for label, count in worst:
        rows.append((label, {name: _worst(map(count, got)) for name, got in reports.items()}))
    lines = [
        f"{host['cpu']}, {host['cores']} cores; {some['direction']}, {rounds}: medians, the worst of what went wrong",
        "",
        f"| | {' | '.join(reports)} | {' | '.join(f'{name} / {first}' for name in reports if name != first)} |",
        "|---|" + "---:|" * (2 * len(reports) - 1),
    ]
    for label, values in rows:
        if all(value is None for value in values.values()):
            continue
        shares = [_share(values[name], values[first]) for name in reports if name != first]
        lines.append(f"| {label} | {' | '.join([*map(_text, values.values()), *shares])} |")
    return lines


def settings(show: Show, seconds: float) -> Show:
    """A show that needs no device: what was not chosen is the performer, and a speaker that is paced but not heard."""
    return msgspec.structs.replace(
        show,
        camera="performer" if show.camera == "auto" else show.camera,
        speaker="none" if show.speaker == "auto" else show.speaker,
        screen="none" if show.screen == "auto" else show.screen,
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
    fields = (
        "host",
        "awake",
        "backend",
        "bundle",
        "camera",
        "duration_s",
        "ticks",
        "audio",
        "fps",
        "motion_to_sound_ms",
    )
    return {
        "bench": which,
        "at": clock.wall_text(),
        "commit": commit_hash(),
        "exit_code": done.ending.code,
        **{name: report[name] for name in (*fields, "motion_to_sound_ms")},
        "stages": {name: {key: stage[key] for key in stages} for name, stage in report["stages"].items()},
    }


def append_history(path: Path, line: dict[str, Any]) -> None:
    """Append one line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def commit_hash() -> str | None:
    """The short hash of the checkout's commit; None outside of git."""
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


def _step(share: str) -> Callable[[str], Callable[[dict[str, Any]], float | None]]:
    return lambda stage: lambda report: report["stages"][stage]["step_ms"][share]


def _cpu(stage: str) -> Callable[[dict[str, Any]], float | None]:
    return lambda report: report["stages"][stage]["cpu_percent"]


def _cpu_in_all(report: dict[str, Any]) -> float | None:
    values = [stage["cpu_percent"] for stage in report["stages"].values()]
    return sum(value for value in values if value is not None) if any(value is not None for value in values) else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _not_played(report: dict[str, Any]) -> float | None:
    expected, played = report["ticks"]["expected"], report["ticks"]["played"]
    return None if expected is None or played is None else expected - played


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _share(value: float | None, first: float | None) -> str:
    return f"{value / first:.2f}" if value is not None and first else "–"


def _text(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
