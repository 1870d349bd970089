"""What the user sees while it plays: a live table in a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from streaming.telemetry.notes import MAX_NOTES_KEPT
from streaming.telemetry.output import open_output, printable
from streaming.telemetry.report import Ending, ShowRecord, devices_lost
from streaming.telemetry.snapshot import DirectionRow, Meter, Rates, ShowSnapshot, snapshot

NOTED_PERCENT = 1.0
"""The share of stolen time from which on the closing lines report it."""
FEW_LOST = 0.02
"""The closing lines report a film's missing pictures if more than this share is missing."""
FRAME_NS = 250_000_000
"""The table is drawn 4 times a second; one drawing and its snapshot cost 1 ms."""
LINE_NS = 5_000_000_000
MOST_DEGRADED = 5
"""The newest lines about what the show went on without that are among the closing lines."""
SILENCE_S = 10.0
"""The status line reports silent stages from this time on."""
CLOSE_S = 2.0
"""How long the end of a show waits for a blocked terminal to take its last lines."""
FLOOR_DB, METER_CELLS = -60.0, 30
STATE_STYLE = {
    "running": "green",
    "ready": "cyan",
    "setup": "yellow",
    "restarting": "bold yellow",
    "no device": "bold yellow",
    "lost": "bold red",
}


def meter(level_db: float | None) -> str:
    """A level as a bar with its figure; -60 dBFS and below is an empty bar."""
    if level_db is None:
        return "·" * METER_CELLS + "     – dBFS"
    full = round(METER_CELLS * min(1.0, max(0.0, 1.0 - level_db / FLOOR_DB)))
    return "█" * full + "·" * (METER_CELLS - full) + f" {max(level_db, -120.0):5.0f} dBFS"


def render(now: ShowSnapshot) -> Text:
    """The live table, as one text: drawing it costs 0.7 ms, a `rich.table.Table` 6 ms."""
    text = Text(no_wrap=True, overflow="ellipsis")
    networks = f"  networks: {now.networks}" if now.networks else ""
    eyes = f"  eyes: {now.eyes}" if now.eyes else ""
    text.append(f"Antiphon  {_clock(now)}{networks}{eyes}\n", style="bold")
    for direction in now.directions:
        text.append(f"{devices_of(direction)}\n", style="bold")
    if now.playing:
        text.append(f"playing: {now.playing}\n")
    if now.given_up:
        text.append(f"given up: {now.given_up}\n", style="bold yellow")
    text.append(f"{'stage':<12}{'state':<11}{'fps':>6}{'step p50':>10}{'p99 ms':>8}", style="bold")
    text.append(f"{'drops':>7}{'restarts':>9}{'cpu %':>6}\n", style="bold")
    for row in now.rows:
        text.append(f"{row.name:<12}")
        text.append(f"{row.state:<11}", style=STATE_STYLE.get(row.state, ""))
        text.append(f"{_figure(row.rate_hz, 1):>6}{_figure(row.step_p50_ms, 2):>10}{_figure(row.step_p99_ms, 2):>8}")
        text.append(f"{row.drops:>7}{row.restarts:>9}{_figure(row.cpu_percent, 0):>6}\n")
    for direction in now.directions:
        text.append(f"{figures_of(direction)}\n")
    if now.camera_clock:
        text.append(f"{camera_clock_in_words(now.camera_clock)}\n")
    for level in now.meters:
        text.append(f"{level.name:<12}{meter(level.level_db)}\n")
    text.append("Ctrl-C ends the show", style="dim")
    return text


def line_of(now: ShowSnapshot) -> str:
    """The same in one line."""
    figures = [figures_of(direction) for direction in now.directions]
    rates = " ".join(f"{row.name} {_figure(row.rate_hz, 1)}" for row in now.rows if row.rate_hz is not None)
    odd = " ".join(f"{row.name}:{row.state}" for row in now.rows if row.state not in ("running", "finished"))
    late = now.elapsed_s is not None and now.elapsed_s >= SILENCE_S
    silent = silence_of(now.meters) if late else ""
    given_up = f"given up: {now.given_up}" if now.given_up else ""
    return " | ".join(filter(None, (_clock(now), *figures, given_up, silent, rates, odd)))


def devices_of(direction: DirectionRow) -> str:
    """A direction's source and output, as "camera performer:drums → speaker JACK"."""
    return f"{direction.source or 'from another machine'} → {direction.output}"


def figures_of(direction: DirectionRow) -> str:
    """A direction's latency and the faults of its output."""
    latency = f"{direction.latency} p50 {_figure(direction.p50_ms, 0)} p99 {_figure(direction.p99_ms, 0)} ms"
    return ", ".join([latency, *(f"{name} {_figure(count, 0)}" for name, count in direction.faults.items())])


def camera_clock_in_words(clock: dict[str, Any]) -> str:
    """The phase of a camera that runs on its own clock, as "camera phase 12.3 ms, drift +35 ppm, stamps: driver"."""
    drift = "–" if clock["drift_ppm"] is None else f"{clock['drift_ppm']:+.0f}"
    delay = "" if clock["delay_ms"] is None else f", {clock['delay_ms']:.0f} ms before the arrival"
    return f"camera phase {_figure(clock['phase_ms'], 1)} ms, drift {drift} ppm, stamps: {clock['stamps']}{delay}"


def silence_of(meters: tuple[Meter, ...]) -> str:
    """The meters that are silent, in words; "" for none."""
    names = [f"the {level.name}" for level in meters if level.silent]
    return f"silent: {' and '.join(names)}" if names else ""


def _clock(now: ShowSnapshot) -> str:
    return "getting ready" if now.elapsed_s is None else f"{now.elapsed_s:.0f} s"


def _figure(value: float | int | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


class Display(Protocol):
    """One kind of display. Every method is called in the view's thread and may fail."""

    period_ns: int
    """The least time between two drawings."""
    shows_setup: bool
    """Whether it shows anything before the performance begins."""

    def draw(self, now: ShowSnapshot) -> None:
        """Show the newest state."""

    def write(self, lines: list[str]) -> None:
        """Write lines that stay."""

    def close(self) -> None:
        """Leave the output as it was found, but for the lines that stay."""


class PlainDisplay:
    """A line every five seconds; nothing before the performance begins."""

    period_ns, shows_setup = LINE_NS, False

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def draw(self, now: ShowSnapshot) -> None:
        """Write the newest state as one line."""
        if now.elapsed_s is not None:
            self.write([line_of(now)])

    def write(self, lines: list[str]) -> None:
        """Write lines."""
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(printable("".join(f"{line}\n" for line in lines), encoding))
        self._out.flush()

    def close(self) -> None:
        """Does nothing."""


class TableDisplay:
    """A live table; lines that stay are written above it."""

    period_ns, shows_setup = FRAME_NS, True

    def __init__(self, out: TextIO) -> None:
        self._plain = PlainDisplay(out)
        self._live = Live(
            console=Console(file=out),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def draw(self, now: ShowSnapshot) -> None:
        """Draw the table anew."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(render(now), refresh=True)

    def write(self, lines: list[str]) -> None:
        """Write lines above the table."""
        if not self._live.is_started:
            self._plain.write(lines)
            return
        for line in lines:
            self._live.console.print(Text(line, style="yellow"))

    def close(self) -> None:
        """Remove the table."""
        if self._live.is_started:
            self._live.stop()


class StatusThread:
    """Displays the show's state from its own thread, so that a blocked or failing terminal affects nothing else.

    Args:
        display: the kind of display.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._next_ns = 0
        self._rates = Rates()
        self._newest: ShowSnapshot | None = None
        self._pending: deque[str] = deque(maxlen=MAX_NOTES_KEPT)
        self._notes_taken = 0
        self._wanted = threading.Event()
        self._ended = False
        self._closing_lines: list[str] = []
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def update(self, record: ShowRecord, now_ns: int) -> None:
        """Take new notes at once, and the newest state once per period; never blocks."""
        if record.start_ns is not None or self._display.shows_setup:
            self._take_notes(record)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self._display.period_ns
            self._newest = snapshot(record, now_ns, self._rates)
            self._wanted.set()

    def finish(self, record: ShowRecord, ending: Ending) -> None:
        """Take the remaining notes and the closing lines, to be written when the view is closed.

        An error of the user's before the show is reported by the ending's one line alone.
        """
        if ending.code == 2 and record.start_ns is None:
            return
        self._take_notes(record)
        if record.start_ns is not None:
            self._closing_lines = closing_lines(record)

    def close(self) -> None:
        """End the thread, which writes the remaining lines; a blocked terminal is not waited for beyond `CLOSE_S`."""
        self._ended = True
        self._wanted.set()
        self._thread.join(CLOSE_S)

    def _take_notes(self, record: ShowRecord) -> None:
        if record.notes.count > self._notes_taken:
            self._pending.extend(record.notes.since(self._notes_taken))
            self._notes_taken = record.notes.count
            self._wanted.set()

    def _work(self) -> None:
        # A failing terminal must not affect the show.
        with contextlib.suppress(Exception):
            while not self._ended:
                self._wanted.wait()
                self._wanted.clear()
                self._write_notes()
                now, self._newest = self._newest, None
                if now is not None and not self._ended:
                    self._display.draw(now)
        with contextlib.suppress(Exception):
            self._display.close()
        with contextlib.suppress(Exception):
            self._write_notes()
            if self._closing_lines:
                self._display.write(self._closing_lines)

    def _write_notes(self) -> None:
        lines = [self._pending.popleft() for _ in range(len(self._pending))]
        if lines:
            self._display.write(lines)


def closing_lines(record: ShowRecord) -> list[str]:
    """A summary of the performance in a few lines; a file is named only if it exists."""
    now = snapshot(record, record.end_ns or 0, Rates())
    lines = ["; ".join([f"{now.elapsed_s or 0.0:.1f} s performed", *map(figures_of, now.directions)])]
    lines.extend(devices_of(direction) for direction in now.directions)
    if now.networks:
        lines.append(f"networks: {now.networks}")
    if now.eyes:
        lines.append(f"eyes: {now.eyes}")
    if now.playing:
        lines.append(f"playing: {now.playing}")
    if now.camera_clock:
        lines.append(camera_clock_in_words(now.camera_clock))
    if silence := silence_of(now.meters):
        lines.append(silence)
    lines.extend(
        f"{device} lost {_times(found['lost'])}, back {_times(found['back'])}, away for {found['away_s']:.1f} s"
        for device, found in devices_lost(record).items()
    )
    restarts = {row.name: row.restarts for row in now.rows if row.restarts}
    if restarts:
        lines.append("started again: " + ", ".join(f"{name} {_times(count)}" for name, count in restarts.items()))
    spent = record.load.report(record.duration_s() or 0.0)["given_up_s"] if record.load.highest else {}
    if spent:
        lines.append("given up under load: " + ", ".join(f"{what} for {s:.1f} s" for what, s in spent.items()))
    lines.extend(f"degraded: {line}" for line in list(record.degraded)[-MOST_DEGRADED:])
    if record.stolen_percent is not None and record.stolen_percent >= NOTED_PERCENT:
        lines.append(
            f"the host of this virtual machine took {record.stolen_percent:.0f} % of the cores' time: what was late "
            "may be its doing"
        )
    lines.extend(_files(record))
    return lines


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _files(record: ShowRecord) -> Iterator[str]:
    for stage in record.stages.values():
        key = stage.process.leaves
        path = str(stage.info.get(key, ""))
        if not key or not _is_there(path):
            continue
        counters = stage.totals.counters
        frames, drops = counters.get("frames", 0), counters.get("drops", 0)
        few = f" ({frames} of {frames + drops} pictures: the cores had no time for the others)"
        if counters.get("stopped_early", 0):
            few = " (it ends before the show did, see above)"
        elif drops <= FEW_LOST * frames:
            few = ""
        yield f"{key}: {path}{few}"
    if record.show.report and record.report_written:
        yield f"report: {record.show.report}"


def _is_there(path: str) -> bool:
    """Whether a path is a file with anything in it."""
    with contextlib.suppress(OSError, ValueError):
        return Path(path).is_file() and Path(path).stat().st_size > 0
    return False


@contextlib.contextmanager
def open_view(*, quiet: bool, stream: TextIO | None = None) -> Iterator[StatusThread]:
    """Open the view that fits the output: a live table in a terminal, else (or when quiet) plain lines.

    Args:
        quiet: plain lines also in a terminal.
        stream: where to write; None for stdout, which may be closed.
    """
    out = open_output(sys.stdout) if stream is None else stream
    view = StatusThread(PlainDisplay(out) if quiet or not _is_terminal(out) else TableDisplay(out))
    try:
        yield view
    finally:
        view.close()


def _is_terminal(out: TextIO) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return out.isatty()
    return False
