"""The command `bench compare`: every row of the table, or the reason why it is left out."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.compare.adapters import INSTRUMENTS, STEPS, InstrumentAdapter, StepAdapter
from benchmarks.compare.steps import NotHereError
from benchmarks.latency.figures import summarise
from benchmarks.latency.measurement import LatencySettings, measure_instrument
from benchmarks.result_files import SUMMARY_HEAD, ResultPage, Section, leave_page, table_rows, text_of
from benchmarks.rig.private_jack import is_installed, private_jack
from streaming.errors import UserError
from streaming.settings.options import Command
from streaming.system.host_info import describe_host
from streaming.telemetry.report import version
from streaming.timing import clock

NAME, SCHEMA = "bench-compare", 1
STEP_COUNT, QUICK_STEPS, WARM_UP = 200, 40, 5
STEP_LIMIT_S = 10.0
"""One that is slow is not timed any longer than this."""


def bench_compare(command: Command) -> int:
    """Measure every row, write, print.

    Returns:
        0.
    """
    bench = command.bench
    settings = LatencySettings(bench.trial_count(), bench.camera_hz, period_frames=bench.period, awake=command.awake)
    with contextlib.ExitStack() as stack:
        if command.awake:
            stack.enter_context(clock.keep_awake())
        instruments = compare_instruments(settings)
        steps = compare_steps(QUICK_STEPS if bench.quick else STEP_COUNT)
    found = {
        "schema": SCHEMA,
        "bench": "compare",
        "at": clock.wall_text(),
        "version": version(),
        "host": describe_host(),
        "kept_awake": command.awake,
        "instruments": instruments,
        "steps": steps,
    }
    files = leave_page(make_page(found), Path(command.out), NAME)
    sys.stdout.write(files[1].read_text(encoding="utf-8") + f"\nwritten: {', '.join(str(file) for file in files)}\n")
    return 0


def compare_instruments(settings: LatencySettings) -> list[dict[str, Any]]:
    """Each instrument between the same camera and audio device, one after another."""
    rows = []
    for adapter in INSTRUMENTS:
        row: dict[str, Any] = {"name": adapter.name, "words": adapter.words, "skipped": "", "forward": None}
        try:
            row["forward"] = _measure(adapter, settings)
        except UserError as error:
            row["skipped"] = error.what
        rows.append(row)
    return rows


def _measure(adapter: InstrumentAdapter, settings: LatencySettings) -> dict[str, Any]:
    if not is_installed():
        raise UserError("jackd is not installed", "bench compare", "install it")
    with tempfile.TemporaryDirectory(prefix="antiphon-compare-") as name:
        folder = Path(name)
        with private_jack(folder / "jackd.log", settings.rate_hz, settings.period_frames):
            forward: dict[str, Any] = measure_instrument(folder / "one", settings, adapter.responder)["forward"]
    return forward


def compare_steps(count: int, adapters: tuple[StepAdapter, ...] = STEPS) -> list[dict[str, Any]]:
    """Each step `count` times, in turns, so that other load slows all of them alike."""
    rows: list[dict[str, Any]] = []
    opened: list[tuple[dict[str, Any], Callable[[], object], list[float]]] = []
    for adapter in adapters:
        row: dict[str, Any] = {"name": adapter.name, "words": adapter.words, "wait_ms": adapter.wait_ms, "skipped": ""}
        row["ms"] = None
        rows.append(row)
        try:
            opened.append((row, adapter.opener(), []))
        except NotHereError as error:
            row["skipped"] = str(error)
    for index in range(count + WARM_UP):
        for _, step, times in opened:
            if sum(times) > 1e3 * STEP_LIMIT_S:
                continue
            begun_ns = clock.now_ns()
            step()
            if index >= WARM_UP:
                times.append((clock.now_ns() - begun_ns) / 1e6)
    for row, _, times in opened:
        row["ms"] = summarise(times)
    return rows


def make_page(found: dict[str, Any]) -> ResultPage:
    """The page of a result."""
    measured = [(row["name"], row["forward"]) for row in found["instruments"] if row["forward"]]
    parts = [
        *((f"{name}: light to first sample", forward["changed_ms"]) for name, forward in measured),
        *((f"{name}: frame to first sample", forward["frame_to_sound_ms"]) for name, forward in measured),
    ]
    steps = tuple(
        (
            f"{row['name']}: {row['words']}",
            *(text_of(row["ms"][key], 2) for key in ("p50", "p99")),
            text_of(row["wait_ms"], 0),
        )
        for row in found["steps"]
        if row["ms"]
    )
    skipped = tuple((row["name"], row["skipped"]) for row in (*found["instruments"], *found["steps"]) if row["skipped"])
    words = "The same camera and audio device as in bench latency, one process in place of the show."
    step_words = "One thread, in turns. What a step waits for or looks ahead comes on top of its time."
    sections = [
        Section("Instruments", (words,), SUMMARY_HEAD, table_rows(parts)),
        Section("Steps", (step_words,), ("a step", "p50 ms", "p99 ms", "waits, ms"), steps),
    ]
    if skipped:
        sections.append(Section("Left out", (), ("", "why"), skipped, prose=True))
    host = found["host"]
    line = (
        f"Antiphon {found['version']}, {host['cpu']}, {host['cores']} cores, {host['gpu'] or 'no GPU'}; {found['at']}"
    )
    return ResultPage("Others under the same harness", line, tuple(sections), found)
