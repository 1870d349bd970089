"""The command `bench desks`: the same show without and with desks and browsers, and how soon they are heard."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.desks.desk_clients import FIRST_TICK, MOTION_KNOB, VOLUME_KNOB, DeskPlan
from benchmarks.rig.private_jack import is_installed, private_jack
from streaming.conventions import TICKS_PER_SECOND
from streaming.errors import UserError
from streaming.runtime.children.child_process import CHECKOUT
from streaming.runtime.show import perform
from streaming.settings.config import Links, Show
from streaming.settings.options import Command

WITHOUT, WITH = "without", "with"
ROUNDS, ONE_ROUND_S = 2, 120.0
"""Shows of each kind; one where it lasts longer than this."""
NO_MIDI = "no MIDI here: python-rtmidi (the extra midi) or jackd is missing, so OSC alone turns the controls"
END_S = 120.0
Compare = Callable[[dict[str, list[dict[str, Any]]]], list[str]]


def bench_desks(command: Command, show: Show, side_by_side: Compare) -> int:
    """Perform in turns without and with desks, and print the figures side by side.

    Args:
        command: the command line.
        show: with its duration.
        side_by_side: writes the comparison of shows' reports.

    Returns:
        0; 1 where a show did not begin or did not close cleanly.
    """
    failed = False
    seconds = show.duration_s or 0.0
    has_midi = is_installed() and find_spec("rtmidi") is not None
    if not has_midi:
        sys.stderr.write(NO_MIDI + "\n")
    reports: dict[str, list[dict[str, Any]]] = {WITHOUT: [], WITH: []}
    figures: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-desks-")))
        folder.chmod(0o700)
        stack.enter_context(_own_config(folder / "config"))
        if has_midi:
            stack.enter_context(private_jack(folder / "jack.log"))
        for _ in range(1 if command.bench.quick or seconds > ONE_ROUND_S else ROUNDS):
            for kind in (WITHOUT, WITH):
                plan = DeskPlan(
                    run_dir=str(folder / "run"),
                    console_port=_free_port(socket.SOCK_STREAM),
                    osc_port=_free_port(socket.SOCK_DGRAM),
                    midi=has_midi,
                    seconds=max(1.0, seconds - FIRST_TICK / TICKS_PER_SECOND - 3.0),
                )
                report, found, line = _perform(command, show, plan, with_desks=kind == WITH)
                if line:
                    sys.stderr.write(f"{kind}: {line}\n")
                    failed = True
                if report["duration_s"] is None:
                    return 1
                reports[kind].append(report)
                figures += found
    sys.stdout.write("\n".join([*side_by_side(reports), "", *describe(figures)]) + "\n")
    out = Path(command.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "bench-desks.json"
    file.write_text(json.dumps({"reports": reports, "desks": figures}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"written: {file}\n")
    return int(failed)


def describe(figures: list[dict[str, Any]]) -> list[str]:
    """What the desks saw, a line for each thing and show."""
    names = {
        "osc_to_heard": "a volume by OSC until it is heard",
        "midi_to_heard": "a volume by MIDI until it is heard",
        "motion_to_all_stages": "a motion until every stage has it",
    }
    lines = []
    for one in figures:
        for key, words in names.items():
            if key not in one:
                continue
            row = one[key]
            times = f"p50 {row['p50_ms']}, p99 {row['p99_ms']}, max {row['max_ms']} ms"
            lines.append(f"{words}: {times}; {row['within_two_ticks']} of {row['n']} in two ticks, {row['lost']} lost")
        if notes := one.get("notes"):
            times = f"p50 {notes['p50_ms']}, p99 {notes['p99_ms']}, max {notes['max_ms']} ms"
            count = f"{notes['within_10_ms']} of {notes['onsets']} within 10 ms, {notes['without_a_note']} without one"
            lines.append(f"a MIDI note from the onset of its sound: {times}; {count}")
        web = one["web"]
        lines.append(f"{web['browsers']} browsers: {web['messages']} messages, {web['bytes'] / 1e6:.1f} MB")
        lines += [f"a browser failed {line}" for line in web["failures"]]
        lines += [f"refused: {line}" for line in one["refusals"]]
    return lines


def _perform(
    command: Command, show: Show, plan: DeskPlan, *, with_desks: bool
) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """One show; returns its report, what the desks saw, and a line where it failed."""
    Path(plan.run_dir).mkdir(mode=0o700, exist_ok=True)
    show = msgspec.structs.replace(
        show.with_controls(fade=0.005),
        # The bench's own JACK server has a microphone that hears nothing.
        microphone="self" if show.microphone == "auto" else show.microphone,
        links=Links(run_dir=plan.run_dir),
        console=str(plan.console_port),
        osc=str(plan.osc_port),
        midi="virtual" if with_desks and plan.midi else "",
    )
    if not with_desks:
        done = perform(show, awake=command.awake, notes=command.notes)
        return done.report, [], done.ending.line
    program = [sys.executable, "-m", "benchmarks.desks.desk_clients", msgspec.json.encode(plan).decode()]
    with subprocess.Popen(
        program, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as desks:
        try:
            done = perform(show, awake=command.awake, notes=command.notes)
            output, _ = desks.communicate("", timeout=END_S)
        finally:
            desks.kill()
    if desks.returncode:
        return done.report, [], done.ending.line or "the desks failed"
    return done.report, [json.loads(output)], done.ending.line


@contextlib.contextmanager
def _own_config(folder: Path) -> Iterator[None]:
    """A configuration of the bench's own, in which two knobs are learned already; the user's is left alone."""
    knobs = ((VOLUME_KNOB, "volume"), (MOTION_KNOB, "motion"))
    rows = [{"channel": 1, "controller": knob, "control": name} for knob, name in knobs]
    (folder / "antiphon").mkdir(parents=True)
    (folder / "antiphon" / "midi.json").write_text(json.dumps(rows), encoding="utf-8")
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CONFIG_HOME"]
        else:
            os.environ["XDG_CONFIG_HOME"] = before


def _free_port(kind: socket.SocketKind) -> int:
    """A port of this machine that nobody has now.

    Raises:
        UserError: when there is none.
    """
    try:
        with socket.socket(socket.AF_INET, kind) as one:
            one.bind(("127.0.0.1", 0))
            return int(one.getsockname()[1])
    except OSError as error:
        raise UserError("no port is free", "bench desks", "end other programs") from error
