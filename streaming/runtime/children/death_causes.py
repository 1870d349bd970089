"""Why a stage's process has died, in words; a crash of native code names the user's files that it read."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence

from streaming.errors import SourceError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.schema.processes import Process
from streaming.settings.config import Show

CRASHES = tuple(
    getattr(signal, name) for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE") if hasattr(signal, name)
)
"""Signals that a process gets by what its own native code does."""


def cause_of(status: int, files: Sequence[str] = ()) -> str:
    """An exit status in words.

    Args:
        status: minus the signal's number for a process that was killed.
        files: the user's files that it read.
    """
    if status >= 0:
        return f"ended with status {status}"
    name = str(-status)
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
    if files and -status in CRASHES:
        its = "this file" if len(files) == 1 else "these files"
        return f"native code crashed ({name}) while it read {', '.join(files)}; convert {its}, or give another"
    return f"was killed by {name}"


def user_files(process: Process, show: Show) -> Iterator[str]:
    """The files of the user that a stage decodes, as the settings name them.

    Args:
        process: its row of the table.
        show: the present settings.
    """
    for name in process.reads:
        word = show.word(name) if name in show.controls else str(getattr(show, name))
        if name in DEVICE_OPTIONS:
            try:
                kind, argument = DEVICE_OPTIONS[name].find(word)
            except SourceError:
                continue
            word = argument if kind.file == "read" else ""
        if word:
            yield word
