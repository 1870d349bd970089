"""The one command: perform (the default), replay, doctor, set (live controls), config, bench, stage, scene, keys."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streaming.settings.options import Command


def main(argv: Sequence[str]) -> int:
    """Do what the command line says.

    Returns:
        0 a performance that ran and closed cleanly, 2 bad arguments or unusable inputs (one line), 1 anything else.
    """
    try:
        # Imported here, so that a Ctrl-C in the second that this takes is answered as any other.
        from streaming.errors import UserError
        from streaming.settings.options import parse
        from streaming.telemetry.output import harden_standard_streams

        harden_standard_streams()
        try:
            return run(parse(argv))
        except UserError as error:
            print(error, file=sys.stderr)
            return 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("streaming", "engines", "benchmarks"):
            raise
        fix = "type make venv, then .venv/bin/python run_live.py"
        print(f"{sys.executable}: has no {error.name}, so Antiphon is not installed for it; {fix}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1


def run(command: Command) -> int:
    """Do one command."""
    from streaming.telemetry.output import print_out

    if command.name == "doctor":
        from streaming.commands.doctor import doctor

        return doctor(command.show, print_out)
    if command.name == "bench":
        return run_bench(command)
    if command.name == "stage":
        from streaming.runtime.stage_process import run_alone

        return run_alone(command.target, command.show, print)
    if command.name == "set":
        from streaming.commands.control_client import request_control

        print_out("\n".join(request_control(command.show.links, command.target, command.value)))
        return 0
    if command.name == "config":
        from streaming.settings.toml_file import example

        print_out(example().rstrip("\n"))
        return 0
    if command.name == "scene":
        from streaming.commands.show_scene import show_scene

        return show_scene(command.target, command.out, print_out)
    if command.name == "replay":
        from streaming.commands.replay import prepare_replay, write_sound

        if not command.out:
            return perform_show(prepare_replay(command))
        print_out(write_sound(prepare_replay(command)))
        return 0
    if command.name == "keys":
        from streaming.transport.sockets import make_keys

        keys = make_keys(command.target)
        print_out(f"keys are in {keys.folder}; antiphon.key is the one to hand out, allowed/ holds those let in")
        return 0
    return perform_show(command)


def perform_show(command: Command) -> int:
    """Perform; gives the exit status."""
    from streaming.runtime.engine_builder import prepare_engines
    from streaming.runtime.standing.standing_show import stand

    with prepare_engines(command.show.backend, command.show.bundle) as lines:
        ending = stand(command.show, awake=command.awake, notes=[*command.notes, *lines])
    if ending.line:
        with contextlib.suppress(OSError):
            print(ending.line, file=sys.stderr, flush=True)
    return ending.code


def run_bench(command: Command) -> int:
    """Do one benchmark; before most of them the networks are built."""
    if command.target == "engines":
        return bench_engines(command)
    from benchmarks.show import PREPARED, bench
    from streaming.runtime.engine_builder import prepare_engines, print_progress

    if command.target not in PREPARED or command.bench.virtual:
        return bench(command)
    with prepare_engines(command.show.backend, command.show.bundle, first=True) as lines:
        for line in lines:
            print_progress(line)
        return bench(command)


def bench_engines(command: Command) -> int:
    """Time every network on every runtime here, in a process of its own: it alone imports what exports."""
    asked = [sys.executable, "-m", "benchmarks.engines", command.show.bundle, "--out", str(Path(command.out).resolve())]
    if command.seconds is not None:
        asked += ["--seconds", str(command.seconds)]
    if command.history:
        asked.append("--history")
    if command.compiled:
        asked.append("--compiled")
    return subprocess.run(asked, cwd=Path(__file__).parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
