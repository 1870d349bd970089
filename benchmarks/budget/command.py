"""The command `bench budget`: a short show, its stamps cut into segments, a table, a picture, and a trace if asked."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.budget.segments import FORWARD, KINDS, REVERSE, Segment, cut_picture, cut_tick
from benchmarks.budget.tick_log import TOPICS, TickLog
from benchmarks.budget.trace import chrome_trace
from benchmarks.latency.figures import summarise
from benchmarks.result_files import ResultPage, Section, leave_page, remember, text_of
from benchmarks.rig.stamp_listener import MessageListener
from streaming.audio.resampler import TickResampler
from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND
from streaming.runtime.show import perform
from streaming.settings.config import Links, Show
from streaming.settings.options import Command
from streaming.system.files import check_output
from streaming.telemetry.report import version
from streaming.timing import clock

NAME, SCHEMA = "bench-budget", 1
SECONDS = 20.0
SETTLED_TICKS = 3 * TICKS_PER_SECOND
"""The first ticks are left out: the latch has not settled."""
COLOURS = dict(zip(KINDS, ("#d0d7de", "#8250df", "#0969da", "#bf8700", "#bc4c00", "#57606a"), strict=True))


def bench_budget(command: Command) -> int:
    """Perform, cut, write, print.

    Returns:
        The show's exit status.

    Raises:
        UserError: when the trace's file cannot be written.
    """
    if command.bench.trace:
        check_output(command.bench.trace, "--trace")
    log = TickLog()
    with contextlib.ExitStack() as stack:
        run_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-budget-")))
        run_dir.chmod(0o700)
        stack.callback(MessageListener(run_dir, TOPICS, log.take).close)
        seconds = command.seconds or command.show.duration_s or SECONDS
        show = budget_show(command.show, seconds, run_dir)
        done = perform(show, awake=command.awake, notes=command.notes)
    if done.ending.line:
        sys.stderr.write(done.ending.line + "\n")
    if done.report["duration_s"] is None:
        return done.ending.code or 1
    if command.bench.trace:
        text = json.dumps(chrome_trace(log.ticks(), log.pictures))
        Path(command.bench.trace).write_text(text, encoding="utf-8")
    found = evaluate(log, done.report)
    figures = {f"{way} p50": found[way]["sum"]["p50"] for way in ("forward", "reverse")}
    about = {"host": found["host"], "direction": show.direction, "camera": found["camera"], "awake": command.awake}
    found["history"] = remember("budget", about, figures)
    files = leave_page(make_page(found), Path(command.out), NAME)
    sys.stdout.write(files[1].read_text(encoding="utf-8") + "\n")
    sys.stdout.writelines(f"{line}\n" for line in found["history"])
    traced = [Path(command.bench.trace)] if command.bench.trace else []
    sys.stdout.write(f"written: {', '.join(str(file) for file in [*files, *traced])}\n")
    return done.ending.code


def budget_show(show: Show, seconds: float, run_dir: Path) -> Show:
    """A show that needs no device. A microphone that hears nothing has the times of a real one."""
    return msgspec.structs.replace(
        show,
        camera="performer" if show.camera == "auto" else show.camera,
        speaker="none" if show.speaker == "auto" else show.speaker,
        microphone="none" if show.microphone == "auto" else show.microphone,
        screen="none" if show.screen == "auto" else show.screen,
        duration_s=seconds,
        quiet=True,
        links=Links(run_dir=str(run_dir)),
    )


def evaluate(log: TickLog, report: dict[str, Any]) -> dict[str, Any]:
    """The result as a JSON object: `forward` and `reverse`, each with its segments' summaries in ms and their sum."""
    speaker = report["stages"].get("speaker", {}).get("info", {})
    rate_hz = int(speaker.get("samplerate") or SAMPLE_RATE)
    resampler_ns = round(TickResampler(SAMPLE_RATE, rate_hz).latency_s * 1e9)
    # What the stage calls the output's latency has the resampler in it.
    device_ns = max(0, round(float(speaker.get("latency_ms") or 0.0) * 1e6) - resampler_ns)
    ticks = [tick for tick in log.ticks() if tick.fresh and tick.tick >= SETTLED_TICKS]
    pictures = [picture for picture in log.pictures if picture.tick >= SETTLED_TICKS]
    return {
        "schema": SCHEMA,
        "bench": "budget",
        "at": clock.wall_text(),
        "version": version(),
        "host": report["host"],
        "camera": report["camera"],
        "direction": report["direction"],
        "camera_hz": report["fps"]["camera"],
        "forward": _summaries(FORWARD, [cut_tick(tick, device_ns, resampler_ns) for tick in ticks]),
        "reverse": _summaries(REVERSE, [cut_picture(picture) for picture in pictures]),
        "report": {name: report[name] for name in ("motion_to_sound_ms", "sound_to_picture_ms", "stolen_percent")},
    }


def _summaries(segments: tuple[Segment, ...], rows: list[list[float] | None]) -> dict[str, Any]:
    known = [row for row in rows if row is not None]
    return {
        "segments": [
            {**segment._asdict(), "ms": summarise([row[place] for row in known])}
            for place, segment in enumerate(segments)
        ],
        "sum": summarise([sum(row) for row in known]),
    }


def make_page(found: dict[str, Any]) -> ResultPage:
    """The page of a result."""
    host, sections = found["host"], []
    rate = found["camera_hz"]
    for way, title, key in (
        ("forward", "From the frame to its sound", "motion_to_sound_ms"),
        ("reverse", "From the sound to its picture", "sound_to_picture_ms"),
    ):
        part = found[way]
        if not part["sum"]["n"]:
            continue
        rows = [(row["name"], row["kind"], row["stage"] or "–", *_cells(row["ms"])) for row in part["segments"]]
        reported = text_of(found["report"][key]["p50"])
        words = [f"{part['sum']['n']} ticks; the report of the same show says p50 {reported} ms."]
        if way == "forward" and rate:
            words.append(f"Before the frame, light waits for it: 0 to {1e3 / rate:.0f} ms, evenly spread.")
        rows.append(("in all", "", "", *_cells(part["sum"])))
        head = ("ms", "kind", "stage", "p50", "p95", "p99", "max")
        sections.append(Section(title, tuple(words), head, tuple(rows), png=_draw(part)))
    line = f"Antiphon {found['version']}, {host['cpu']}, {host['cores']} cores; {found['camera']}; {found['at']}"
    return ResultPage("Where each millisecond goes", line, tuple(sections), found)


def _cells(summary: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text_of(summary[key], 2) for key in ("p50", "p95", "p99", "max"))


def _draw(part: dict[str, Any]) -> bytes:
    """A bar whose parts are the segments' medians, as PNG; b"" without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return b""
    rows = part["segments"]
    figure = Figure(figsize=(10.0, 0.6 + 0.36 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes, at, named = figure.add_subplot(), 0.0, set()
    for place, row in enumerate(rows):
        length = max(0.0, row["ms"]["p50"])
        label = None if row["kind"] in named else row["kind"]
        named.add(row["kind"])
        axes.barh(place, length, left=at, height=0.7, color=COLOURS[row["kind"]], label=label)
        axes.text(at + length + 0.4, place, f"{length:.1f}", va="center", fontsize="small", color="#1b1f24")
        at += length
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08 * at)
    axes.set_xlabel("ms, medians")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=len(named), fontsize="small", frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
