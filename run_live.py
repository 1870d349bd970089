"""The one command: perform (the default), bench, doctor, one stage by hand, keys for links between machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence

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

        return bench(command)
    if command.name == "stage":
        from streaming.runner import run_alone

        return run_alone(command.target, command.show, print)
    if command.name == "keys":
        from streaming.bus import make_keys

        keys = make_keys(command.target)
        print(f"keys are in {keys.folder}; antiphon.key is the one to hand out, allowed/ holds those let in")
        return 0
    from streaming.perform import perform

    ending = perform(command.show, awake=command.awake, notes=command.notes).ending
    if ending.line:
        print(ending.line, file=sys.stderr)
    return ending.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
