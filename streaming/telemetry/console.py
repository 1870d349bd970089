"""What the user sees while it plays: a live table in a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from streaming.telemetry.report import Ending, ShowRecord, StageRecord, stage_info, summary

NOTED_PERCENT = 1.0
"""From this share of stolen time on it is said."""
FEW_LOST = 0.02
"""A film that lacks no larger share of its pictures is not said to."""
FRAME_NS = 250_000_000
"""The table is drawn 4 times a second; one drawing and its snapshot cost 1 ms."""
LINE_NS = 5_000_000_000
FLOOR_DB, METER_CELLS = -60.0, 30
STATE_STYLE = {"running": "green", "ready": "cyan", "setup": "yellow", "restarting": "bold yellow", "lost": "bold red"}


@dataclass(frozen=True)
class StageRow:
    """One stage at one moment; None where nothing was measured."""

    name: str
    state: str
    rate_hz: float | None = None
    step_p50_ms: float | None = None
    step_p99_ms: float | None = None
    drops: int = 0
    restarts: int = 0
    cpu_percent: float | None = None


@dataclass(frozen=True)
class ShowSnapshot:
    """The show at one moment, plain values only, so that another thread may draw it."""

    elapsed_s: float | None
    rows: tuple[StageRow, ...]
    motion_to_sound_ms: dict[str, float | int | None]
    underruns: int | None
    concealed: int | None
    level_db: float | None
    source: str
    device: str
    notes: tuple[str, ...]


@dataclass
class Rates:
    """Messages per second of each stage over the last second or two: what is newest, not the mean since the start."""

    before: dict[str, tuple[int, int]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def of(self, stage: StageRecord) -> float | None:
        """The newest rate, None while there is none."""
        if stage.last is None:
            return None
        count, at_ns = self.before.setdefault(stage.name, stage.last)
        if stage.last[1] - at_ns >= 1_500_000_000:
            self.rates[stage.name] = (stage.last[0] - count) * 1e9 / (stage.last[1] - at_ns)
            self.before[stage.name] = stage.last
        return self.rates.get(stage.name, stage.rate_hz())


def snapshot(record: ShowRecord, now_ns: int, rates: Rates) -> ShowSnapshot:
    """Read off what is shown."""
    speaker = record.stages.get("speaker")
    rows = tuple(
        StageRow(
            name=stage.name,
            state=stage.state,
            rate_hz=rates.of(stage),
            step_p50_ms=stage.totals.percentile("step_ms", 50),
            step_p99_ms=stage.totals.percentile("step_ms", 99),
            drops=stage.totals.sum_of("drops"),
            restarts=stage.restarts,
            cpu_percent=stage.cpu_percent,
        )
        for stage in record.stages.values()
    )
    played = speaker.totals if speaker and speaker.reported else None
    return ShowSnapshot(
        elapsed_s=None if record.start_ns is None else (now_ns - record.start_ns) / 1e9,
        rows=rows,
        motion_to_sound_ms=summary(speaker, "motion_to_sound_ms"),
        underruns=played.counter("underruns") if played else None,
        concealed=played.counter("ticks.concealed") if played else None,
        level_db=played.gauges.get("level_db") if played else None,
        source=str(stage_info(record, "camera", "camera") or record.show.camera),
        device=str(stage_info(record, "speaker", "device") or record.show.speaker),
        notes=tuple(record.notes)[-20:],
    )


def meter(level_db: float | None) -> str:
    """A level as a bar with its figure; -60 dBFS and below is an empty bar."""
    if level_db is None:
        return "·" * METER_CELLS + "     – dBFS"
    full = round(METER_CELLS * min(1.0, max(0.0, 1.0 - level_db / FLOOR_DB)))
    return "█" * full + "·" * (METER_CELLS - full) + f" {max(level_db, -120.0):5.0f} dBFS"


def render(seen: ShowSnapshot) -> Text:
    """The live table, as one text: drawing it costs 0.7 ms, a `rich.table.Table` 6 ms."""
    clock = "getting ready" if seen.elapsed_s is None else f"{seen.elapsed_s:.0f} s"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"Antiphon  {seen.source} → {seen.device}  {clock}\n", style="bold")
    text.append(f"{'stage':<10}{'state':<11}{'fps':>6}{'step p50':>10}{'p99 ms':>8}", style="bold")
    text.append(f"{'drops':>7}{'restarts':>9}{'cpu %':>6}\n", style="bold")
    for row in seen.rows:
        text.append(f"{row.name:<10}")
        text.append(f"{row.state:<11}", style=STATE_STYLE.get(row.state, ""))
        text.append(f"{_figure(row.rate_hz, 1):>6}{_figure(row.step_p50_ms, 2):>10}{_figure(row.step_p99_ms, 2):>8}")
        text.append(f"{row.drops:>7}{row.restarts:>9}{_figure(row.cpu_percent, 0):>6}\n")
    text.append(f"{_figures(seen)}\n{meter(seen.level_db)}\n")
    for line in seen.notes[-4:]:
        text.append(f"· {line}\n", style="yellow")
    text.append("Ctrl-C ends it", style="dim")
    return text


def line_of(seen: ShowSnapshot) -> str:
    """The same in one line."""
    rates = " ".join(f"{row.name} {_figure(row.rate_hz, 1)}" for row in seen.rows if row.rate_hz is not None)
    odd = " ".join(f"{row.name}:{row.state}" for row in seen.rows if row.state not in ("running", "finished"))
    clock = "getting ready" if seen.elapsed_s is None else f"{seen.elapsed_s:6.0f} s"
    return " | ".join(filter(None, (clock, _figures(seen), rates, odd)))


def _figures(seen: ShowSnapshot) -> str:
    latency = seen.motion_to_sound_ms
    return (
        f"motion-to-sound p50 {_figure(latency['p50'], 0)} p99 {_figure(latency['p99'], 0)} ms, "
        f"underruns {_figure(seen.underruns, 0)}, concealed {_figure(seen.concealed, 0)}"
    )


def _figure(value: float | int | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


class StatusThread:
    """Shows the state of the show from a thread of its own, so that a terminal that is stopped stops nothing else.

    Args:
        draw: shows one snapshot; called in the thread.
        period_ns: the least time between two snapshots.
    """

    def __init__(self, draw: Callable[[ShowSnapshot], None], period_ns: int) -> None:
        self._draw, self._period_ns = draw, period_ns
        self._next_ns = 0
        self._rates = Rates()
        self._newest: ShowSnapshot | None = None
        self._wanted = threading.Event()
        self._ended = False
        self.last_words: list[str] = []
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Take in the newest state when it is time; never blocks."""
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + self._period_ns
        self._newest = snapshot(record, now_ns, self._rates)
        self._wanted.set()

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Say in a few lines how it went, once the view is closed."""
        if ending.code != 2 and record.start_ns is not None:
            self.last_words = closing_lines(record)

    def close(self) -> None:
        """End the thread; a blocked terminal is left behind after a second."""
        self._ended = True
        self._wanted.set()
        self._thread.join(1.0)

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended:
                return
            seen = self._newest
            if seen is not None:
                try:
                    self._draw(seen)
                except OSError:
                    return


def closing_lines(record: ShowRecord) -> list[str]:
    """How it went, in a few lines."""
    seen = snapshot(record, record.end_ns or 0, Rates())
    restarts = {row.name: row.restarts for row in seen.rows if row.restarts}
    lines = [f"{seen.elapsed_s or 0.0:.1f} s performed; {_figures(seen)}"]
    if restarts:
        lines.append("started again: " + ", ".join(f"{name} {count} times" for name, count in restarts.items()))
    if record.stolen_percent is not None and record.stolen_percent >= NOTED_PERCENT:
        lines.append(
            f"this virtual machine was without its cores for {record.stolen_percent:.0f} % of the time; what was late "
            "may be its host's doing"
        )
    film = stage_info(record, "recorder", "film")
    if film not in (None, "none"):
        counted = record.stages["recorder"].totals.counters
        frames, lost = counted.get("frames", 0), counted.get("drops", 0)
        thin = f" ({frames} of {frames + lost} pictures: the cores had no time for the others)"
        lines.append(f"film: {film}{thin if lost > FEW_LOST * frames else ''}")
    if record.show.report:
        lines.append(f"report: {record.show.report}")
    return lines


@contextlib.contextmanager
def open_view(*, quiet: bool, stream: TextIO | None = None) -> Iterator[StatusThread]:
    """Open the view that fits the output: a live table in a terminal, else (or when quiet) plain lines."""
    out = stream or sys.stdout
    with contextlib.ExitStack() as stack:
        if quiet or not out.isatty():
            status = StatusThread(_LinePrinter(out), LINE_NS)
        else:
            console = Console(file=out)
            live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            stack.enter_context(live)
            status = StatusThread(lambda seen: live.update(render(seen), refresh=True), FRAME_NS)
        stack.callback(status.close)
        yield status
    with contextlib.suppress(OSError):
        out.write("".join(f"{line}\n" for line in status.last_words))
        out.flush()


class _LinePrinter:
    """Writes one line for each snapshot, and each note once; nothing before the performance begins."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: tuple[str, ...] = ()

    def __call__(self, seen: ShowSnapshot) -> None:
        if seen.elapsed_s is None:
            return
        fresh = [line for line in seen.notes if line not in self._told]
        self._told = seen.notes
        self._out.write("\n".join([*fresh, line_of(seen)]) + "\n")
        self._out.flush()
