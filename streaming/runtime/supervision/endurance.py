"""Errors of the system that a show outlives: noted once each, counted, never the end of the supervisor."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator

from streaming.errors import AntiphonError
from streaming.system.files import reason

SYSTEM_ERRORS = (OSError, MemoryError, subprocess.SubprocessError)
"""What a full disk, a removed folder, or a lack of descriptors, memory or processes raises."""
MAX_KINDS = 100
"""Different errors that are noted; more are only counted."""
RESERVED = 8
"""Descriptors that are kept for the end of the show: the report needs some, also where a leak has used all others."""


class Endurance:
    """Guards the supervisor's work against errors of the system.

    Args:
        note: takes a line for the user.

    Attributes:
        count: how many errors there were.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._noted: set[str] = set()
        self.count = 0

    @contextlib.contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Outlive the errors of the system in this context.

        Args:
            what: what cannot be done then, in words: "the logs cannot be looked at".
        """
        try:
            yield
        except (*SYSTEM_ERRORS, AntiphonError) as error:
            self.count += 1
            line = f"{what} ({reason(error)}); the show goes on"
            if line not in self._noted and len(self._noted) < MAX_KINDS:
                self._noted.add(line)
                self._note(line)


class DescriptorReserve:
    """Holds a few descriptors, to be released when they are needed."""

    def __init__(self) -> None:
        self._held: list[int] = []
        with contextlib.suppress(OSError):
            for _ in range(RESERVED):
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def release(self) -> None:
        """Free the descriptors; again does nothing."""
        held, self._held = self._held, []
        for descriptor in held:
            with contextlib.suppress(OSError):
                os.close(descriptor)
