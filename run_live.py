"""The one command: perform (the default), bench, doctor, one stage by hand, live controls, keys for other machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streaming.errors import UserError
from streaming.options import Command, parse


def main(argv: Sequence[str]) -> int:
    """Do what the command line says.

    Returns:
        0 a performance that ran and closed cleanly, 2 bad arguments or unusable inputs (one line), 1 anything else.
    """
    try:
        return run(parse(argv))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1


def run(command: Command) -> int:
    """Do one command."""
    if command.name == "doctor":
        from streaming.doctor import doctor

        return doctor(command.show)
    if command.name == "bench":
        from streaming.bench import bench

        prepare(command.show.backend, command.show.bundle)
        return bench(command)
    if command.name == "stage":
        from streaming.runner import run_alone

        return run_alone(command.target, command.show, print)
    if command.name == "set":
        from streaming.wishes import wish

        print("\n".join(wish(command.show.links, command.target, command.value)))
        return 0
    if command.name == "keys":
        from streaming.sockets import make_keys

        keys = make_keys(command.target)
        print(f"keys are in {keys.folder}; antiphon.key is the one to hand out, allowed/ holds those let in")
        return 0
    from streaming.perform import perform

    prepare(command.show.backend, command.show.bundle)
    ending = perform(command.show, awake=command.awake, notes=command.notes).ending
    if ending.line:
        print(ending.line, file=sys.stderr)
    return ending.code


def prepare(backend: str, bundle: str) -> None:
    """Export the bundle once for the runtime that is fastest here; where that fails, `auto` takes torch."""
    from engines.bundles import find_bundle
    from engines.contract import EngineError
    from engines.registry import wants_export

    try:
        if not wants_export(backend, bundle):
            return
        folder = find_bundle(bundle).resolve()
    except EngineError:
        return  # said in one line by whoever opens the bundle
    print(f"exporting {bundle} for ONNX Runtime, once; it takes some ten seconds", file=sys.stderr)
    export = [sys.executable, "-m", "export", str(folder)]
    done = subprocess.run(export, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"the export failed ({reason}); going on without it, which is slower", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
