"""What a show can do without: each row of the table of optional parts, ready or missing, looked for in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from streaming.devices.optional import OPTIONAL, SYSTEMS, OptionalPart, is_for
from streaming.runtime.children.child_process import CHECKOUT, ENVIRONMENT
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Show

LOOK_S = 20.0
"""How long the parts together may take to be looked for."""
Look = Callable[[Sequence[str]], dict[str, tuple[str, str]]]
# Libraries write on the standard output as they are loaded: the answers have a descriptor of their own.
PROGRAM = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from streaming.devices.optional import OPTIONAL
for name in sys.argv[1:]:
    print(json.dumps([name, *OPTIONAL[name].look()]), file=answers, flush=True)
"""


def describe_parts(show: Show, look: Look, platform: str = sys.platform) -> list[tuple[str, str, bool]]:
    """A line for each part: (its name, what it gives and whether it is ready, whether the show cannot begin so).

    Args:
        show: its devices and options say which parts it insists on.
        look: see `look_for`.
        platform: of this machine.
    """
    lines = []
    answers = look([row.name for row in OPTIONAL.values() if is_for(row, platform)])
    for row in OPTIONAL.values():
        options = "; ".join(row.options())
        gives = f"{row.words} ({options})" if options else row.words
        here, problem = answers.get(row.name, ("", f"a system of {SYSTEMS.get(row.system, row.system)}"))
        state = f"missing: {problem}" if problem else f"ready{here and ': ' + here}"
        lines.append((row.name, f"{gives}: {state}", bool(problem) and is_wanted(row, show)))
    return lines


def is_wanted(row: OptionalPart, show: Show) -> bool:
    """Whether a show cannot have what its options name without a part."""
    kinds = [option.find(str(getattr(show, name)))[0] for name, option in DEVICE_OPTIONS.items()]
    return any(row.serves(kind) for kind in kinds) or bool(row.setting and getattr(show, row.setting))


def look_for(names: Sequence[str], program: str = PROGRAM, timeout_s: float = LOOK_S) -> dict[str, tuple[str, str]]:
    """Look for parts in another process, and in a new one after a part that crashes: name -> `OptionalPart.look`.

    Args:
        names: rows of `OPTIONAL`.
        program: what looks, in Python.
        timeout_s: how long all of them may take.
    """
    answers: dict[str, tuple[str, str]] = {}
    while left := [name for name in names if name not in answers]:
        text, why = _run([sys.executable, "-c", program, *left], timeout_s)
        for name, here, problem in (json.loads(line) for line in text.splitlines()):
            answers[str(name)] = str(here), str(problem)
        if stopped := next((name for name in left if name not in answers), ""):
            answers[stopped] = "", f"{why} when it is looked for; {OPTIONAL[stopped].anew()}"
    return answers


def _run(command: Sequence[str], timeout_s: float) -> tuple[str, str]:
    """What a process wrote, and how it ended in words."""
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(CHECKOUT)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        text = error.stdout or b""
        return text.decode() if isinstance(text, bytes) else text, f"hangs for {timeout_s:g} s"
    return done.stdout, f"crashes (status {done.returncode})"
