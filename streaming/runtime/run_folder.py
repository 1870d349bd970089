"""The folder of a show's sockets: private to the user, locked by one show, cleared of a crash's leftovers."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from streaming.errors import UserError
from streaming.transport.links import default_run_dir

MAX_SOCKET_PATH = 100
"""Bytes; a socket's address holds 107 on Linux and 103 on macOS."""
LONGEST_NAME = 24
"""Room for `/<stage>.sock`."""
REAPER = Path(__file__).with_name("reaper.py")


class RunFolder:
    """A locked run folder. Use as a context manager; leaving it removes the sockets and frees the lock.

    A reaper process shares the lock: if this process dies, even of `kill -9`, the reaper sees its stdin end, makes
    sure that the stages are gone, removes the sockets, and only then is the lock free.

    Args:
        path: the folder; None or "" for the user's default. It is made if it does not exist.

    Raises:
        UserError: when the folder is not private to this user, or another instance holds it.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path or default_run_dir()).absolute()
        make_private(self.path)
        self._lock = _lock(self.path)
        self._reaper: subprocess.Popen[bytes] | None = None
        self._watched: dict[str, int] = {}
        sweep(self.path)
        try:
            self._start_reaper()
        except OSError as error:
            self._lock.close()
            fix = "end other programs, or raise its limits (ulimit)"
            raise UserError(f"the system refuses a process ({error.strerror})", str(self.path), fix) from error

    def watch(self, name: str, pid: int) -> None:
        """Register a process with the reaper, so that it does not outlive this one; write its id to `<name>.pid`."""
        self._watched[name] = pid
        with contextlib.suppress(OSError):
            self._write_pid(name, pid)
        self._tell_reaper(pid)

    def mend(self) -> list[str]:
        """Make the folder, its lock and the reaper again if they are gone; lines for the user.

        Whatever tidies /tmp does not know that a show runs.

        Raises:
            OSError: when they cannot be made.
            UserError: when another show has taken the folder meanwhile.
        """
        lines = []
        if not self._holds_lock():
            make_private(self.path)
            lock, self._lock = self._lock, _lock(self.path)
            lock.close()
            for name, pid in self._watched.items():
                self._write_pid(name, pid)
            self._end_reaper()
            lines.append(f"{self.path}: the run folder was removed; it is made again")
        if self._reaper is not None and self._reaper.poll() is not None:
            self._end_reaper()
        if self._reaper is None:
            self._start_reaper()
            for pid in self._watched.values():
                self._tell_reaper(pid)
        return lines

    def close(self) -> None:
        """Remove the sockets, end the reaper, free the lock; the folder and the lock file stay."""
        with contextlib.suppress(OSError):
            sweep(self.path)
        self._end_reaper()
        self._lock.close()

    def _write_pid(self, name: str, pid: int) -> None:
        """Write a process's id so that a reader sees this one or the one before."""
        fresh = self.path / f".{name}.pid"
        fresh.write_text(f"{pid}\n")
        fresh.replace(self.path / f"{name}.pid")

    def _holds_lock(self) -> bool:
        """Whether the lock file of this path is the one that this process holds."""
        if sys.platform == "win32":
            return True
        try:
            return os.path.samestat(os.stat(self.path / "lock"), os.fstat(self._lock.fileno()))
        except OSError:
            return False

    def _tell_reaper(self, pid: int) -> None:
        if self._reaper is None or self._reaper.stdin is None:
            return
        try:
            self._reaper.stdin.write(f"{pid}\n".encode())
        except OSError:
            self._end_reaper()

    def _end_reaper(self) -> None:
        reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.kill()
            reaper.wait()
            if reaper.stdin is not None:
                with contextlib.suppress(OSError):
                    reaper.stdin.close()

    def _start_reaper(self) -> None:
        """Start the reaper.

        Raises:
            OSError: when there is no descriptor, memory or process left for it.
        """
        if sys.platform == "win32":
            return
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(REAPER), str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            process_group=0,
            pass_fds=(self._lock.fileno(),),
        )

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def sweep(path: Path) -> list[str]:
    """Remove what shows leave in a run folder whose lock is held; gives the names of sockets, id files and scenes."""
    names = []
    shutil.rmtree(path / "held", ignore_errors=True)
    for entry in os.scandir(path):
        is_left = entry.name.endswith(".pid") or "scene.npz" in entry.name
        if is_left or stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
            os.unlink(entry.path)
            names.append(entry.name)
    return names


def make_private(path: Path) -> None:
    """Make a folder for sockets if it is not there, and check that it is this user's alone.

    Raises:
        UserError: when it cannot be made, belongs to another user, or others may write to it.
    """
    where, option = str(path), "give --run-dir a folder of your own"
    if len(os.fsencode(path)) + LONGEST_NAME > MAX_SOCKET_PATH:
        raise UserError("the path is too long for a socket", where, "give --run-dir a shorter one")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UserError(f"the run folder cannot be made ({error.strerror})", where, option) from error
    if sys.platform == "win32":
        return
    if not stat.S_ISDIR(status.st_mode):
        raise UserError("the run folder is not a folder", where, option)
    if status.st_uid != os.getuid():
        raise UserError("the run folder belongs to another user", where, option)
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise UserError("others may write to the run folder", where, f"type: chmod 700 {where}, or {option}")


def _lock(path: Path) -> IO[bytes]:
    """Hold `path`/lock for as long as the returned file is open here or in a child that inherited it."""
    try:
        file = os.fdopen(os.open(path / "lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600), "r+b", 0)
    except OSError as error:
        raise UserError(f"the lock cannot be opened ({error.strerror})", str(path), "give --run-dir another") from error
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = b"" if sys.platform == "win32" else file.read(32).strip()
        file.close()
        by = f" (process {holder.decode()})" if holder.isdigit() else ""
        fix = "end it first, or give this one its own sockets with --run-dir FOLDER"
        raise UserError(f"another performance uses these sockets{by}", str(path), fix) from error
    if sys.platform != "win32":
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    return file
