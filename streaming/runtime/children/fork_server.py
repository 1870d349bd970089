"""A process with everything imported that makes stages by forking: a stage is back in milliseconds, any number at once.

The server (`serve_forks`) has one Python thread and has opened nothing, so a fork of it is a fresh stage process. A
fork is made through a second one that ends at once: the kernel then hands it to the supervisor (`adopt_orphans`), which
waits for it as for any child of its own. ONNX Runtime has a thread of its own from its import on, which waits in a
timer and is missing in a fork. Its sessions do not need it, but its destructor would wait for it: a fork ends with
`end_fork`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from engines import machine
from streaming.runtime.children.child_process import UsageMeter, bound_log, last_lines_of, open_log

ANSWER_S = 0.5
"""A fork takes 5 to 30 ms; a server that does not answer for this long is replaced."""
READY, NUMBER_BYTES = b"ready", 32
_PR_SET_CHILD_SUBREAPER = 36


def can_fork() -> bool:
    """Whether stages can be forked here: on Linux, and without a GPU, whose driver cannot be used after a fork."""
    return sys.platform == "linux" and not machine.has_gpu()


def adopt_orphans() -> bool:
    """Become the parent of a child's children when that child ends; False where that is not possible."""
    if sys.platform != "linux":
        return False
    return int(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0


class ForkedProcess:
    """A stage process that a fork server made; used as a `ChildProcess`.

    Args:
        pid: its id; it is this process's child.
        lifeline: the write end of its stdin.
        log: file for its stdout and stderr.
    """

    def __init__(self, pid: int, lifeline: int, log: Path) -> None:
        self.pid, self.log = pid, log
        self._lifeline: int | None = lifeline
        self._status: int | None = None
        self._meter = UsageMeter(pid)

    def assign(self, line: dict[str, Any]) -> None:
        """Send the line that assigns its stage; `poll` notices a process that has already ended."""
        if self._lifeline is not None:
            with contextlib.suppress(OSError):
                os.write(self._lifeline, msgspec.json.encode(line) + b"\n")

    def poll(self) -> int | None:
        """The exit status (minus the signal's number when it was killed), None while it runs."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self._status = 1
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid == self.pid else None
        return self._status

    def wait(self, timeout_s: float) -> None:
        """Wait for the exit for at most this long."""
        if self.poll() is not None:
            return
        with contextlib.suppress(OSError):
            watch = os.pidfd_open(self.pid)
            try:
                select.select([watch], [], [], timeout_s)
            finally:
                os.close(watch)
        self.poll()

    def close_lifeline(self) -> None:
        """Close its stdin, which makes it close by itself."""
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            with contextlib.suppress(OSError):
                os.close(lifeline)

    def terminate(self) -> None:
        """Ask it by signal to close."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once."""
        self._signal(signal.SIGKILL)

    def dump_stacks(self) -> None:
        """Make it write the stacks of all its threads into its log."""
        self._signal(signal.SIGUSR1)

    def usage(self) -> tuple[float, float] | None:
        """CPU seconds used so far and resident memory in MB (10^6 bytes); None when it is gone."""
        return self._meter.read()

    def last_lines(self, count: int = 5) -> list[str]:
        """The newest lines of its log."""
        return last_lines_of(self.log, count)

    def bound_log(self) -> None:
        """Empty a log that has grown too long."""
        bound_log(self.log)

    def _signal(self, number: int) -> None:
        # Until it has been waited for, no other process gets its id.
        if self.poll() is None:
            with contextlib.suppress(OSError):
                os.kill(self.pid, number)


class ForkClient:
    """The supervisor's end of the channel to a fork server.

    Attributes:
        server_end: the descriptor that the server inherits; closed by `release_server_end`.
    """

    def __init__(self) -> None:
        self._channel, self._server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(ANSWER_S)
        self.server_end = self._server.fileno()
        self._ready = False

    def release_server_end(self) -> None:
        """Close the descriptor that the server has inherited, so that its death is seen."""
        self._server.close()

    def ready(self) -> bool:
        """Whether the server has imported everything; never blocks."""
        if not self._ready and select.select([self._channel], [], [], 0.0)[0]:
            with contextlib.suppress(OSError):
                self._ready = self._channel.recv(NUMBER_BYTES) == READY
        return self._ready

    def fork(self, log: Path) -> ForkedProcess | None:
        """Make a process that waits for the line that assigns its stage; None if the server does not answer.

        Args:
            log: file for its stdout and stderr.

        Raises:
            OSError: when there is no descriptor left.
        """
        with open_log(log) as file:
            stdin, lifeline = os.pipe()
            try:
                socket.send_fds(self._channel, [b"fork"], [stdin, file.fileno()])
                pid = int(self._channel.recv(NUMBER_BYTES))
            except (OSError, ValueError):
                os.close(lifeline)
                return None
            finally:
                os.close(stdin)
        return ForkedProcess(pid, lifeline, log)

    def close(self) -> None:
        """End the channel, and with it the server."""
        self._channel.close()
        self._server.close()


def serve_forks(descriptor: int) -> bool:
    """Serve requests until the channel ends, in the server; returns in each forked process, with its own stdin and log.

    Args:
        descriptor: the server's end of the channel.

    Returns:
        True in a forked process, False in the server once the channel has ended.
    """
    channel = socket.socket(fileno=descriptor)
    if threading.active_count() > 1:
        sys.stderr.write("fork server: an import has started a thread, so it cannot be forked\n")
        return False
    # What is imported stays for ever: the collector of a fork need not look at it, and copy its pages.
    gc.collect()
    gc.freeze()
    channel.send(READY)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(channel, 16, 2)
        except OSError:
            return False
        if not message:
            return False
        answer_end, number_end = os.pipe()
        helper = os.fork()
        if helper == 0:
            forked = os.fork()
            if forked:
                os.write(number_end, b"%d" % forked)
                os._exit(0)
            channel.close()
            _become_stage(descriptors, (answer_end, number_end))
            return True
        os.waitpid(helper, 0)
        number = os.read(answer_end, NUMBER_BYTES)
        for used in (answer_end, number_end, *descriptors):
            os.close(used)
        # A supervisor that has given up waiting is gone: the fork ends with its stdin.
        with contextlib.suppress(OSError):
            channel.send(number)


def end_fork(status: int) -> NoReturn:
    """End a forked process without the destructors of libraries, whose threads it has not."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _become_stage(descriptors: Sequence[int], unused: Sequence[int]) -> None:
    """Give a forked process its own group, stdin and log."""
    os.setpgid(0, 0)
    stdin, log = descriptors
    os.dup2(stdin, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for descriptor in (*descriptors, *unused):
        os.close(descriptor)
