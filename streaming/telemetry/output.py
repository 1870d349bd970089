"""Where the view writes: a terminal of any encoding, a pipe that may close, or nothing where there is no output."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO, cast

from streaming.errors import UserError

ASCII = {"→": "->", "–": "-", "·": ".", "█": "#", "…": "...", "×": "x", "≥": ">=", "≤": "<="}
"""What is written for a character that a terminal's encoding lacks; "?" for any other."""


def printable(text: str, encoding: str) -> str:
    """A text with every character replaced that an encoding lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_plain(character, encoding) for character in text)
    except LookupError:
        return text.encode("ascii", "replace").decode()
    return text


def _plain(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return ASCII.get(character, "?")
    return character


class ViewOutput(io.TextIOBase):
    """A text stream for the view's thread, with no buffer of its own.

    `sys.stdout` is not used itself: a thread that hangs in a stopped terminal would keep its buffer's lock, and what a
    closed pipe left in its buffer would change the exit status of the program.

    Args:
        descriptor: an open file descriptor; this stream closes it.
        encoding: the encoding of whatever reads it.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self._encoding = descriptor, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of whatever reads it."""
        return self._encoding

    def write(self, text: str) -> int:
        """Write all of a text.

        Raises:
            OSError: when the reader is gone.
        """
        data = memoryview(printable(text, self._encoding).encode(self._encoding, "replace"))
        while data:
            data = data[os.write(self._descriptor, data) :]
        return len(text)

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        super().close()


def open_output(stream: TextIO | None) -> TextIO:
    """What the view writes to in place of a standard stream.

    Args:
        stream: `sys.stdout`, which is None where it was closed before the program began.

    Returns:
        A stream of the same file, which the caller closes; without a file, the stream itself.
    """
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if sys.platform == "win32":
        return stream
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):
        return stream
    return cast(TextIO, ViewOutput(descriptor, stream.encoding or "utf-8"))


def print_out(text: str) -> None:
    """Print a command's answer to stdout and flush it.

    Raises:
        UserError: when it cannot be written: a full disk behind `>`.
        BrokenPipeError: when the reader is gone.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What stays in the buffer must not fail once more when the program ends.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        fix = "make room on its disk, or write to another file"
        raise UserError(f"cannot be written ({error.strerror})", "standard output", fix) from error


def harden_standard_streams() -> None:
    """Make stdin, stdout and stderr safe to use, whatever the program was begun with.

    A standard stream that is closed (`>&-`) is opened on the null device, so that no other file gets its number. A
    character that a stream's encoding lacks is written as "?".
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
