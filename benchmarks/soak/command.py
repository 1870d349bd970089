"""The command `bench soak`: a long show that is watched, or a day of ticks on a virtual clock; a plot and a verdict."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks.result_files import ResultPage, Section, leave_page, remember, text_of
from benchmarks.soak.verdicts import judge, judge_counts, slopes
from benchmarks.soak.virtual_show import CAMERA_PPM, DEVICE_PPM, UPTIME_NS, VirtualShow
from benchmarks.soak.watch import SoakWatch
from streaming.runtime.show import Performance, perform
from streaming.settings.config import Links, Show
from streaming.settings.options import Command
from streaming.system.host_info import describe_host
from streaming.telemetry.report import version
from streaming.timing import clock

NAME, VIRTUAL_NAME, SCHEMA = "bench-soak", "bench-soak-virtual", 1
VIRTUAL_HOURS = 24.0


def run_soak(command: Command, show: Show) -> tuple[Performance, dict[str, Any]]:
    """Perform and watch.

    Args:
        command: the command line.
        show: with its duration.

    Returns:
        The performance, and the result as a JSON object.
    """
    with contextlib.ExitStack() as stack:
        run_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-soak-")))
        run_dir.chmod(0o700)
        watch = SoakWatch(run_dir, show.duration_s or 0.0)
        stack.callback(watch.close)
        show = msgspec.structs.replace(show, links=Links(run_dir=str(run_dir)))
        done = perform(show, awake=command.awake, notes=command.notes)
    report = done.report
    found = {
        **_head("soak"),
        "camera": report["camera"],
        "direction": report["direction"],
        "duration_s": report["duration_s"],
        "kept_awake": command.awake,
        "stolen_percent": report["stolen_percent"],
        "verdicts": judge(watch.rows, report),
        "slopes_mb_per_hour": slopes(watch.rows),
        "report": {
            name: report[name] for name in ("ticks", "audio", "pictures", "motion_to_sound_ms", "sound_to_picture_ms")
        },
        "rows": watch.rows,
    }
    return done, found


def run_virtual(hours: float) -> dict[str, Any]:
    """Perform on a virtual clock.

    Returns:
        The result as a JSON object.
    """
    process, rows = psutil.Process(os.getpid()), []
    show, began_ns = VirtualShow(hours), clock.now_ns()

    def sample(hour: float) -> None:
        memory = process.memory_info().rss / 1e6
        rows.append({"at_s": round(hour * 3600.0, 1), "rss_mb": round(memory, 3)})

    sample(0.0)
    show.run(sample)
    show.close()
    counts = show.counts()
    return {
        **_head("soak-virtual"),
        "hours": hours,
        "took_s": round((clock.now_ns() - began_ns) / 1e9, 1),
        "uptime_hours": UPTIME_NS / 3.6e12,
        "device_ppm": DEVICE_PPM,
        "camera_ppm": CAMERA_PPM,
        "counts": counts,
        "verdicts": judge_counts(counts, rows),
        "rows": rows,
    }


def bench_virtual_soak(command: Command) -> int:
    """`bench soak --virtual`.

    Returns:
        0; 1 where a criterion failed.
    """
    found = run_virtual((command.seconds or VIRTUAL_HOURS * 3600.0) / 3600.0)
    words = (
        f"{found['hours']:g} hours took {found['took_s']:.0f} s. The clock began at {found['uptime_hours']:,.0f} h; "
        f"the device was {DEVICE_PPM:g} ppm too fast, the camera {-CAMERA_PPM:g} ppm too slow. Ring, latch, clocks and "
        "counters are the show's own; networks and processes are not in it.",
    )
    page = ResultPage("A soak on a virtual clock", _line(found), (Section("", words), _verdict_section(found)), found)
    return _leave(page, found, command, VIRTUAL_NAME)


def bench_soak(command: Command, show: Show) -> tuple[Performance, int]:
    """`bench soak`.

    Returns:
        The performance, and the exit status: the show's, or 1 where a criterion failed.
    """
    done, found = run_soak(command, show)
    if done.report["duration_s"] is None:
        return done, done.ending.code or 1
    return done, done.ending.code or _leave(make_soak_page(found), found, command, NAME)


def make_soak_page(found: dict[str, Any]) -> ResultPage:
    """The page of a real soak."""
    rows = tuple((name, text_of(slope, 2)) for name, slope in found["slopes_mb_per_hour"].items())
    sections = (
        _verdict_section(found),
        Section("Over time", png=_draw(found["rows"])),
        Section("Memory", (), ("process", "MB an hour, second half"), rows),
    )
    line = f"{_line(found)}; {found['camera']}, {found['direction']}, {found['duration_s']:.0f} s"
    return ResultPage("Soak", line, sections, found)


def _head(name: str) -> dict[str, Any]:
    at = {"at": clock.wall_text(), "version": version(), "host": describe_host()}
    return {"schema": SCHEMA, "bench": name, **at}


def _line(found: dict[str, Any]) -> str:
    host = found["host"]
    return f"Antiphon {found['version']}, {host['cpu']}, {host['cores']} cores; {found['at']}"


def _verdict_section(found: dict[str, Any]) -> Section:
    words = {True: "passed", False: "FAILED", None: "not told"}
    rows = tuple((row["criterion"], text_of(row["value"], 2), words[row["passed"]]) for row in found["verdicts"])
    return Section("Verdict", (), ("criterion", "value", ""), rows)


def _leave(page: ResultPage, found: dict[str, Any], command: Command, name: str) -> int:
    """Write the files and the history, print the verdicts; 1 where a criterion failed."""
    about = {"host": found["host"], "hours": found.get("hours"), "direction": found.get("direction")}
    figures = {row["criterion"]: None if row["value"] is None else float(row["value"]) for row in found["verdicts"]}
    found["history"] = remember(found["bench"], about, figures)
    files = leave_page(page, Path(command.out), name)
    for row in page.sections[-1].rows if name == VIRTUAL_NAME else page.sections[0].rows:
        sys.stdout.write("  ".join((row[0].ljust(40), row[1].rjust(12), row[2])) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in found["history"])
    sys.stdout.write(f"written: {', '.join(str(file) for file in files)}\n")
    return 1 if any(row["passed"] is False for row in found["verdicts"]) else 0


def _draw(rows: list[dict[str, Any]]) -> bytes:
    """Latency, memory, descriptors and clock by time, as PNG; b"" without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return b""
    if len(rows) < 2:
        return b""
    figure = Figure(figsize=(10.0, 7.0), layout="constrained")
    FigureCanvasAgg(figure)
    latency, memory, clocks = figure.subplots(3, 1, sharex=True)
    minutes = [row["at_s"] / 60.0 for row in rows]
    for way, colour in (("forward", "#0969da"), ("reverse", "#bc4c00")):
        for share, style in (("p50", "-"), ("p99", "--"), ("max", ":")):
            values = [row[f"{way}_{share}"] for row in rows]
            if any(value is not None for value in values):
                latency.plot(minutes, [_or_nan(value) for value in values], style, color=colour, label=f"{way} {share}")
    latency.set_ylabel("latency, ms")
    latency.set_ylim(bottom=0)
    for place, name in enumerate(rows[-1]["processes"]):
        known = [row["processes"].get(name, {}).get("rss_mb") for row in rows]
        first = next((value for value in known if value is not None), 0.0)
        style = "-" if place < 10 else "--"
        memory.plot(minutes, [_or_nan(value, first) for value in known], style, color=f"C{place % 10}", label=name)
    memory.set_ylabel("memory, MB over the first")
    clocks.plot(minutes, [_or_nan(row["ppm"]) for row in rows], color="#57606a", label="device's clock, ppm")
    clocks.plot(minutes, [_or_nan(row["concealed"]) for row in rows], color="#cf222e", label="ticks concealed")
    clocks.set_xlabel("minutes")
    for axes in (latency, memory, clocks):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize="x-small", ncols=1, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _or_nan(value: float | None, less: float = 0.0) -> float:
    return float("nan") if value is None else value - less
